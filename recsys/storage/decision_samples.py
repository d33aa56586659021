"""Decisions looked at as many: the latest ones, and a sample of them and of their answers over a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, func, select

from recsys.domain.outcome import Answer
from recsys.storage.decision_log import ANSWERED_OFFERS, AnsweredOffer, DecisionLog
from recsys.storage.schema import decisions, outcomes

_LATEST = select(decisions.c.record).order_by(decisions.c.decision_id.desc()).limit(bindparam("limit"))
_LATEST_OF_CUSTOMER = (
    select(decisions.c.record)
    .where(decisions.c.customer_id == bindparam("customer_id"))
    .order_by(decisions.c.made_at.desc(), decisions.c.decision_id.desc())
    .limit(bindparam("limit"))
)
_BATCH = 1_000
_DIGITS = 4
_DRAWN_FROM = 15
"""Where the random part of "d-<11 digits of time>-<16 random digits>" begins, counted from 1."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The decisions whose ids, which sort by time, come after `after`; of them a `share` (0–1].

    Who is in it follows from the random part of the id, so it is the same decisions whenever it is drawn.
    """

    after: str
    share: float = 1.0

    def of(self, column: Any) -> Any:
        """Return the condition on a column of decision ids."""
        since = column > self.after
        if self.share >= 1:
            return since
        below = f"{int(self.share * 16**_DIGITS):0{_DIGITS}x}"
        return since & (func.substr(column, _DRAWN_FROM, _DIGITS) < below)


class DecisionSamples(DecisionLog):
    """The decisions' part of the log with what is read of many at once."""

    def latest_decisions(self, limit: int, customer_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest records, of everybody or of one customer, newest first."""
        wanted = {"limit": limit} if customer_id is None else {"limit": limit, "customer_id": customer_id}
        rows = self._connection.execute(_LATEST if customer_id is None else _LATEST_OF_CUSTOMER, wanted)
        return [orjson.loads(record) for (record,) in rows]

    def sizes_after(self, after: str) -> tuple[int, int]:
        """Return how many decisions have ids after `after`, and how many of their offers were answered when pitched."""
        made = select(func.count()).where(decisions.c.decision_id > after)
        answered = select(func.count()).where(outcomes.c.decision_id > after, outcomes.c.answer != Answer.NOT_PITCHED)
        return self._connection.execute(made).scalar_one(), self._connection.execute(answered).scalar_one()

    def sampled_decisions(self, sample: Sample) -> Iterator[dict[str, Any]]:
        """Yield the sample's records in the order of their ids, without holding them all."""
        statement = select(decisions.c.record).where(sample.of(decisions.c.decision_id))
        for rows in self.batches(statement.order_by(decisions.c.decision_id), _BATCH):
            yield from (orjson.loads(record) for (record,) in rows)

    def sampled_answers(self, sample: Sample, until: datetime) -> Iterator[AnsweredOffer]:
        """Yield the answers to the sample's decisions as `answered_offers` does: nobody who refuses profiling now."""
        yield from self._answers(ANSWERED_OFFERS.where(sample.of(outcomes.c.decision_id)).params(until=until))
