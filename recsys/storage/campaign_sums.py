"""The totals of a campaign counted from all of its units in SQL, as `CampaignUnit` computes its variables."""

from collections.abc import Sequence
from datetime import date
from functools import reduce
from operator import mul
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, Subquery, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from recsys.domain.campaign_unit import COUNTS, EVERYONE, STAGES
from recsys.rules import ValueType
from recsys.storage.audience_log import CustomerFacts
from recsys.storage.schema import campaign_units

CELL = ("epoch", "arm", "day", "agent_id")
_UNITS = campaign_units.c


def counted_totals(campaign_id: str, products: Sequence[str], database: str) -> Select[Any]:
    """Return the query of `CELL` and the sums of these products, by the names that `product_name` gives them."""
    units, sums = _summed(campaign_id, products, database)
    keys = [units.c[name] for name in CELL]
    return select(*keys, *sums).group_by(*keys)


def segment_totals(
    campaign_id: str, until: date, column: tuple[str, ValueType], products: Sequence[str], database: str
) -> Select[Any]:
    """Return the query of (epoch, arm, value) and these sums over the units assigned up to the day `until`.

    `value` is what is now known of the customer in the column of this name and type, NULL where nothing is.
    """
    units, sums = _summed(campaign_id, products, database, until)
    facts = CustomerFacts(database, {}, ())
    known = facts.source(frozenset({column[0]}))
    customers = (
        select(known.c.customer_id, facts.column(*column).label("value")).select_from(known).subquery("known_of")
    )
    keys = (units.c.epoch, units.c.arm, customers.c.value)
    joined = units.join(customers, customers.c.customer_id == units.c.customer_id)
    return select(*keys, *sums).select_from(joined).group_by(*keys)


def _summed(
    campaign_id: str, products: Sequence[str], database: str, until: date | None = None
) -> tuple[Subquery, list[ColumnElement[Any]]]:
    """Return the units of a campaign with all variables, and the sums over them."""
    named = sorted({name for product in products for name in product.split("*")})
    variables = [_variable(name, database).label(f"v{place}") for place, name in enumerate(named)]
    cell = [_UNITS[name] for name in ("customer_id", *CELL)]
    wanted = select(*cell, *variables).where(_UNITS.campaign_id == campaign_id)
    if until is not None:
        wanted = wanted.where(_UNITS.day <= until)
    # OFFSET 0 keeps the planner from computing a variable again in every product.
    units = wanted.offset(0).subquery("units")
    column = {name: units.c[f"v{place}"] for place, name in enumerate(named)}
    return units, [func.sum(reduce(mul, (column[name] for name in product.split("*")))) for product in products]


def _variable(name: str, database: str) -> ColumnElement[Any]:
    if name == EVERYONE:
        return literal(1.0)
    if name in COUNTS:
        return _UNITS[name]
    if name in STAGES:
        return _indicator(_UNITS[f"{name}_at"].is_not(None))
    kind, _, rest = name.partition("_")
    if kind == "any":
        return _indicator(_UNITS[rest] > 0)
    value = _covariate(name.removeprefix("no_").removeprefix("x_"), database)
    return func.coalesce(value, 0.0) if kind == "x" else _indicator(value.is_(None))


def _indicator(condition: ColumnElement[bool]) -> ColumnElement[float]:
    return case((condition, 1.0), else_=0.0)


def _covariate(name: str, database: str) -> ColumnElement[Any]:
    if database == "sqlite":
        return func.json_extract(_UNITS.covariates, f'$."{name}"')
    return cast(cast(_UNITS.covariates, JSONB)[name].astext, Double)
