"""Customers, their consents and what they did, in the event log."""

from collections.abc import Mapping
from datetime import datetime

import orjson
from sqlalchemy import BindParameter, bindparam, delete, exists, func, insert, literal, or_, select, union_all

from recsys.domain.customer import Consents, Customer, CustomerKind
from recsys.domain.errors import CustomerNotFound
from recsys.domain.identifier import alike
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.protection import Statement
from recsys.storage.contact_log import OPEN_COMPLAINT
from recsys.storage.prepared import Prepared
from recsys.storage.protection_log import STATEMENT_ORDER, ProtectionLog
from recsys.storage.schema import (
    attribute_types,
    contacts,
    customer_versions,
    customers,
    interactions,
    outcomes,
    protections,
)

_CUSTOMER_FIELDS = (
    "customer_id",
    "kind",
    "name",
    "language",
    "segment",
    "risk_level",
)
_ID: BindParameter[str] = bindparam("customer_id")

_CUSTOMER = Prepared(
    select(
        *(customers.c[name] for name in _CUSTOMER_FIELDS),
        customers.c.flags,
        customers.c.attributes,
        OPEN_COMPLAINT.where(contacts.c.customer_id == customers.c.customer_id).correlate(customers).scalar_subquery(),
        select(func.max(customer_versions.c.version_id))
        .where(customer_versions.c.customer_id == customers.c.customer_id)
        .correlate(customers)
        .scalar_subquery(),
        protections.c.subject,
        protections.c.value,
    )
    .outerjoin(protections, protections.c.customer_id == customers.c.customer_id)
    .where(customers.c.customer_id == _ID)
    .order_by(*STATEMENT_ORDER)
)

_HISTORY = Prepared(
    select(
        interactions.c.customer_id,
        interactions.c.offer_id,
        interactions.c.occurred_at,
        interactions.c.kind,
        interactions.c.channel,
        interactions.c.weight,
    )
    .where(
        interactions.c.customer_id == _ID,
        or_(interactions.c.occurred_at <= bindparam("until"), interactions.c.outcome_id.is_not(None)),
    )
    .order_by(interactions.c.occurred_at, interactions.c.interaction_id)
)
_accepted = outcomes.alias("accepted")
_is_taken_up = exists().where(
    _accepted.c.decision_id == outcomes.c.decision_id,
    _accepted.c.offer_id == outcomes.c.offer_id,
    _accepted.c.answer == Answer.ACCEPTED.value,
)
IS_LAST_WORD = or_(outcomes.c.answer != Answer.LATER.value, ~_is_taken_up)
"""Whether an outcome stands for a conversation: "later" does until the same offer of the decision is accepted."""
_ANSWERS = union_all(
    select(
        outcomes.c.offer_id,
        outcomes.c.answer,
        outcomes.c.recorded_at.label("answered_at"),
        func.coalesce(outcomes.c.channel, contacts.c.channel),
    )
    .join(contacts, contacts.c.contact_id == outcomes.c.contact_id)
    .where(outcomes.c.customer_id == _ID, outcomes.c.recorded_at >= bindparam("since"), IS_LAST_WORD),
    select(
        interactions.c.offer_id, literal(Answer.DECLINED.value), interactions.c.occurred_at, interactions.c.channel
    ).where(
        interactions.c.customer_id == _ID,
        interactions.c.occurred_at >= bindparam("since"),
        interactions.c.occurred_at <= bindparam("until"),
        interactions.c.kind == InteractionKind.DECLINED.value,
        interactions.c.outcome_id.is_(None),
    ),
).order_by("answered_at")
_ANSWERS_SINCE = Prepared(_ANSWERS)
_FROM = (
    select(customers.c.customer_id)
    .where(customers.c.customer_id >= bindparam("first"), customers.c.customer_id < bindparam("behind"))
    .order_by(customers.c.customer_id)
    .limit(bindparam("limit"))
)
_BEHIND_ALL = "\U0010ffff"
_ATTRIBUTE_TYPES = select(attribute_types.c.name, attribute_types.c.type).order_by(attribute_types.c.name)
_ADD_CUSTOMER = insert(customers)
_ALIKE = (
    select(customers.c.customer_id)
    .where(customers.c.alike == bindparam("alike"), customers.c.customer_id != _ID)
    .order_by(customers.c.customer_id)
    .limit(10)
)
NO_FLAGS: frozenset[str] = frozenset()


