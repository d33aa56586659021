"""Two well-kept libraries agree with our formulas on random inputs (decision record 14)."""

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments import cuped
from experiments.arm_totals import FloatArray
from experiments.comparison import compare
from experiments.effects import absolute_effect
from experiments.estimate import Estimate, Plan
from experiments.multiplicity import benjamini_hochberg
from experiments.proportions import newcombe
from tests.experiments.arms import BINARY, MEAN, RATIO, Unit, effect_of, random_units, shares, stratum

if TYPE_CHECKING:
    from tea_tasting.aggr import Aggregates

ROUNDS = 500


def exactly(expected: object) -> object:
    """What differs by rounding only."""
    return pytest.approx(expected, rel=1e-8, abs=1e-11)


def fixed_figures(effect: Estimate) -> tuple[float, float, float, float]:
    return effect.estimate, effect.fixed.low, effect.fixed.high, effect.fixed.p_value


def aggregates(arm: Unit) -> "Aggregates":
    """The arm as tea-tasting wants it."""
    from tea_tasting.aggr import Aggregates

    columns: dict[str, NDArray[np.float64]] = {"y": arm.y, "below": arm.below, "x": arm.x[:, 0]}
    return Aggregates(
        count_=len(arm.y),
        mean_={name: float(column.mean()) for name, column in columns.items()},
        var_={name: float(column.var(ddof=1)) for name, column in columns.items()},
        cov_={(a, b): float(np.cov(columns[a], columns[b])[0, 1]) for a, b in combinations(columns, 2)},
    )


def test_means_agree_with_statsmodels() -> None:
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    rng = np.random.default_rng(1)
    for _ in range(ROUNDS):
        control, treatment = random_units(rng)
        alpha = float(rng.uniform(0.01, 0.2))
        oracle = CompareMeans(DescrStatsW(treatment.y), DescrStatsW(control.y))
        _, p_value, _ = oracle.ttest_ind(usevar="unequal")
        expected = (treatment.y.mean() - control.y.mean(), *oracle.tconfint_diff(alpha, usevar="unequal"), p_value)
        ours, _ = effect_of(stratum((control, treatment), "y"), MEAN, alpha)
        assert fixed_figures(ours) == exactly(expected)


@pytest.mark.parametrize("kind", [MEAN, RATIO])
def test_means_and_ratios_agree_with_tea_tasting(kind: object) -> None:
    from tea_tasting.metrics import RatioOfMeans

    rng = np.random.default_rng(2)
    metric = RatioOfMeans("y", "below" if kind is RATIO else None)
    for _ in range(ROUNDS):
        units = random_units(rng)
        oracle = metric.analyze_aggregates(aggregates(units[0]), aggregates(units[1]))
        expected = (oracle.effect_size, oracle.effect_size_ci_lower, oracle.effect_size_ci_upper, oracle.pvalue)
        ours, relative = effect_of(stratum(units, "y", "below"), RATIO if kind is RATIO else MEAN)
        assert fixed_figures(ours) == exactly(expected)
        assert relative.estimate == exactly(oracle.rel_effect_size)


def test_relative_standard_errors_agree_with_tea_tasting() -> None:
    """Its interval is on the scale of the logarithm: exp(ln r ± z·s/r)."""
    from tea_tasting.metrics import RatioOfMeans

    rng = np.random.default_rng(3)
    metric = RatioOfMeans("y", "below", use_t=False)
    for _ in range(ROUNDS):
        units = random_units(rng)
        oracle = metric.analyze_aggregates(aggregates(units[0]), aggregates(units[1]))
        ratio = 1 + oracle.rel_effect_size
        expected = ratio * math.log((1 + oracle.rel_effect_size_ci_upper) / ratio) / 1.959963984540054
        _, ours = effect_of(stratum(units, "y", "below"), RATIO)
        assert ours.standard_error == exactly(expected)


def test_shares_agree_with_statsmodels() -> None:
    from scipy.stats import norm
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

    rng = np.random.default_rng(4)
    for _ in range(ROUNDS):
        units = rng.integers(30, 3_000, 2)
        successes = rng.integers(1, units)
        alpha = float(rng.uniform(0.01, 0.2))
        counted = int(successes[1]), int(units[1]), int(successes[0]), int(units[0])
        wald = confint_proportions_2indep(*counted, method="wald", compare="diff", alpha=alpha)
        score = confint_proportions_2indep(*counted, method="newcomb", compare="diff", alpha=alpha)
        _, p_value = proportions_ztest(successes, units)
        z = float(norm.isf(alpha / 2))
        ours, _ = effect_of(shares((counted[2], counted[3]), (counted[0], counted[1])), BINARY, alpha)
        assert newcombe(successes[None].astype(float), units[None].astype(float), z) == exactly(score)
        is_small = min(*successes, *(units - successes)) < 10
        assert (ours.fixed.low, ours.fixed.high) == exactly(score if is_small else wald)
        assert ours.fixed.p_value == exactly(p_value)


def test_cuped_is_the_analysis_of_covariance_of_statsmodels() -> None:
    from statsmodels.regression.linear_model import OLS
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    rng = np.random.default_rng(5)
    for _ in range(ROUNDS):
        control, treatment = units = random_units(rng)
        arms = stratum(units, "y", "x")
        slopes = cuped.slopes(arms, MEAN, 2)
        ours = absolute_effect(compare(arms, MEAN, slopes), Plan(1_000))
        design = np.concatenate([_design(control, 0.0), _design(treatment, 1.0)])
        oracle = OLS(np.concatenate([control.y, treatment.y]), design).fit()
        assert (ours.estimate, *slopes) == exactly(oracle.params[1:])
        adjusted = [DescrStatsW(arm.y - arm.x @ oracle.params[2:]) for arm in (treatment, control)]
        low, high = CompareMeans(*adjusted).tconfint_diff(usevar="unequal")
        assert (ours.fixed.low, ours.fixed.high) == exactly((low, high))


def _design(arm: Unit, is_treatment: float) -> FloatArray:
    ones = np.ones(len(arm.y))
    return np.column_stack([ones, is_treatment * ones, arm.x])


@pytest.mark.parametrize("kind", [MEAN, RATIO])
def test_cuped_is_close_to_tea_tastings_whose_slope_is_over_all_units(kind: object) -> None:
    from tea_tasting.metrics import RatioOfMeans

    rng = np.random.default_rng(6)
    metric = RatioOfMeans("y", "below" if kind is RATIO else None, "x")
    for _ in range(ROUNDS):
        control, treatment = (arm._replace(x=arm.x[:, :1]) for arm in random_units(rng, effect=0.0))
        units = control, treatment
        oracle = metric.analyze_aggregates(aggregates(units[0]), aggregates(units[1]))
        arms = stratum(units, "y", "below", "x") if kind is RATIO else stratum(units, "y", "x")
        made = RATIO if kind is RATIO else MEAN
        ours = absolute_effect(compare(arms, made, cuped.slopes(arms, made, 1)), Plan(1_000))
        width = oracle.effect_size_ci_upper - oracle.effect_size_ci_lower
        assert ours.estimate == pytest.approx(oracle.effect_size, abs=0.05 * width)
        assert ours.fixed.high - ours.fixed.low == pytest.approx(width, rel=0.03)


def test_false_discovery_rates_agree_with_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(7)
    for _ in range(ROUNDS):
        p_values = rng.uniform(0, 1, int(rng.integers(1, 30))) ** 3
        assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1])
