"""Everybody at once: customers, consents and what they did, read from the event log in large batches."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, cast, extract, func, literal, not_, select, union_all

from recsys.domain.interaction import InteractionKind
from recsys.domain.outcome import Answer
from recsys.storage.bound_log import BoundLog
from recsys.storage.contact_log import COMPLAINT, is_settled
from recsys.storage.schema import consents, contacts, customers, interactions, outcomes

_BATCH = 50_000
_FACTS = ("kind", "language", "segment", "risk_level", "vulnerable", "arrears", "do_not_contact")

Rows = Iterator[Sequence[Any]]
"""Batches of rows."""


class CustomerBaseLog(BoundLog):
    """The part of the log that reads about all customers; moments come as microseconds since 1970."""

    def customer_ids(self) -> list[str]:
        """Return the ids of all customers, in order."""
        return list(
            self._connection.execute(select(customers.c.customer_id).order_by(customers.c.customer_id)).scalars()
        )

    def everybody(self) -> Rows:
        """Yield (customer_id, kind, language, segment, risk_level, three flags, attributes as JSON text) by id."""
        columns = (customers.c.customer_id, *(customers.c[name] for name in _FACTS), customers.c.attributes)
        return self.batches(select(*columns).order_by(customers.c.customer_id), _BATCH)

    def all_consents(self) -> Rows:
        """Yield (customer_id, purpose, granted); of several the last is in force."""
        columns = consents.c.customer_id, consents.c.purpose, consents.c.granted
        return self.batches(select(*columns).order_by(consents.c.consent_id), _BATCH)

    def all_interactions(self, until: datetime) -> Rows:
        """Yield (customer_id, offer_id, occurred_at, kind, weight); at the same moment, in the order of entry."""
        at = self._microseconds(interactions.c.occurred_at)
        columns = interactions.c.customer_id, interactions.c.offer_id, at, interactions.c.kind, interactions.c.weight
        within = interactions.c.occurred_at <= until
        return self.batches(select(*columns).where(within).order_by(interactions.c.interaction_id), _BATCH)

    def all_answers(self, until: datetime) -> Rows:
        """Yield (customer_id, offer_id, answer, answered_at, channel): outcomes and imported declines."""
        given = (
            select(
                outcomes.c.customer_id,
                outcomes.c.offer_id,
                outcomes.c.answer,
                self._microseconds(outcomes.c.recorded_at),
                func.coalesce(outcomes.c.channel, contacts.c.channel),
            )
            .join(contacts, contacts.c.contact_id == outcomes.c.contact_id)
            .where(outcomes.c.recorded_at <= until)
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
        )
        return self.batches(select(union_all(given, imported).subquery()), _BATCH)

    def open_complaints(self, until: datetime) -> Rows:
        """Yield (customer_id, opened_at) of the latest complaint that is not settled, of who has one."""
        at = self._microseconds(func.max(contacts.c.opened_at))
        unsettled = contacts.c.reason == COMPLAINT, not_(is_settled), contacts.c.opened_at <= until
        return self.batches(
            select(contacts.c.customer_id, at).where(*unsettled).group_by(contacts.c.customer_id), _BATCH
        )

    def _microseconds(self, moment: ColumnElement[Any]) -> ColumnElement[int]:
        """Return a moment as a whole number: making a datetime of each takes longer than reading it."""
        if self._connection.dialect.name == "sqlite":
            seconds = cast(func.strftime("%s", moment), Integer)
            return seconds * 1_000_000 + cast(func.substr(moment, 21), Integer)
        return cast(extract("epoch", moment) * 1_000_000, BigInteger)
