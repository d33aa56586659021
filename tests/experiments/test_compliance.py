"""Customers whom the pitch does not reach: the effect on those it does, and agents who pitch the arms unalike."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.arm_totals import ArmTotals, FloatArray
from experiments.compliance import compare_pitch_rates, complier_effect

EFFECT = 0.5


def units_of(reached: float, units: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
    """Arm, outcome and pitched of a world where agents pitch to the keen, and treatment to a share of all too."""
    keen = rng.normal(size=2 * units)
    treated = np.arange(2 * units) >= units
    pitched = (keen + 0.3 * rng.normal(size=2 * units) > 0.8) | (treated & (rng.random(2 * units) < reached))
    return treated, 2 * keen + EFFECT * pitched + 0.3 * rng.normal(size=2 * units), pitched.astype(np.float64)


def arms(reached: float, units: int, rng: np.random.Generator) -> tuple[ArmTotals, ArmTotals]:
    """Totals of control and treatment in that world."""
    treated, outcomes, pitched = units_of(reached, units, rng)
    control, treatment = (ArmTotals.of(outcomes[arm], pitched[arm]) for arm in (~treated, treated))
    return control, treatment


def of_rates(*rates: float, units: int = 1_000) -> list[ArmTotals]:
    """Arms of which the given shares were pitched to."""
    return [ArmTotals.of(np.zeros(units), np.arange(units) < round(rate * units)) for rate in rates]


def test_everybody_pitched_to_in_treatment_alone_is_the_effect_of_treatment() -> None:
    rng = np.random.default_rng(1)
    control, treatment = (rng.normal(size=200), np.zeros(200)), (rng.normal(1, 1, 300), np.ones(300))
    found = complier_effect(ArmTotals.of(*control), ArmTotals.of(*treatment))
    error = math.sqrt(control[0].var(ddof=1) / 200 + treatment[0].var(ddof=1) / 300)
    expected = (treatment[0].mean() - control[0].mean(), error)
    assert (found.estimate, found.standard_error) == pytest.approx(expected)
    assert (found.compliance, found.first_stage_f) == (1.0, math.inf)


def test_estimate_and_standard_error_are_those_of_two_stage_least_squares() -> None:
    """With the arm as instrument for the pitch, and White's errors, by their matrices."""
    treated, outcomes, pitched = units_of(0.4, 500, np.random.default_rng(2))
    instruments, regressors = (np.column_stack([np.ones(1_000), by]) for by in (treated.astype(float), pitched))
    inverse = np.linalg.inv(instruments.T @ regressors)
    weights = inverse @ instruments.T @ outcomes
    influences = (instruments * (outcomes - regressors @ weights)[:, None]) @ inverse.T
    found = complier_effect(*arms(0.4, 500, np.random.default_rng(2)))
    error = math.sqrt((influences[:, 1] ** 2).sum() * 500 / 499)
    assert (found.estimate, found.standard_error) == pytest.approx((weights[1], error))


def test_arms_that_change_places_have_the_same_effect() -> None:
    for reached in (0.4, 0.03):
        control, treatment = arms(reached, 500, np.random.default_rng(2))
        there, back = complier_effect(control, treatment), complier_effect(treatment, control)
        assert (there.estimate, there.low, there.high) == pytest.approx((back.estimate, back.low, back.high))


def test_nobody_pitched_to_says_nothing() -> None:
    nobody = ArmTotals.of(np.arange(5), np.zeros(5))
    found = complier_effect(nobody, nobody)
    assert (found.low, found.high, found.interval) == (-math.inf, math.inf, "anderson_rubin")


def test_a_weak_interval_ends_where_the_test_stops_rejecting() -> None:
    control, treatment = arms(0.15, 250, np.random.default_rng(12))
    found = complier_effect(control, treatment)
    assert found.interval == "anderson_rubin"
    assert math.isfinite(found.low)
    for end in (found.low, found.high):
        contrast = np.array([1.0, -end])
        spread = sum(contrast @ arm.covariances @ contrast / arm.n for arm in (control, treatment))
        assert abs(contrast @ (treatment.means - control.means)) / math.sqrt(spread) == pytest.approx(1.959964)


def test_a_strong_compliance_gives_intervals_that_hold_the_effect_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    found = [complier_effect(*arms(0.5, 400, rng)) for _ in range(3_000)]
    assert {one.interval for one in found} == {"delta"}
    assert 0.94 <= np.mean([one.low <= EFFECT <= one.high for one in found]) <= 0.96


def test_a_weak_compliance_needs_anderson_and_rubin() -> None:
    rng = np.random.default_rng(4)
    found = [complier_effect(*arms(0.02, 400, rng)) for _ in range(3_000)]
    by_delta = [abs(one.estimate - EFFECT) <= 1.96 * one.standard_error for one in found]
    assert np.mean([one.low <= EFFECT <= one.high for one in found]) >= 0.94
    assert np.mean(by_delta) < 0.93


def test_agents_who_pitch_one_arm_less_set_off_the_alarm() -> None:
    found = compare_pitch_rates(of_rates(0.50, 0.50, 0.40))
    assert found.alarm
    assert found.largest_difference == pytest.approx(0.1)


def test_the_test_of_pitch_rates_is_that_of_a_table() -> None:
    contingency = pytest.importorskip("scipy.stats").chi2_contingency
    expected = contingency([[500, 500], [520, 480], [450, 550]], correction=False).pvalue
    assert compare_pitch_rates(of_rates(0.50, 0.52, 0.45)).p_value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rates", "units"), [((0.50, 0.51), 1_000_000), ((0.5, 0.6), 50), ((0.0, 0.0), 50), ((1.0, 1.0), 50)]
)
def test_a_small_or_an_uncertain_difference_is_no_alarm(rates: tuple[float, float], units: int) -> None:
    assert not compare_pitch_rates(of_rates(*rates, units=units)).alarm


def test_an_arm_without_units_changes_nothing() -> None:
    assert compare_pitch_rates([*of_rates(0.5, 0.4), ArmTotals.of([], [])]) == compare_pitch_rates(of_rates(0.5, 0.4))


def test_alike_pitching_is_rarely_an_alarm() -> None:
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(4_000):
        p_values.append(compare_pitch_rates(of_rates(*rng.binomial(300, 0.5, 3) / 300, units=300)).p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.06
