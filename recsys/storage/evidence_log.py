"""What was answered to offers in a stretch of time, and the evidence that decisions were made with, by version."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import bindparam

from recsys.domain.outcome import Answer
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import offer_evidence, outcomes

Counts = dict[str, tuple[int, int]]
"""Offer → (accepted, answered)."""

_ACCEPTED = func.sum(case((outcomes.c.answer == Answer.ACCEPTED, 1), else_=0))
_ANSWERS = (
    select(outcomes.c.offer_id, _ACCEPTED, func.count())
    .where(
        outcomes.c.recorded_at >= bindparam("since"),
        outcomes.c.recorded_at < bindparam("before"),
        outcomes.c.answer != Answer.NOT_PITCHED,
    )
    .group_by(outcomes.c.offer_id)
)
_OF_OFFERS = _ANSWERS.where(outcomes.c.offer_id.in_(bindparam("offer_ids", expanding=True)))
_OF_VERSION = select(offer_evidence.c.counts).where(offer_evidence.c.version == bindparam("version"))
_LATEST = select(offer_evidence.c.counts).order_by(offer_evidence.c.recorded_at.desc()).limit(1)


class EvidenceLog(BoundLog):
    """The evidence's part of the log."""

    def answers_between(self, since: datetime, before: datetime, offer_ids: Sequence[str] | None = None) -> Counts:
        """Return what was answered from `since` on until just before `before`, to these offers or to all.

        Yes, no and later count as answers; what was not pitched is none.
        """
        moments: dict[str, Any] = {"since": since, "before": before}
        if offer_ids is None:
            rows = self._connection.execute(_ANSWERS, moments)
        else:
            rows = self._connection.execute(_OF_OFFERS, moments | {"offer_ids": list(offer_ids)})
        return {offer_id: (int(accepted), int(answered)) for offer_id, accepted, answered in rows}

    def evidence_of(self, version: str) -> Counts | None:
        """Return the evidence of this version, None where no decision was made with it."""
        return _counts(self._connection.execute(_OF_VERSION, {"version": version}).scalar())

    def latest_evidence(self) -> Counts | None:
        """Return the evidence that was stored last, None before the first decision."""
        return _counts(self._connection.execute(_LATEST).scalar())

    def add_evidence(self, version: str, counts: Mapping[str, tuple[int, int]], at: datetime) -> None:
        """Store the evidence of a version, which a decision of this transaction names; once is enough."""
        row = {"version": version, "counts": orjson.dumps(counts).decode(), "recorded_at": at}
        self._connection.execute(_ADD[self._connection.dialect.name], row)


_ADD: Mapping[str, Any] = {
    "sqlite": sqlite.insert(offer_evidence).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(offer_evidence).on_conflict_do_nothing(),
}


def _counts(text: str | None) -> Counts | None:
    if text is None:
        return None
    return {offer_id: (accepted, answered) for offer_id, (accepted, answered) in orjson.loads(text).items()}
