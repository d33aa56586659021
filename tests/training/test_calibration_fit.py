"""Logistic regressions and calibrations: recovered, monotone, and never fitted on what comes later."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from recsys.models.calibration import FAMILIES, Calibration
from training.calibration_fit import Recalibration, choose_calibration, choose_recalibration, fit_calibration
from training.logistic import LogisticBaseline, fit_logistic, probability


def answered(log_odds: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(log_odds)) < probability(log_odds)).astype(np.float64)


def scores(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(-2.0, 1.0, count)


def test_the_baseline_is_that_of_scikit_learn() -> None:
    table = np.random.default_rng(0).normal(size=(2_000, 6)) * [1, 10, 0.1, 5, 1, 0] + [0, 50, 0, 0, 0, 3]
    answers = answered(table[:, 0] - table[:, 1] / 20)
    ours = LogisticBaseline.fit(table, answers).log_odds(table)
    deviations = np.where(table.std(axis=0) > 0, table.std(axis=0), 1.0)
    standardised = (table - table.mean(axis=0)) / deviations
    theirs = LogisticRegression(C=1.0, tol=1e-8, max_iter=1_000).fit(standardised, answers)
    np.testing.assert_allclose(ours, theirs.decision_function(standardised), atol=2e-2)


def test_what_is_unknown_counts_as_the_mean() -> None:
    table = np.random.default_rng(0).normal(size=(500, 2))
    fitted = LogisticBaseline.fit(table, answered(table[:, 0]))
    unknown = fitted.log_odds(np.full((1, 2), np.nan))
    np.testing.assert_allclose(unknown, fitted.log_odds(table.mean(axis=0)[None]))


def test_a_coefficient_below_the_lowest_is_set_to_it_and_the_others_are_fitted_again() -> None:
    table = np.random.default_rng(0).normal(size=(3_000, 2))
    answers = answered(-1.0 * table[:, 0] + 0.7 * table[:, 1] - 1)
    bounded = fit_logistic(table, answers, ridge=1.0, lowest=0.0)
    alone = fit_logistic(table[:, 1:], answers, ridge=1.0)
    assert bounded.coefficients[0] == 0.0
    np.testing.assert_allclose(bounded.coefficients[1], alone.coefficients[0])


def test_a_known_distortion_is_undone() -> None:
    truth = scores(40_000)
    for family, distorted in (("shift", truth - 1.0), ("platt", 2.0 * truth + 1.0), ("beta", 2.0 * truth + 1.0)):
        undone = fit_calibration(family, distorted, answered(truth)).apply(distorted)
        assert np.abs(probability(undone) - probability(truth)).max() < 0.05, family


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(FAMILIES), st.integers(0, 10_000), st.integers(20, 300), st.floats(-4.0, 4.0))
def test_no_calibration_turns_the_order_around_or_leaves_the_finite(
    family: str, seed: int, count: int, slope: float
) -> None:
    raw = np.round(scores(count, seed), 1)
    calibration = fit_calibration(family, raw, answered(slope * raw, seed))
    calibrated = calibration.apply(np.array([-800.0, *np.sort(raw), 800.0]))
    assert (np.diff(calibrated) >= -1e-12).all()
    assert np.isfinite(calibrated).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_answers_that_all_agree_give_finite_chances(family: str, answer: float) -> None:
    raw = scores(250)
    assert np.isfinite(fit_calibration(family, raw, np.full(250, answer)).apply(raw)).all()


def test_the_stiffest_calibration_that_does_as_well_is_chosen() -> None:
    truth = scores(6_000)
    assert choose_calibration(truth, answered(truth, seed=2))[0] in ("identity", "shift")
    assert choose_calibration(truth - 1.5, answered(truth))[0] == "shift"
    assert choose_calibration(3 * truth + 2, answered(truth))[0] == "platt"
    assert "isotonic" not in choose_calibration(truth[:900], answered(truth[:900]))[1]


def test_a_recalibration_sees_no_answer_of_its_own_batch_or_later() -> None:
    raw = scores(1_000)
    answers = answered(raw)
    changed = np.where(np.arange(1_000) < 600, answers, 1 - answers)
    one = Recalibration("platt", 250, 100)
    before, after = one.run(raw, answers, 300), one.run(raw, changed, 300)
    np.testing.assert_array_equal(before[:400], after[:400])  # up to row 700, whose batch begins at 600
    assert (before[400:] != after[400:]).all()


def test_a_drift_is_followed() -> None:
    raw, drift = scores(4_000), np.linspace(0.0, 3.0, 4_000)
    answers = answered(raw + drift)
    chosen, losses = choose_recalibration(raw, answers, 1_000, 100)
    followed = probability(chosen.run(raw, answers, 1_000))
    assert len(losses) == 12
    assert np.abs(followed - probability(raw + drift)[1_000:]).mean() < 0.06
    assert np.abs(probability(raw) - probability(raw + drift))[1_000:].mean() > 0.2


@pytest.mark.parametrize(
    ("family", "numbers"),
    [
        ("platt", [-1.0, -1.0, 0.0]),
        ("beta", [1.0, np.inf, 0.0]),
        ("shift", [1.0, 1.0]),
        ("magic", [1.0, 1.0, 0.0]),
        ("isotonic", [[0.0, 1.0], [1.0, 0.0]]),
        ("isotonic", [[1.0, 1.0], [0.0, 1.0]]),
        ("isotonic", [[], []]),
    ],
)
def test_what_is_no_rising_map_is_no_calibration(family: str, numbers: list[float]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Calibration(family, np.array(numbers))
