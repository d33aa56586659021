"""The split check: a known example, arms without weight, epochs, and looks at any time."""

import numpy as np
import pytest

from experiments.srm import Split, SplitCheck, check_splits, expected_units, log_bayes_factor, sequential_p_values
from recsys.domain.errors import AnalysisInvalid


def checked(observed: dict[str, int], **weights: float) -> SplitCheck:
    return check_splits([Split(observed, weights)])


def test_a_small_difference_in_many_units_fails() -> None:
    check = checked({"a": 44_000, "b": 45_000}, a=0.5, b=0.5)
    assert check.p_value == pytest.approx(0.00080, abs=5e-6)
    assert (check.df, check.verdict) == (1, "failed")


def test_an_empty_arm_of_weight_0_changes_nothing() -> None:
    observed = {"a": 500, "b": 540}
    assert checked({**observed, "c": 0}, a=0.5, b=0.5, c=0.0) == checked(observed, a=0.5, b=0.5)
    assert checked(observed, a=0.5, b=0.5, c=0.0) == checked(observed, a=1, b=1)


def test_one_unit_in_an_arm_of_weight_0_fails_outright() -> None:
    check = checked({"a": 500, "b": 500, "c": 1}, a=0.5, b=0.5, c=0.0)
    assert (check.p_value, check.sequential_p_value, check.verdict) == (0.0, 0.0, "failed")
    assert check.as_json()["statistic"] is None


def test_an_arm_that_never_came_fails() -> None:
    assert checked({"a": 500, "b": 500}, a=0.4, b=0.4, c=0.2).verdict == "failed"


def test_chi_square_agrees_with_scipy() -> None:
    from scipy.stats import chisquare

    check = checked({"a": 120, "b": 250, "c": 610}, a=1, b=2, c=5)
    expected = chisquare([120, 250, 610], 980 * np.array([1, 2, 5]) / 8)
    assert (check.statistic, check.p_value, check.df) == pytest.approx((*expected, 2))


def test_no_units_yet_are_no_mismatch() -> None:
    check = checked({}, a=0.5, b=0.5)
    assert (check.p_value, check.sequential_p_value, check.verdict) == (1.0, 1.0, "ok")


def test_each_epoch_is_checked_against_its_own_weights() -> None:
    first, second = Split({"a": 900, "b": 100}, {"a": 9, "b": 1}), Split({"a": 500, "b": 500}, {"a": 1, "b": 1})
    assert check_splits([first, second]).verdict == "ok"
    assert check_splits([first, second]).df == 2
    wrong = check_splits([first, Split({"a": 600, "b": 400}, {"a": 1, "b": 1})])
    assert wrong.reasons[0].startswith("Epoch 2: The arms' units do not fit")


def test_many_slightly_wrong_epochs_fail_together() -> None:
    epochs = [Split({"a": 5_130, "b": 4_870}, {"a": 1, "b": 1})] * 5
    assert check_splits(epochs[:1]).verdict == "ok"
    assert check_splits(epochs).verdict == "failed"


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"a": 1.0}, "Arm b has no weight"),
        ({"a": 1.0, "b": -1.0}, "at least 0"),
        ({"a": 1.0, "b": float("nan")}, "at least 0"),
        ({"a": 1.0, "b": 0.0}, "fewer than two arms"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: dict[str, float], said: str) -> None:
    with pytest.raises(AnalysisInvalid, match=said):
        checked({"a": 1, "b": 1}, **weights)


def test_the_bayes_factor_is_the_product_of_its_predictions() -> None:
    """Each unit's arm is predicted by the Dirichlet posterior's mean so far."""
    shares, prior = np.array([0.3, 0.7]), 1e4 * np.array([0.3, 0.7])
    log_factor, seen = 0.0, np.zeros(2)
    for arm in np.random.default_rng(1).integers(0, 2, 300):
        log_factor += float(np.log((prior + seen)[arm] / (prior + seen).sum() / shares[arm]))
        seen[arm] += 1
    assert log_bayes_factor(seen, shares) == pytest.approx(log_factor, abs=1e-8)


def test_a_right_split_rarely_fails_however_often_it_is_looked_at() -> None:
    counts = np.random.default_rng(2).multinomial(100, [0.2, 0.3, 0.5], (2_000, 200)).cumsum(axis=1)
    p_values = sequential_p_values(counts[0], [2, 3, 5])
    ends = np.exp(-np.maximum(log_bayes_factor(counts, [2, 3, 5]), 0)).min(axis=1)
    assert (ends < 0.05).mean() <= 0.05
    assert p_values[-1] == pytest.approx(ends[0])


def test_a_wrong_split_is_found_in_time() -> None:
    counts = np.random.default_rng(3).multinomial(100, [0.48, 0.52], (100, 1_000)).cumsum(axis=1)
    assert all(sequential_p_values(campaign, [1, 1])[-1] < 0.001 for campaign in counts)


def test_the_units_expected_add_up_over_epochs_with_the_shares_of_each() -> None:
    epochs = [Split({"a": 60, "b": 40}, {"a": 1, "b": 1}), Split({"a": 10, "b": 30}, {"a": 1, "b": 3})]
    assert expected_units(epochs) == {"a": 60.0, "b": 80.0}
    assert expected_units([Split({}, {"a": 1, "b": 1})]) == {"a": 0.0, "b": 0.0}
