"""The variables of a campaign's units in SQL, the same as `CampaignUnit` computes them."""

from typing import Any

from sqlalchemy import ColumnElement, Double, case, cast, func, literal
from sqlalchemy.dialects.postgresql import JSONB

from recsys.domain.campaign_unit import COUNTS, EVERYONE, STAGES
from recsys.storage.schema import campaign_units

_UNITS = campaign_units.c


def sum_of(product: str, database: str) -> ColumnElement[float]:
    """Return the sum over units of a product, by the name of `product_name`."""
    first, *others = (_variable(name, database) for name in product.split("*"))
    for other in others:
        first = first * other
    return func.sum(first)


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
