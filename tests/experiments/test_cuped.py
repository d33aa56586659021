"""CUPED: narrower where the past tells, harmless where it does not."""

import numpy as np
import pytest

from experiments import cuped
from experiments.arm_totals import ArmTotals
from experiments.comparison import Comparison, Stratum, compare
from experiments.effects import absolute_effect, relative_effect
from experiments.estimate import Plan
from tests.experiments.arms import MEAN, RATIO, random_units, stratum


def adjusted(arms: Stratum, covariates: int) -> Comparison:
    return compare(arms, MEAN, cuped.slopes(arms, MEAN, covariates))


def test_the_variance_falls_by_the_squared_correlation() -> None:
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 50_000)), rng.normal(size=(2, 50_000))
    arms = Stratum(*(ArmTotals.of(3 * past + 4 * now, past) for past, now in zip(x, noise, strict=True)))
    assert cuped.variance_reduction(compare(arms, MEAN), adjusted(arms, 1)) == pytest.approx(9 / 25, abs=0.02)


def test_a_covariate_that_differs_between_the_arms_by_chance_is_allowed_for() -> None:
    past = [np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0, 5.0])]
    arms = Stratum(*(ArmTotals.of(10 * x + [0.0, 1.0, 1.0, 0.0], x) for x in past))
    assert compare(arms, MEAN).difference == pytest.approx(20.0)
    assert adjusted(arms, 1).difference == pytest.approx(0.0)


def test_constant_and_repeated_covariates_change_nothing() -> None:
    rng = np.random.default_rng(2)
    arms = [(rng.normal(size=200), rng.normal(size=200)) for _ in range(2)]
    plain = Stratum(*(ArmTotals.of(y + x, x) for y, x in arms))
    more = Stratum(*(ArmTotals.of(y + x, x, np.full(200, 7.0), 1e6 * x) for y, x in arms))
    assert adjusted(more, 3).difference == pytest.approx(adjusted(plain, 1).difference)
    assert adjusted(more, 3).variance == pytest.approx(adjusted(plain, 1).variance)


def test_without_covariates_nothing_is_adjusted() -> None:
    arms = stratum(random_units(np.random.default_rng(3)), "y", "below", "x")
    raw, none = compare(arms, RATIO), compare(arms, RATIO, np.zeros(0))
    assert none == raw


def test_ratios_gain_as_well() -> None:
    arms = stratum(random_units(np.random.default_rng(4)), "y", "below", "x")
    better = compare(arms, RATIO, cuped.slopes(arms, RATIO, 2))
    assert 0 < cuped.variance_reduction(compare(arms, RATIO), better) < 1


def test_missing_values_get_the_mean_and_an_indicator() -> None:
    filled, is_missing = cuped.prepared(np.array([1.0, np.nan, 3.0]))
    assert filled.tolist() == [-1.0, 0.0, 1.0]
    assert is_missing.tolist() == [0.0, 1.0, 0.0]
    assert [column.tolist() for column in cuped.prepared(np.array([1.0, 3.0]))] == [[-1.0, 1.0]]


def test_units_without_a_past_do_not_bias_the_effect() -> None:
    """Customers without a past buy less, and by chance one arm has more of them."""
    rng = np.random.default_rng(5)
    past = rng.normal(10, 2, 4_000)
    past[:1_000] = np.nan
    outcome = np.where(np.isnan(past), 2.0, np.nan_to_num(past)) + rng.normal(0, 0.1, 4_000)
    is_treated = rng.random(4_000) < np.where(np.isnan(past), 0.6, 0.5)
    columns = cuped.prepared(past)
    arms = Stratum(*(ArmTotals.of(outcome[side], *(c[side] for c in columns)) for side in (~is_treated, is_treated)))
    assert adjusted(arms, 2).difference == pytest.approx(0.0, abs=0.02)
    assert abs(compare(arms, MEAN).difference) > 0.2


@pytest.mark.parametrize("effect", [0.0, 2.0])
def test_adjusted_intervals_cover_absolute_and_relative_effects(effect: float) -> None:
    """With a large effect the covariates' mean counts: the relative interval would else be too narrow."""
    rng, plan, covered = np.random.default_rng(6), Plan(200), np.zeros(2)
    for _ in range(2_000):
        x = rng.normal(2, 1, (2, 100))
        arms = Stratum(ArmTotals.of(x[0] + rng.normal(0, 0.3, 100), x[0]),
                       ArmTotals.of((1 + effect / 2) * x[1] + rng.normal(0, 0.3, 100), x[1]))  # fmt: skip
        absolute = absolute_effect(adjusted(arms, 1), plan)
        relative = relative_effect(adjusted(arms, 1), absolute, plan)
        assert relative is not None
        covered += [absolute.fixed.low <= effect <= absolute.fixed.high,
                    relative.fixed.low <= effect / 2 <= relative.fixed.high]  # fmt: skip
    assert covered / 2_000 == pytest.approx([0.95, 0.95], abs=0.015)
