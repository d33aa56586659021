"""How many customers of the whole base a rule is true for, asked of the event log's database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from recsys.domain.customer import AttributeValue
from recsys.domain.interaction import InteractionKind
from recsys.domain.protection import DELIVERED_FLAGS
from recsys.rules import Rule, ValueType
from recsys.storage.bound_log import BoundLog
from recsys.storage.protection_log import flag_holds
from recsys.storage.schema import customers, interactions

CONTACT_FACTS = frozenset(("channel", "direction", "sentiment"))
"""The names that are about a contact and not about the customer."""

_OF_CUSTOMER = ("kind", "language", "segment", "risk_level")
_MOVES = [kind.value for kind in (InteractionKind.HOLDING, InteractionKind.ACCEPTED, InteractionKind.CANCELLED)]
_SQLITE_TYPES = {
    ValueType.NUMBER: ("integer", "real"),
    ValueType.TEXT: ("text",),
    ValueType.BOOLEAN: ("true", "false"),
}


@dataclass(frozen=True, slots=True)
class AudienceSample:
    """A customer whom a rule is true for, and the facts that it names."""

    customer_id: str
    name: str | None
    facts: Mapping[str, AttributeValue]


class AudienceLog(BoundLog):
    """The audiences' part of the log."""

    def audience_size(
        self,
        rule: Rule,
        contact: Mapping[str, AttributeValue] | None = None,
        not_sales: Collection[str] = (),
    ) -> int:
        """Return for how many customers `rule`, a condition, is true: neither false nor unknown.

        The facts are those of `recsys.ranking.eligibility.rule_facts`, for a contact that is the same with
        everybody: `contact` may give `CONTACT_FACTS`, and what it leaves out is unknown. `not_sales` are the
        offers in the catalogue that are no sales; all others count as held. SQLite reads about one decimal in
        some thousands of JSON off by its last bit, so that an attribute may miss equality with that very number.
        """
        true_for = self._true_for(rule, contact or {}, not_sales)
        return self._connection.execute(select(func.count()).select_from(true_for.subquery())).scalar_one()

    def audience_samples(self, rule: Rule, most: int, not_sales: Collection[str] = ()) -> list[AudienceSample]:
        """Return the first customers by id for whom `rule` is true, with the facts it names."""
        found = self._true_for(rule, {}, not_sales).order_by("customer_id").limit(most)
        return [_sample(rule, row.customer_id, row.customer_name, row[2:]) for row in self._connection.execute(found)]

    def _true_for(self, rule: Rule, contact: Mapping[str, AttributeValue], not_sales: Collection[str]) -> Select[Any]:
        from recsys.rules.sql import to_sql

        facts = CustomerFacts(self._connection.dialect.name, contact, not_sales)
        named = _labels(rule)
        columns = [facts.column(name, kind).label(named[name]) for name, kind in rule.types.items()]
        # OFFSET 0 keeps the planner from computing a fact again wherever the rule names it.
        every = select(*facts.who, *columns).select_from(facts.source(rule.names)).offset(0).subquery("every_customer")
        condition = to_sql(rule, named, "sqlite" if facts.database == "sqlite" else "postgres")
        return select(every).where(literal_column(condition, Boolean))


def _labels(rule: Rule) -> dict[str, str]:
    return {name: f"fact_{number}" for number, name in enumerate(rule.types)}


def _sample(rule: Rule, customer_id: str, name: str | None, values: Sequence[Any]) -> AudienceSample:
    """Return a sample from the values in the order of the rule's names; SQLite gives JSON's truth values as 0 and 1."""
    facts = {
        fact: bool(value) if kind is ValueType.BOOLEAN and value is not None else value
        for (fact, kind), value in zip(rule.types.items(), values, strict=True)
    }
    return AudienceSample(customer_id, name, facts)


class CustomerFacts:
    """The columns that are a rule's facts, over the table of customers or, once a row, its parsed attributes."""

    def __init__(self, database: str, contact: Mapping[str, AttributeValue], not_sales: Collection[str]) -> None:
        self.database, self._contact = database, contact
        self._held = _held_counts(not_sales)
        self._customers: FromClause = customers
        if database != "sqlite":
            plain = [customers.c[name] for name in ("customer_id", "name", "flags", *_OF_CUSTOMER)]
            parsed = cast(customers.c.attributes, JSONB).label("attributes")
            self._customers = select(*plain, parsed).offset(0).subquery("known")

    @property
    def who(self) -> tuple[ColumnElement[Any], ...]:
        """The columns that tell whose facts they are."""
        return self._customers.c.customer_id, self._customers.c.name.label("customer_name")

    def source(self, names: frozenset[str]) -> FromClause:
        """Return what the columns of these names are taken from."""
        if "held_count" not in names:
            return self._customers
        return self._customers.outerjoin(self._held, self._held.c.customer_id == self._customers.c.customer_id)

    def column(self, name: str, kind: ValueType) -> ColumnElement[Any]:
        """Return the fact of this name and type, NULL where it is unknown."""
        if name in _OF_CUSTOMER:
            return self._customers.c[name]
        if name in DELIVERED_FLAGS:
            return flag_holds(name, self._customers.c.flags)
        if name in CONTACT_FACTS:
            value = self._contact.get(name)
            return null() if value is None else literal(value)
        if name == "held_count":
            return func.coalesce(self._held.c.held_count, 0)
        return self._sqlite_attribute(name, kind) if self.database == "sqlite" else self._attribute(name, kind)

    def _sqlite_attribute(self, name: str, kind: ValueType) -> ColumnElement[Any]:
        attributes, types = self._customers.c.attributes, _SQLITE_TYPES[kind]
        if '"' in name or "\\" in name:  # which a path cannot hold
            entry = func.json_each(attributes).table_valued("key", "value", "type")
            wanted = and_(entry.c.key == name, entry.c.type.in_(types))
            return select(entry.c.value).where(wanted).limit(1).scalar_subquery()
        path = f'$."{name}"'
        return case((func.json_type(attributes, path).in_(types), func.json_extract(attributes, path)))

    def _attribute(self, name: str, kind: ValueType) -> ColumnElement[Any]:
        value = self._customers.c.attributes[name]
        readings = {
            ValueType.NUMBER: ("number", value.as_float()),
            ValueType.TEXT: ("string", value.as_string()),
            ValueType.BOOLEAN: ("boolean", value.as_boolean()),
        }
        json_type, read = readings[kind]
        return case((func.jsonb_typeof(value) == json_type, read))


def _held_counts(not_sales: Collection[str]) -> Subquery:
    """Return how many offers each customer holds, as `recsys.domain.interaction.held_offers` finds them."""
    newest_first = (interactions.c.occurred_at.desc(), interactions.c.interaction_id.desc())
    age = func.row_number().over(
        partition_by=(interactions.c.customer_id, interactions.c.offer_id), order_by=newest_first
    )
    moves = (
        select(interactions.c.customer_id, interactions.c.kind, age.label("age"))
        .where(interactions.c.kind.in_(_MOVES), interactions.c.offer_id.not_in(not_sales))
        .subquery("moves")
    )
    is_held = and_(moves.c.age == 1, moves.c.kind != InteractionKind.CANCELLED.value)
    return (
        select(moves.c.customer_id, func.count().label("held_count"))
        .where(is_held)
        .group_by(moves.c.customer_id)
        .subquery("held")
    )
