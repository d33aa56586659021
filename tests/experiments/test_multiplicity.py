"""Many comparisons, and guardrails that may not get worse by more than a margin."""

import numpy as np
import pytest

from experiments.comparison import Comparison
from experiments.effects import absolute_effect
from experiments.estimate import Plan
from experiments.multiplicity import benjamini_hochberg, bonferroni_level, non_inferiority

PLAN = Plan(1_000)


def an_effect(difference: float, error: float = 0.1) -> Comparison:
    return Comparison(1_000, 1.0, 1.0 + difference, error**2 / 2, error**2 / 2, 0.0, np.inf)


def test_the_level_is_shared_by_primary_metrics_times_arms() -> None:
    assert bonferroni_level(0.05, 2, 2) == 0.0125
    assert bonferroni_level(0.05, 1, 1) == 0.05


def test_the_published_example_of_benjamini_and_hochberg() -> None:
    """Fifteen p-values of which the first four are rejected at .05 (Benjamini, Hochberg 1995, section 4)."""
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528,
                0.759, 1.0]  # fmt: skip
    adjusted = benjamini_hochberg(p_values[::-1])[::-1]
    assert (adjusted < 0.05).sum() == 4
    assert adjusted[3] == pytest.approx(15 * 0.0095 / 4)


def test_no_p_values_need_no_adjustment() -> None:
    assert benjamini_hochberg([]).size == 0


def test_a_guardrail_holds_where_the_bound_is_inside_the_margin() -> None:
    held = non_inferiority(an_effect(0.0), 0.5, PLAN)
    assert held.is_shown
    assert held.p_value == pytest.approx(2.87e-7, rel=0.01)  # Φ(−5)
    assert not non_inferiority(an_effect(0.0), 0.25, PLAN).is_shown


def test_the_bounds_are_those_of_the_intervals() -> None:
    found, effect = non_inferiority(an_effect(-0.1), 0.5, PLAN), absolute_effect(an_effect(-0.1), PLAN)
    assert found.bound == pytest.approx(-0.1 - 1.644854 * 0.1)
    assert found.always_valid_bound == pytest.approx(effect.always_valid.low)


def test_what_should_fall_may_not_rise() -> None:
    rise = an_effect(0.6)
    assert non_inferiority(rise, 0.1, PLAN, higher_is_better=True).is_shown
    assert non_inferiority(rise, 0.1, PLAN, higher_is_better=False).p_value > 0.99


def test_without_spread_nothing_is_shown() -> None:
    assert not non_inferiority(an_effect(0.0, error=0.0), 0.5, PLAN).is_shown
