"""Effects: signs, epochs, and relative intervals where the control's mean is hardly known."""

import math

import numpy as np
import pytest

from experiments.arm_totals import ArmTotals
from experiments.comparison import Comparison, MetricKind, Stratum, compare, stratify
from experiments.effects import absolute_effect, relative_effect
from experiments.estimate import Estimate, Plan
from tests.experiments.arms import BINARY, MEAN, RATIO, effect_of, known, random_units, shares, stratum

PLAN = Plan(1_000)


def relative_of(comparison: Comparison) -> Estimate:
    """The relative effect of values that are known with these variances."""
    found = relative_effect(comparison, absolute_effect(comparison, PLAN), PLAN)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", [BINARY, MEAN, RATIO])
def test_swapping_the_arms_turns_the_signs(kind: MetricKind) -> None:
    arms = (
        shares((30, 200), (50, 300))
        if kind is BINARY
        else stratum(random_units(np.random.default_rng(1)), "y", "below")
    )
    there, _ = effect_of(arms, kind)
    back, _ = effect_of(Stratum(arms.treatment, arms.control), kind)
    figures = [
        (e.estimate, e.standard_error, *sorted((e.fixed.low, e.fixed.high)), e.fixed.p_value) for e in (there, back)
    ]
    assert figures[1] == pytest.approx((-figures[0][0], figures[0][1], -figures[0][3], -figures[0][2], figures[0][4]))
    assert (back.always_valid.low, back.always_valid.high) == pytest.approx(
        (-there.always_valid.high, -there.always_valid.low)
    )


@pytest.mark.parametrize(("treatment", "half"), [((40, 200), 0.0730378), ((60, 300), 0.0644144)])
def test_the_interval_of_shares_is_the_unpooled_normal_one(treatment: tuple[int, int], half: float) -> None:
    absolute, _ = effect_of(shares((30, 200), treatment), BINARY)
    assert absolute.fixed.high - absolute.estimate == pytest.approx(1.959964 * absolute.standard_error, rel=1e-6)
    expected = math.sqrt(0.15 * 0.85 / 200 + 0.2 * 0.8 / treatment[1])
    assert absolute.standard_error == pytest.approx(expected)


def test_no_spread_at_all_gives_no_bounds() -> None:
    arms = Stratum(ArmTotals.of([2.0, 2.0, 2.0]), ArmTotals.of([3.0, 3.0]))
    absolute, relative = effect_of(arms, MEAN)
    assert (absolute.estimate, absolute.fixed.low, absolute.always_valid.high) == (1.0, -math.inf, math.inf)
    assert (absolute.fixed.p_value, relative.fixed.low, relative.as_json()["fixed"]["low"]) == (1.0, -math.inf, None)


def test_an_always_valid_interval_is_never_narrower_than_the_fixed_one() -> None:
    rng = np.random.default_rng(2)
    for n in (2, 3, 5, 10, 100, 1_000):
        absolute, _ = effect_of(Stratum(ArmTotals.of(rng.normal(1, 1, n)), ArmTotals.of(rng.normal(1, 2, n))), MEAN)
        assert absolute.always_valid.low < absolute.fixed.low < absolute.fixed.high < absolute.always_valid.high
        assert absolute.always_valid.p_value >= absolute.fixed.p_value


def test_epochs_of_unequal_split_are_not_pooled() -> None:
    """Treatment is worse in both epochs; pooled, it would look better, for most of its units came on good days."""
    epochs = [shares((800, 8_000), (90, 1_000)), shares((300, 1_000), (2_320, 8_000))]
    both = stratify([compare(epoch, BINARY) for epoch in epochs])
    pooled = compare(Stratum(epochs[0].control + epochs[1].control, epochs[0].treatment + epochs[1].treatment), BINARY)
    assert both.difference == pytest.approx((-0.01 - 0.01) / 2)
    assert pooled.difference > 0.1


def test_epochs_count_by_their_size_and_their_variances_by_its_square() -> None:
    first, second = compare(shares((30, 200), (40, 200)), BINARY), compare(shares((90, 500), (110, 700)), BINARY)
    both = stratify([first, second])
    assert both.difference == pytest.approx(0.25 * first.difference + 0.75 * second.difference)
    assert both.variance == pytest.approx(0.25**2 * first.variance + 0.75**2 * second.variance)


