"""Decisions as they were made and what customers answered, in the event log."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import BindParameter, Select, bindparam, case, exists, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from recsys.domain.errors import DecisionNotFound, IdempotencyKeyReused
from recsys.domain.interaction import InteractionKind
from recsys.domain.outcome import Answer, Outcome
from recsys.storage.bound_log import BoundLog
from recsys.storage.prepared import Prepared
from recsys.storage.protection_log import PROFILING_IN_FORCE
from recsys.storage.schema import acceptances, contacts, decisions, exposures, interactions, outcomes

_OUTCOME_FIELDS = tuple(field.name for field in fields(Outcome))
_RECORD_COLUMNS = (
    "decision_id",
    "contact_id",
    "customer_id",
    "model_version",
    "catalogue_version",
    "policy_version",
)
_INTERACTION_OF = {Answer.ACCEPTED: InteractionKind.ACCEPTED, Answer.DECLINED: InteractionKind.DECLINED}
_outcome = select(*(outcomes.c[name] for name in _OUTCOME_FIELDS))

_DECISION = select(decisions.c.record).where(decisions.c.decision_id == bindparam("decision_id"))
_ALL = select(decisions.c.record).order_by(decisions.c.decision_id)
_OF_CONTACT = (
    select(decisions.c.record)
    .where(decisions.c.contact_id == bindparam("contact_id"), decisions.c.sequence > bindparam("after_sequence"))
    .order_by(decisions.c.sequence)
)
_LATEST_OF_CONTACT = (
    select(decisions.c.record)
    .where(decisions.c.contact_id == bindparam("contact_id"))
    .order_by(decisions.c.sequence.desc())
    .limit(1)
)
_later = decisions.alias("later_in_contact")
_OPEN_LISTS = Prepared(
    select(decisions.c.contact_id, contacts.c.channel, decisions.c.record)
    .join(contacts, contacts.c.contact_id == decisions.c.contact_id)
    .where(
        decisions.c.customer_id == bindparam("customer_id"),
        decisions.c.made_at > bindparam("since"),
        contacts.c.closed_at.is_(None),
        ~exists().where(_later.c.contact_id == decisions.c.contact_id, _later.c.sequence > decisions.c.sequence),
    )
    .order_by(decisions.c.made_at)
)
_EXPOSURES = select(exposures).where(exposures.c.decision_id == bindparam("decision_id"))
_PITCHED = (
    select(exposures.c.offer_id)
    .join(decisions, decisions.c.decision_id == exposures.c.decision_id)
    .where(decisions.c.contact_id == bindparam("contact_id"), exposures.c.stage == "pitched")
)
_RECEIPT = select(outcomes.c.digest, outcomes.c.receipt).where(
    outcomes.c.idempotency_key == bindparam("idempotency_key")
)
_OUTCOMES_OF_CUSTOMER = (
    _outcome.where(outcomes.c.customer_id == bindparam("customer_id"))
    .order_by(outcomes.c.recorded_at.desc(), outcomes.c.outcome_id)
    .limit(bindparam("limit"))
)
_GIVEN = (
    select(outcomes.c.answer, outcomes.c.recorded_at, outcomes.c.receipt)
    .where(outcomes.c.decision_id == bindparam("decision_id"), outcomes.c.offer_id == bindparam("offer_id"))
    .order_by(outcomes.c.recorded_at, outcomes.c.outcome_id)
)
_OUTCOMES_OF_DECISION = _outcome.where(outcomes.c.decision_id == bindparam("decision_id")).order_by(
    outcomes.c.recorded_at, outcomes.c.outcome_id
)
_ANSWERED = select(outcomes.c.offer_id, outcomes.c.answer, func.count()).group_by("offer_id", "answer")
_CHANNEL = select(contacts.c.channel).where(contacts.c.contact_id == bindparam("answered_in")).scalar_subquery()
_PROFILING = PROFILING_IN_FORCE.subquery("profiling")
_REFUSERS = select(_PROFILING.c.customer_id).where(_PROFILING.c.granted.is_(False))
ANSWERED_OFFERS = (
    select(decisions.c.record, outcomes.c.offer_id, outcomes.c.answer, outcomes.c.recorded_at)
    .join_from(outcomes, decisions, outcomes.c.decision_id == decisions.c.decision_id)
    .where(outcomes.c.recorded_at <= bindparam("until"), outcomes.c.customer_id.not_in(_REFUSERS))
    .order_by(outcomes.c.recorded_at, outcomes.c.outcome_id)
)
_BATCH = 1_000
_ADD_DECISION = Prepared(insert(decisions), (*_RECORD_COLUMNS, "sequence", "made_at", "record"))
_ADD_OUTCOME = insert(outcomes).values(channel=_CHANNEL)
_OFFER_IDS: BindParameter[Sequence[str]] = bindparam("offer_ids", expanding=True)
_TODAY = case((acceptances.c.day == bindparam("today"), acceptances.c.accepted), else_=0)
_ACCEPTANCES = (
    select(acceptances.c.offer_id, func.sum(_TODAY), func.sum(acceptances.c.accepted))
    .where(acceptances.c.offer_id.in_(_OFFER_IDS))
    .group_by(acceptances.c.offer_id)
)
_ADD_INTERACTION = insert(interactions).values(channel=_CHANNEL)


@dataclass(frozen=True, slots=True)
class AnsweredOffer:
    """One answer with the record of the decision it was given to."""

    record: dict[str, Any]
    offer_id: str
    answer: Answer
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class OpenList:
    """What the latest decision of an open contact offers, best first, and the channel it can be answered on."""

    contact_id: str
    channel: str
    offer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer that was given to one offer of one decision, and the receipt for it."""

    answer: Answer
    recorded_at: datetime
    receipt: dict[str, Any]


