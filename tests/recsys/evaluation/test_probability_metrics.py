"""Metrics of probabilities, beside scikit-learn's and by hand."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from recsys.evaluation.probability_metrics import BINS, Forecasts, measure


def a_forecast(count: int = 3_000, too_high: float = 0.0, seed: int = 0) -> Forecasts:
    rng = np.random.default_rng(seed)
    truth = np.round(rng.beta(1, 6, count), 2)
    answers = (rng.random(count) < truth).astype(np.float64)
    return Forecasts.of(np.clip(truth + too_high, 0.0, 1.0), answers)


def test_order_and_losses_are_those_of_scikit_learn() -> None:
    one = a_forecast()
    found = one.metrics()
    assert found["AUC"] == pytest.approx(roc_auc_score(one.answers, one.probabilities))
    assert found["Brier"] == pytest.approx(brier_score_loss(one.answers, one.probabilities))
    kept = (one.probabilities > 0) & (one.probabilities < 1)
    some = Forecasts.of(one.probabilities[kept], one.answers[kept]).metrics()
    assert some["log-loss"] == pytest.approx(log_loss(one.answers[kept], one.probabilities[kept]))


def test_the_calibration_error_is_the_mean_gap_over_bins_of_equally_many() -> None:
    rows = np.repeat(np.arange(BINS), 10)
    answers = (np.tile(np.arange(10), BINS) < 5).astype(np.float64)
    assert Forecasts.of(rows / 100 + 0.4, answers).metrics()["ECE"] == pytest.approx(np.abs(rows / 100 - 0.1).mean())
    assert Forecasts.of(np.full(100, 0.3), np.ones(100)).metrics()["ECE"] == pytest.approx(0.7)


def test_what_is_promised_too_much_shows_in_error_and_reliability() -> None:
    true, high = a_forecast(), a_forecast(too_high=0.1)
    assert true.metrics()["ECE"] < true.chance_error(np.random.default_rng(0))
    assert high.metrics()["ECE"] > high.chance_error(np.random.default_rng(0))
    said, came, rows = high.reliability()
    assert rows.sum() == 3_000
    assert (said - came) @ rows / 3_000 == pytest.approx(0.1, abs=0.02)


def test_a_row_that_counts_twice_is_two_rows() -> None:
    one = a_forecast(200)
    times = np.random.default_rng(1).integers(0, 3, 200)
    places = np.repeat(np.arange(200), times)
    repeated = Forecasts(one.probabilities[places], one.answers[places], one.bins[places], one.places[places])
    assert one.metrics(times.astype(np.float64)) == pytest.approx(repeated.metrics())


def test_intervals_hold_the_value_and_differences_are_paired() -> None:
    rng = np.random.default_rng(0)
    models = {"true": a_forecast(), "high": a_forecast(too_high=0.1)}
    found = measure(models, np.arange(3_000), rng, against="true")
    assert found["true"]["AUC"].low < found["true"]["AUC"].mean < found["true"]["AUC"].high
    assert found["high"]["ΔAUC"].low > -0.001
    assert found["high"]["ΔBrier"].low > 0
    assert "ΔAUC" not in found["true"]


def test_where_all_answers_agree_there_is_no_order() -> None:
    assert Forecasts.of(np.array([0.1, 0.9]), np.zeros(2)).metrics()["AUC"] == 0.5
