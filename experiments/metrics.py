"""What a campaign can be measured by: a fixed set of metrics, and which totals each of them needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations_with_replacement

import numpy as np

from experiments.arm_totals import ArmTotals
from experiments.comparison import MetricKind
from recsys.domain.campaign_unit import EVERYONE, STAGES, product_name

PITCHED = "pitched"


class Wanted(StrEnum):
    """Which direction is good."""

    INCREASE = "increase"
    DECREASE = "decrease"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric over the customers of an arm: `of` is a variable of `CampaignUnit`, `over` a ratio's denominator."""

    name: str
    kind: MetricKind
    wanted: Wanted
    of: str
    over: str | None = None

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcome, and for a ratio its denominator after it."""
        return (self.of,) if self.over is None else (self.of, self.over)


_BINARY, _MEAN, _RATIO = MetricKind
_UP, _DOWN = Wanted
METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accepted", _BINARY, _UP, "any_campaign_acceptances"),  # an offer that the campaign is about
        Metric("sold", _BINARY, _UP, "any_sales"),  # any offer that is a sale
        Metric("sales", _MEAN, _UP, "sales"),
        Metric("acceptances", _MEAN, _UP, "acceptances"),
        Metric("value", _MEAN, _UP, "value"),  # net margin of what was accepted
        Metric("acceptance_rate", _RATIO, _UP, "acceptances", "answers"),
        Metric("declined", _BINARY, _DOWN, "any_declines"),
        Metric("csat", _RATIO, _UP, "csat_total", "csat_ratings"),
        Metric("complained", _BINARY, _DOWN, "any_complaints"),
        Metric("handling_seconds", _RATIO, _DOWN, "handling_seconds", "contacts"),  # of a contact
        Metric("contacts", _MEAN, _DOWN, "contacts"),
    )
}
"""By name; every one is over all customers assigned, whether or not anything was pitched to them."""


def covariate_variables(covariates: Sequence[str]) -> tuple[str, ...]:
    """Return the variables of covariates: each as its value, 0 where unknown, and whether it is unknown."""
    return tuple(f"{prefix}_{name}" for name in covariates for prefix in ("x", "no_x"))


def kept_products(metrics: Sequence[str], covariates: Sequence[str]) -> tuple[str, ...]:
    """Return every product that results on these metrics are computed from: the totals a campaign keeps."""
    known = covariate_variables(covariates)
    products = {product_name(EVERYONE, stage) for stage in STAGES} | set(_products(known))
    for name in metrics:
        products |= {*_products((*METRICS[name].outcomes, *known)), *_products((METRICS[name].of, PITCHED))}
    return tuple(sorted(products))


def products_for(variables: Sequence[str]) -> tuple[str, ...]:
    """Return the products that `arm_totals` of these variables needs."""
    return tuple(sorted(set(_products(variables))))


def arm_totals(totals: Mapping[str, float], variables: Sequence[str]) -> ArmTotals:
    """Return one cell's totals over these variables in their order, from its products by name (absent: 0)."""
    d = len(variables)
    names = (EVERYONE, *variables)
    table = np.array([[totals.get(product_name(first, second), 0.0) for second in names] for first in names])
    return ArmTotals(round(table[0, 0]), table[0, 1:].reshape(d), table[1:, 1:].reshape(d, d))


def _products(variables: Sequence[str]) -> Iterator[str]:
    for first, second in combinations_with_replacement((EVERYONE, *variables), 2):
        yield product_name(first, second)
