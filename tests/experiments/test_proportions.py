"""Intervals of shares, with the examples that Newcombe published."""

import numpy as np
import pytest

from experiments.comparison import compare
from experiments.proportions import cautious_variances, has_small_counts, newcombe, pooled_p_value, wilson
from tests.experiments.arms import BINARY, effect_of, shares

Z = 1.959964


@pytest.mark.parametrize(
    ("treatment", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_small_counts_have_newcombes_published_intervals(
    treatment: tuple[int, int], control: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, table II, method 10."""
    counted = np.array([[control[0], treatment[0]]], dtype=float), np.array([[control[1], treatment[1]]], dtype=float)
    assert newcombe(*counted, Z) == pytest.approx((low, high), abs=5e-5)


def test_newcombes_interval_is_taken_for_small_counts_only() -> None:
    few, _ = effect_of(shares((9, 100), (20, 100)), BINARY)
    many, _ = effect_of(shares((10, 100), (20, 100)), BINARY)
    assert few.fixed.high - few.estimate != pytest.approx(few.estimate - few.fixed.low)
    assert many.fixed.high - many.estimate == pytest.approx(many.estimate - many.fixed.low)


def test_failures_are_as_small_a_count_as_successes() -> None:
    units = np.array([[100.0, 100.0]])
    assert has_small_counts(np.array([[50.0, 95.0]]), units)
    assert not has_small_counts(np.array([[50.0, 90.0]]), units)


def test_strata_of_one_size_and_outcome_are_as_good_as_one_twice_as_large() -> None:
    one = np.array([[5.0, 9.0]]), np.array([[50.0, 50.0]])
    two = np.repeat(one[0], 2, axis=0), np.repeat(one[1], 2, axis=0)
    narrow, wide = newcombe(*two, Z), newcombe(*one, Z)
    assert (narrow[1] - narrow[0]) / (wide[1] - wide[0]) == pytest.approx(0.5**0.5)
    assert pooled_p_value(*two) == pytest.approx(pooled_p_value(one[0] * 2, one[1] * 2))


def test_no_success_in_either_arm_still_leaves_doubt() -> None:
    absolute, _ = effect_of(shares((1, 100), (1, 100)), BINARY)
    nothing = compare(shares((0, 100), (0, 100)), BINARY)
    assert nothing.variance == pytest.approx(2 * cautious_variances(np.array([0.0]), np.array([100.0]))[0])
    assert nothing.variance > 0
    assert absolute.fixed.p_value == 1.0


def test_wilsons_interval_stays_between_0_and_1() -> None:
    low, high = wilson(np.array([0.0, 20.0]), np.array([20.0, 20.0]), Z)
    assert low == pytest.approx([0.0, 0.83887], abs=5e-6)
    assert high == pytest.approx([0.16113, 1.0], abs=5e-6)
