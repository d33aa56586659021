"""Everybody at once: customers, consents and what they did, read from the event log in large batches."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    String,
    any_,
    cast,
    extract,
    func,
    literal,
    not_,
    select,
    true,
    union_all,
)

from recsys.domain.interaction import InteractionKind
from recsys.domain.outcome import Answer
from recsys.storage.bound_log import BoundLog
from recsys.storage.contact_log import is_settled
from recsys.storage.customer_log import IS_LAST_WORD
from recsys.storage.protection_log import IN_FORCE
from recsys.storage.schema import contacts, customers, interactions, outcomes

_BATCH = 50_000
_FACTS = ("kind", "language", "segment", "risk_level", "flags")

Rows = Iterator[Sequence[Any]]
"""Batches of rows."""
Ids = Sequence[str] | None
"""The customers to read about; None: everybody."""


class CustomerBaseLog(BoundLog):
    """The part of the log that reads about all customers; moments come as microseconds since 1970."""

    def customer_ids(self) -> list[str]:
        """Return the ids of all customers, in order."""
        return list(
            self._connection.execute(select(customers.c.customer_id).order_by(customers.c.customer_id)).scalars()
        )

    def everybody(self, of: Ids = None) -> Rows:
        """Yield (customer_id, kind, language, segment, risk_level, flags and attributes as JSON text) by id."""
        columns = (customers.c.customer_id, *(customers.c[name] for name in _FACTS), customers.c.attributes)
        wanted = self._is_one(customers.c.customer_id, of)
        return self.batches(select(*columns).where(wanted).order_by(customers.c.customer_id), _BATCH)

    def all_consents(self, of: Ids = None) -> Rows:
        """Yield (customer_id, subject, value) of every statement of the ledger of protections that is in force."""
        columns = IN_FORCE.c.customer_id, IN_FORCE.c.subject, IN_FORCE.c.value
        return self.batches(select(*columns).where(self._is_one(IN_FORCE.c.customer_id, of)), _BATCH)

    def all_interactions(self, until: datetime, of: Ids = None) -> Rows:
        """Yield (customer_id, offer_id, occurred_at, kind, weight); at the same moment, in the order of entry."""
        at = self._microseconds(interactions.c.occurred_at)
        columns = interactions.c.customer_id, interactions.c.offer_id, at, interactions.c.kind, interactions.c.weight
        within = interactions.c.occurred_at <= until, self._is_one(interactions.c.customer_id, of)
        return self.batches(select(*columns).where(*within).order_by(interactions.c.interaction_id), _BATCH)

    def all_answers(self, until: datetime, of: Ids = None) -> Rows:
        """Yield (customer_id, offer_id, answer, answered_at, channel): outcomes and imported declines.

        As `CustomerLog.answers`, "later" that was taken up is left out.
        """
        given = (
            select(
                outcomes.c.customer_id,
                outcomes.c.offer_id,
                outcomes.c.answer,
                self._microseconds(outcomes.c.recorded_at),
                func.coalesce(outcomes.c.channel, contacts.c.channel),
            )
            .join(contacts, contacts.c.contact_id == outcomes.c.contact_id)
            .where(outcomes.c.recorded_at <= until, IS_LAST_WORD, self._is_one(outcomes.c.customer_id, of))
        )
        imported = select(
            interactions.c.customer_id,
            interactions.c.offer_id,
            literal(Answer.DECLINED.value),
            self._microseconds(interactions.c.occurred_at),
            interactions.c.channel,
        ).where(
            interactions.c.occurred_at <= until,
            interactions.c.kind == InteractionKind.DECLINED.value,
            interactions.c.outcome_id.is_(None),
            self._is_one(interactions.c.customer_id, of),
        )
        return self.batches(select(union_all(given, imported).subquery()), _BATCH)

    def open_complaints(self, until: datetime) -> Rows:
        """Yield (customer_id, opened_at, reason) of every complaint that is not settled."""
        columns = contacts.c.customer_id, self._microseconds(contacts.c.opened_at), contacts.c.reason
        unsettled = contacts.c.is_complaint, not_(is_settled), contacts.c.opened_at <= until
        return self.batches(select(*columns).where(*unsettled), _BATCH)

    def _is_one(self, customer: ColumnElement[str], of: Ids) -> ColumnElement[bool]:
        """Return the condition that it is one of these customers, who are one value to the database."""
        if of is None:
            return true()
        if self._connection.dialect.name == "sqlite":
            ids = func.json_each(orjson.dumps(list(of)).decode()).table_valued("value")
            return customer.in_(select(ids.c.value))
        return customer == any_(literal(list(of), ARRAY(String)))

    def _microseconds(self, moment: ColumnElement[Any]) -> ColumnElement[int]:
        """Return a moment as a whole number: making a datetime of each takes longer than reading it."""
        if self._connection.dialect.name == "sqlite":
            seconds = cast(func.strftime("%s", moment), Integer)
            return seconds * 1_000_000 + cast(func.substr(moment, 21), Integer)
        return cast(extract("epoch", moment) * 1_000_000, BigInteger)