class CustomerLog(ProtectionLog):
    """The customer's part of the log."""

    def customer(self, customer_id: str) -> Customer:
        """Return the customer with the consents in force; raises `CustomerNotFound`."""
        return self.customer_and_complaint(customer_id)[0]

    def customer_and_complaint(self, customer_id: str) -> tuple[Customer, datetime | None]:
        """Return the customer and since when a complaint of theirs is open, if there is one, in one statement.

        A complaint is open until its contact is closed with `SATISFIED_CSAT`. Raises `CustomerNotFound`.
        """
        customer, complaint, _ = self.customer_as_known(customer_id)
        return customer, complaint

    def customer_as_known(self, customer_id: str) -> tuple[Customer, datetime | None, int]:
        """Return also the latest version of the customer's facts that an import has added; 0 for none."""
        rows = _CUSTOMER.rows(self._connection, {"customer_id": customer_id})
        if not rows:
            raise CustomerNotFound(customer_id)
        _, kind, name, language, segment, risk, flags, attributes, complaint, version, *_ = rows[0]
        in_force = {subject: value for *_, subject, value in rows if subject in Consents.__slots__}
        customer = Customer(
            customer_id,
            CustomerKind(kind),
            name,
            language,
            segment,
            risk,
            NO_FLAGS if flags == "[]" else frozenset(orjson.loads(flags)),
            orjson.loads(attributes),
            Consents(**in_force),
        )
        return customer, complaint, version or 0

    def facts_version(self) -> int:
        """Return the latest version of any customer's facts that an import has added; 0 for none."""
        return self._connection.execute(select(func.max(customer_versions.c.version_id))).scalar() or 0

    def customers_starting_with(self, text: str, limit: int) -> list[str]:
        """Return the first ids that start with this text, in order."""
        first = {"first": text, "behind": text + _BEHIND_ALL, "limit": limit}
        return list(self._connection.execute(_FROM, first).scalars())

    def history(self, customer_id: str, until: datetime) -> tuple[Interaction, ...]:
        """Return what the customer did, oldest first: imports may know what is yet to come after `until`.

        What was answered to this service is never left out, whatever the clock of the process that recorded it.
        """
        rows = _HISTORY.rows(self._connection, {"customer_id": customer_id, "until": until})
        return tuple(
            Interaction(customer, offer, occurred_at, InteractionKind(kind), channel, weight)
            for customer, offer, occurred_at, kind, channel, weight in rows
        )

    def answers(self, customer_id: str, since: datetime, until: datetime) -> tuple[PastAnswer, ...]:
        """Return the customer's answers from `since` on, oldest first: outcomes, and declines imported up to `until`.

        "Later" and the acceptance that followed it in the same decision are one conversation: the acceptance.
        """
        rows = _ANSWERS_SINCE.rows(self._connection, {"customer_id": customer_id, "since": since, "until": until})
        return tuple(PastAnswer(offer, Answer(answer), at, channel) for offer, answer, at, channel in rows)

    def attribute_types(self) -> dict[str, str]:
        """Return the type (`number`, `text`, `boolean`) of every customer attribute by name."""
        return {row.name: row.type for row in self._connection.execute(_ATTRIBUTE_TYPES)}

    def add_customer(self, customer: Customer, recorded_at: datetime) -> None:
        """Add a customer that is not there yet, the given consents included (source `registration`)."""
        row: dict[str, object] = {name: getattr(customer, name) for name in _CUSTOMER_FIELDS}
        row |= {"attributes": orjson.dumps(dict(customer.attributes)).decode(), "recorded_at": recorded_at}
        self._connection.execute(_ADD_CUSTOMER, row | {"alike": alike(customer.customer_id)})
        given = {purpose: getattr(customer.consents, purpose) for purpose in Consents.__slots__}
        for subject, value in {**given, **dict.fromkeys(sorted(customer.flags), True)}.items():
            if value is not None:
                statement = Statement(subject, value, recorded_at, recorded_at, "registration")
                self.add_statement(customer.customer_id, statement)

    def customers_alike(self, customer_id: str) -> list[str]:
        """Return the other customers whose ids a person may take for this one."""
        found = self._connection.execute(_ALIKE, {"alike": alike(customer_id), "customer_id": customer_id})
        return list(found.scalars())

    def set_attribute_types(self, types: Mapping[str, str]) -> None:
        """Make `types` the types of the customer attributes."""
        self._connection.execute(delete(attribute_types))
        if types:
            rows = [{"name": name, "type": type_} for name, type_ in types.items()]
            self._connection.execute(insert(attribute_types), rows)
