"""The population stability index against values computed by hand, and against chance."""

import numpy as np
import pytest

from recsys.evaluation.stability import population_stability

HALVES = np.repeat([0.0, 1.0], 50)


def test_the_index_of_two_values_is_the_sum_over_their_shares() -> None:
    # (25.5/101 − .5) ln(25.5/50.5) + (75.5/101 − .5) ln(75.5/50.5)
    found = population_stability(HALVES, np.repeat([0.0, 1.0], [25, 75]))
    assert found.index == pytest.approx(0.268677, abs=1e-6)
    # the 99 % quantile of χ² with one degree of freedom, 6.6349, × (1/100 + 1/100)
    assert found.by_chance == pytest.approx(0.132698, abs=1e-5)


def test_nothing_moved_is_an_index_of_0() -> None:
    assert population_stability(HALVES, HALVES).index == pytest.approx(0.0, abs=1e-12)


def test_what_becomes_unknown_counts_as_moved() -> None:
    gone = HALVES.copy()
    gone[::2] = np.nan
    assert population_stability(HALVES, gone).index > 0.25


def test_a_value_that_never_differs_says_nothing() -> None:
    same = np.full(50, 3.0)
    found = population_stability(same, same)
    assert (found.index, found.by_chance) == (0.0, 0.0)


def test_a_rare_value_is_a_bin_of_its_own() -> None:
    rare, frequent = np.repeat([0.0, 1.0], [195, 5]), np.repeat([0.0, 1.0], [150, 50])
    assert population_stability(rare, frequent).index > 0.25


def test_chance_alone_stays_below_what_it_is_said_to_explain() -> None:
    rng = np.random.default_rng(3)
    found = [population_stability(rng.normal(size=300), rng.normal(size=200)) for _ in range(300)]
    exceeding = np.mean([one.index > one.by_chance for one in found])
    assert exceeding < 0.04


def test_a_distribution_that_moved_by_a_standard_deviation_is_found() -> None:
    rng = np.random.default_rng(4)
    found = population_stability(rng.normal(size=300), rng.normal(1.0, size=300))
    assert found.index > max(0.25, found.by_chance)