def test_one_epoch_is_what_it_was() -> None:
    one = compare(stratum(random_units(np.random.default_rng(3)), "y"), MEAN)
    again = stratify([one])
    assert [getattr(again, name) for name in Comparison.__slots__] == pytest.approx(
        [getattr(one, name) for name in Comparison.__slots__]
    )


def test_stratified_intervals_cover_an_effect_that_changes_over_time() -> None:
    rng, covered = np.random.default_rng(4), 0
    for _ in range(1_000):
        first = Stratum(ArmTotals.of(rng.normal(0, 1, 90)), ArmTotals.of(rng.normal(1, 1, 10)))
        second = Stratum(ArmTotals.of(rng.normal(5, 2, 150)), ArmTotals.of(rng.normal(5, 2, 150)))
        effect = absolute_effect(stratify([compare(first, MEAN), compare(second, MEAN)]), PLAN)
        covered += effect.fixed.low <= 0.25 <= effect.fixed.high
    assert covered == pytest.approx(950, abs=25)


@pytest.mark.parametrize(("spread", "covariance"), [(0.05, 0.0), (0.08, 0.0), (0.05, 0.02)])
def test_fiellers_bounds_are_where_the_test_of_every_ratio_turns(spread: float, covariance: float) -> None:
    comparison = known(1.0, 1.3, (spread, 0.06), covariance)
    ratios = np.linspace(-20, 40, 2_000_001)
    variances = 0.06 - 2 * ratios * covariance + ratios**2 * spread
    kept = ratios[(1.3 - ratios) ** 2 <= 1.959964**2 * variances]
    fixed = relative_of(comparison).fixed
    assert (fixed.low, fixed.high) == pytest.approx((kept.min() - 1, kept.max() - 1), abs=1e-4)
    assert kept.max() - kept.min() == pytest.approx(len(kept) * (ratios[1] - ratios[0]), abs=1e-4)  # no hole


def test_fiellers_interval_covers_where_the_delta_methods_would_not() -> None:
    rng, covered, covered_by_delta = np.random.default_rng(5), 0, 0
    for control, treatment in zip(rng.normal(1, 0.15, 10_000), rng.normal(3, 0.15, 10_000), strict=True):
        relative = relative_of(known(control, treatment, (0.0225, 0.0225)))
        covered += relative.fixed.low <= 2 <= relative.fixed.high
        covered_by_delta += abs(relative.estimate - 2) <= 1.959964 * relative.standard_error
    assert covered / 10_000 == pytest.approx(0.95, abs=0.007)
    assert covered_by_delta / 10_000 < 0.945


def test_the_delta_methods_interval_is_close_to_fiellers_where_it_stands_for_it() -> None:
    below, above = (relative_of(known(1.0, 1.2, (variance, 0.003))) for variance in (0.002602, 0.002604))
    assert below.fixed.low == pytest.approx(below.estimate - 1.959964 * below.standard_error)
    tenth = 0.1 * (below.fixed.high - below.estimate)
    assert (below.fixed.low, below.fixed.high) == pytest.approx((above.fixed.low, above.fixed.high), abs=tenth)


def test_no_relative_bounds_where_the_controls_mean_may_be_nothing() -> None:
    relative = relative_of(known(0.1, 0.3, (0.01, 0.01)))
    assert relative.estimate == pytest.approx(2.0)
    assert (relative.fixed.low, relative.fixed.high) == (-math.inf, math.inf)
    nothing = known(0.0, 0.3, (0.01, 0.01))
    assert relative_effect(nothing, absolute_effect(nothing, PLAN), PLAN) is None


@pytest.mark.parametrize("spread", [0.0001, 0.02])
def test_a_rise_of_a_negative_mean_is_a_positive_relative_effect(spread: float) -> None:
    rise, mirrored = relative_of(known(-2.0, -1.5, (spread, spread))), relative_of(known(2.0, 1.5, (spread, spread)))
    assert rise.estimate == pytest.approx(0.25)
    assert (rise.fixed.low, rise.fixed.high) == pytest.approx((-mirrored.fixed.high, -mirrored.fixed.low))


def test_a_ratio_without_any_denominator_is_not_a_number() -> None:
    arm = ArmTotals.of([1.0, 2.0], [0.0, 0.0])
    assert math.isnan(compare(Stratum(arm, arm), RATIO).variance)