class DecisionLog(BoundLog):
    """The decisions' and outcomes' part of the log."""

    def decision(self, decision_id: str) -> dict[str, Any]:
        """Return the record as it was stored; raises `DecisionNotFound`."""
        return _object(self.decision_text(decision_id))

    def decisions_of(self, contact_id: str, after_sequence: int = 0) -> list[dict[str, Any]]:
        """Return the contact's records numbered above `after_sequence`, in order."""
        rows = self._connection.execute(_OF_CONTACT, {"contact_id": contact_id, "after_sequence": after_sequence})
        return [_object(record) for (record,) in rows]

    def latest_decision(self, contact_id: str) -> dict[str, Any] | None:
        """Return the record of the contact's newest decision, if there is one."""
        record = self._connection.execute(_LATEST_OF_CONTACT, {"contact_id": contact_id}).scalar()
        return None if record is None else _object(record)

    def open_lists(self, customer_id: str, since: datetime) -> tuple[OpenList, ...]:
        """Return the latest list of each open contact of the customer, where it was made after `since`."""
        rows = _OPEN_LISTS.rows(self._connection, {"customer_id": customer_id, "since": since})
        return tuple(
            OpenList(contact_id, channel, tuple(offer["offer_id"] for offer in _object(record)["offers"]))
            for contact_id, channel, record in rows
        )

    def decision_text(self, decision_id: str) -> str:
        """Return the record's text, to the last byte as it was stored; raises `DecisionNotFound`."""
        text: str | None = self._connection.execute(_DECISION, {"decision_id": decision_id}).scalar()
        if text is None:
            raise DecisionNotFound(decision_id)
        return text

    def decision_texts(self, batch: int = 500) -> Iterator[str]:
        """Yield the text of every record in the order of their ids, without holding them all."""
        for rows in self.batches(_ALL, batch):
            yield from (text for (text,) in rows)

    def decisions_count(self) -> int:
        """Return how many decisions there are."""
        return self._connection.execute(select(func.count()).select_from(decisions)).scalar_one()

    def add_decision(self, record: Mapping[str, Any], sequence: int) -> None:
        """Store a decision's record; `made_at` in it is ISO 8601 text with a zone."""
        row = {name: record[name] for name in _RECORD_COLUMNS}
        row |= {"sequence": sequence, "made_at": datetime.fromisoformat(record["made_at"])}
        _ADD_DECISION.insert(self._connection, row | {"record": orjson.dumps(record).decode()})

    def add_exposure(self, decision_id: str, offer_id: str, stage: str, at: datetime) -> bool:
        """Note that an offer of a decision was `seen` or `pitched`; returns whether that is news."""
        row = {"decision_id": decision_id, "offer_id": offer_id, "stage": stage, "exposed_at": at}
        return self._connection.execute(_ADD_EXPOSURE[self._connection.dialect.name], row).first() is not None

    def exposures_of(self, decision_id: str) -> dict[tuple[str, str], datetime]:
        """Return when each offer of the decision was first seen and pitched, by (offer, stage)."""
        rows = self._connection.execute(_EXPOSURES, {"decision_id": decision_id})
        return {(row.offer_id, row.stage): row.exposed_at for row in rows}

    def pitched_in(self, contact_id: str) -> frozenset[str]:
        """Return the offers that were pitched in the contact, whichever of its decisions made them."""
        return frozenset(self._connection.execute(_PITCHED, {"contact_id": contact_id}).scalars())

    def outcome_receipt(self, idempotency_key: str) -> tuple[str, dict[str, Any]] | None:
        """Return the digest and the receipt first given under `idempotency_key`, if it was used."""
        row = self._connection.execute(_RECEIPT, {"idempotency_key": idempotency_key}).first()
        return None if row is None else (row[0], _object(row[1]))

    def outcomes_of(self, customer_id: str, limit: int) -> tuple[Outcome, ...]:
        """Return the customer's outcomes, newest first."""
        rows = self._connection.execute(_OUTCOMES_OF_CUSTOMER, {"customer_id": customer_id, "limit": limit})
        return tuple(_to_outcome(row) for row in rows)

    def answers_given(self, decision_id: str, offer_id: str) -> tuple[GivenAnswer, ...]:
        """Return what was answered to this offer of this decision, oldest first."""
        rows = self._connection.execute(_GIVEN, {"decision_id": decision_id, "offer_id": offer_id})
        return tuple(GivenAnswer(Answer(answer), at, _object(receipt)) for answer, at, receipt in rows)

    def outcomes_of_decision(self, decision_id: str) -> tuple[Outcome, ...]:
        """Return the decision's outcomes, oldest first."""
        rows = self._connection.execute(_OUTCOMES_OF_DECISION, {"decision_id": decision_id})
        return tuple(_to_outcome(row) for row in rows)

    def answered_offers(self, until: datetime) -> Iterator[AnsweredOffer]:
        """Yield every answer recorded up to `until` with its decision's record, oldest first, without holding them all.

        Nobody who refuses profiling now is among them; who refused when the decision was made, the record says.
        """
        yield from self._answers(ANSWERED_OFFERS.params(until=until))

    def _answers(self, statement: Select[Any]) -> Iterator[AnsweredOffer]:
        for batch in self.batches(statement, _BATCH):
            for row in batch:
                yield AnsweredOffer(_object(row.record), row.offer_id, Answer(row.answer), row.recorded_at)

    def answer_totals(self) -> dict[str, dict[Answer, int]]:
        """Return how often each offer was given each answer, over all time; what was not pitched is no answer."""
        totals: dict[str, dict[Answer, int]] = {}
        for offer_id, answer, count in self._connection.execute(_ANSWERED):
            if answer != Answer.NOT_PITCHED:
                totals.setdefault(offer_id, {})[Answer(answer)] = count
        return totals

    def acceptances(self, offer_ids: Sequence[str], today: date) -> dict[str, tuple[int, int]]:
        """Return how often each of these offers was accepted (today, ever), by everybody."""
        rows = self._connection.execute(_ACCEPTANCES, {"offer_ids": list(offer_ids), "today": today})
        return {offer_id: (int(of_today), int(ever)) for offer_id, of_today, ever in rows}

    def count_acceptance(self, offer_id: str, today: date) -> tuple[int, int]:
        """Count one more acceptance and return how many there are with it (today, ever).

        Whoever counts at the same moment waits until this transaction has ended, so that a cap that is
        checked against what is returned holds over all customers.
        """
        self.hold(f"nbo:acceptances:{offer_id}")  # a row a day alone would let two days count past each other
        add = _ADD_ACCEPTANCE[self._connection.dialect.name]
        self._connection.execute(add, {"offer_id": offer_id, "day": today, "accepted": 1})
        return self.acceptances([offer_id], today)[offer_id]

    def add_outcome(self, outcome: Outcome, idempotency_key: str, digest: str, receipt: Mapping[str, Any]) -> None:
        """Store an answer once; accepted and declined ones also become part of the customer's history.

        Every answer but `not_pitched` tells that the offer was pitched, too.

        Ask `outcome_receipt` first, in the same transaction: a second use of `idempotency_key` raises
        `IdempotencyKeyReused` (so does one at the same moment, for another customer).
        """
        row: dict[str, Any] = {name: getattr(outcome, name) for name in _OUTCOME_FIELDS}
        row["answered_in"] = outcome.contact_id
        row |= {"idempotency_key": idempotency_key, "digest": digest, "receipt": orjson.dumps(receipt).decode()}
        try:
            self._connection.execute(_ADD_OUTCOME, row)
        except IntegrityError as error:
            if "idempotency_key" in str(error.orig):
                raise IdempotencyKeyReused from error
            raise
        if outcome.answer is not Answer.NOT_PITCHED:
            self.add_exposure(outcome.decision_id, outcome.offer_id, "pitched", outcome.recorded_at)
        if (kind := _INTERACTION_OF.get(outcome.answer)) is not None:
            event = {
                "customer_id": outcome.customer_id,
                "offer_id": outcome.offer_id,
                "occurred_at": outcome.recorded_at,
                "kind": kind,
                "answered_in": outcome.contact_id,
                "weight": 1.0,
                "outcome_id": outcome.outcome_id,
            }
            self._connection.execute(_ADD_INTERACTION, event)


def _counting(insert_into: Any) -> Any:
    add = insert_into(acceptances)
    return add.on_conflict_do_update(
        index_elements=["offer_id", "day"], set_={"accepted": acceptances.c.accepted + add.excluded.accepted}
    )


_ADD_EXPOSURE = {
    "sqlite": sqlite.insert(exposures).on_conflict_do_nothing().returning(exposures.c.stage),
    "postgresql": postgresql.insert(exposures).on_conflict_do_nothing().returning(exposures.c.stage),
}
_ADD_ACCEPTANCE = {"sqlite": _counting(sqlite.insert), "postgresql": _counting(postgresql.insert)}


def _object(text: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(text)
    return document


def _to_outcome(row: Any) -> Outcome:
    outcome_id, decision_id, contact_id, customer_id, offer_id, answer, *rest = row
    return Outcome(outcome_id, decision_id, contact_id, customer_id, offer_id, Answer(answer), *rest)
