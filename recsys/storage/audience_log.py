"""How many customers of the whole base a rule is true for, asked of the event log's database."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Float,
    Select,
    String,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from recsys.domain.customer import AttributeValue
from recsys.domain.interaction import InteractionKind
from recsys.rules import Rule, ValueType
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import customers, interactions

CONTACT_FACTS = frozenset(("channel", "direction", "sentiment"))
"""The names that are about a contact and not about the customer."""

_OF_CUSTOMER = frozenset(("kind", "language", "segment", "risk_level", "vulnerable", "arrears", "do_not_contact"))
_MOVES = (InteractionKind.HOLDING, InteractionKind.ACCEPTED, InteractionKind.CANCELLED)


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
        offers in the catalogue that are no sales; all others count as held.
        """
        from recsys.rules.sql import to_sql

        dialect = self._connection.dialect
        facts = _facts(rule.types, contact or {}, not_sales, dialect).subquery("facts")
        columns = {name: dialect.identifier_preparer.quote_identifier(name) for name in rule.types}
        condition = to_sql(rule, columns, "sqlite" if dialect.name == "sqlite" else "postgres")
        counted = select(func.count()).select_from(facts).where(literal_column(condition))
        return self._connection.execute(counted).scalar_one()


def _facts(
    types: Mapping[str, ValueType], contact: Mapping[str, AttributeValue], not_sales: Collection[str], dialect: Dialect
) -> Select[Any]:
    """Return the query of these facts of every customer, a column each; computed once a row, thanks to OFFSET."""
    source = customers
    found: list[ColumnElement[Any]] = [literal(1)]
    held = None
    for name, kind in types.items():
        if name in _OF_CUSTOMER:
            found.append(customers.c[name].label(name))
        elif name in CONTACT_FACTS:
            found.append(_constant(contact.get(name), kind).label(name))
        elif name == "held_count":
            held = _held_counts(not_sales)
            found.append(func.coalesce(held.c.held_count, 0).label(name))
        else:
            attribute = _sqlite_attribute if dialect.name == "sqlite" else _postgresql_attribute
            found.append(attribute(name, kind).label(name))
    facts = select(*found)
    if held is not None:
        return facts.select_from(source.outerjoin(held, held.c.customer_id == customers.c.customer_id)).offset(0)
    return facts.select_from(source).offset(0)
