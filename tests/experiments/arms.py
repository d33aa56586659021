"""Arms for tests: totals from counts, and random ones whose units are known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.arm_totals import ArmTotals, FloatArray
from experiments.comparison import Comparison, MetricKind, Stratum, compare
from experiments.effects import absolute_effect, difference_of_shares, relative_effect
from experiments.estimate import Estimate, Plan

BINARY, MEAN, RATIO = MetricKind.BINARY, MetricKind.MEAN, MetricKind.RATIO


class Unit(NamedTuple):
    """The columns of random units: outcome y, denominator below, covariates x (n, 2)."""

    y: FloatArray
    below: FloatArray
    x: FloatArray


def an_arm(successes: float, n: int) -> ArmTotals:
    """The totals of n units of which some succeeded."""
    return ArmTotals(n, np.array([float(successes)]), np.array([[float(successes)]]))


def shares(control: tuple[int, int], treatment: tuple[int, int]) -> Stratum:
    """Two arms, each as (successes, units)."""
    return Stratum(an_arm(*control), an_arm(*treatment))


def random_units(rng: np.random.Generator, effect: float = 0.3) -> tuple[Unit, Unit]:
    """Control's and treatment's units: skewed, of unequal sizes and spreads, and depending on the covariates."""
    arms = []
    for shift, scale in ((0.0, 1.0), (effect, rng.uniform(0.5, 2))):
        n = int(rng.integers(60, 400))
        x = rng.normal(size=(n, 2)) * [1.0, 30.0]
        y = 5 + shift + x @ [0.8, 0.01] + scale * (rng.gamma(2.0, size=n) - 2)
        arms.append(Unit(y, rng.poisson(2 + 0.5 * np.clip(y, 0, None)) + np.ones(n), x))
    return arms[0], arms[1]


def stratum(units: tuple[Unit, Unit], *columns: str) -> Stratum:
    """The totals of units over the named columns; x stands for both covariates."""
    return Stratum(*(ArmTotals.of(*_columns(arm, columns)) for arm in units))


def _columns(arm: Unit, names: tuple[str, ...]) -> list[NDArray[np.float64]]:
    return [column for name in names for column in np.atleast_2d(getattr(arm, name).T)]


def effect_of(
    arms: Stratum, kind: MetricKind, alpha: float = 0.05, planned_n: int | None = None
) -> tuple[Estimate, Estimate]:
    """The absolute and the relative effect of one epoch, where there is a relative one."""
    plan, comparison = Plan(planned_n or arms.n, alpha), compare(arms, kind)
    absolute = difference_of_shares(comparison, [arms], plan) if kind is BINARY else absolute_effect(comparison, plan)
    relative = relative_effect(comparison, absolute, plan)
    assert relative is not None
    return absolute, relative


def known(control: float, treatment: float, variances: tuple[float, float], covariance: float = 0.0) -> Comparison:
    """Two values whose variances are known."""
    return Comparison(1_000, control, treatment, *variances, covariance, np.inf)
