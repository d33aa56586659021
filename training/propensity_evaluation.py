"""The propensity model on later answers, before and after calibration, beside the declared weights and a regression."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.intervals import Interval
from recsys.evaluation.probability_metrics import Forecasts, measure
from recsys.models.propensity_model import PropensityModel
from training.logistic import LogisticBaseline, probability
from training.propensity_data import AnsweredRows
from training.propensity_fit import FitOptions, PropensityFit, fit_propensity

CALIBRATED, UNCALIBRATED = "this model", "before calibration"
DECLARED, REGRESSION = "declared weights", "logistic regression"
LEAST_EVALUATED = 100
"""Answers below which nothing is said of the evaluation slice."""

Measured = Mapping[str, Mapping[str, Interval]]
"""Model → metric → interval; Δ metrics are minus the declared weights'."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted on the earlier answers of everybody outside the evaluation slice, and the later ones."""

    fit: PropensityFit
    regression: LogisticBaseline
    test: AnsweredRows
    evaluation: AnsweredRows


@dataclass(frozen=True, slots=True)
class PropensityEvaluation:
    """Forecasts and figures on the test answers; those of the evaluation slice are None where it is too small."""

    forecasts: Mapping[str, Forecasts]
    test: Measured
    evaluation: Measured | None
    shares: Mapping[str, float]


def fit_on_earlier(rows: AnsweredRows, test_share: float, options: FitOptions) -> Fitted:
    """Fit on the answers before the last `test_share` (0–1) of them, by nobody of the evaluation slice."""
    usable, evaluation = rows.select(~rows.in_evaluation), rows.select(rows.in_evaluation)
    cut = len(usable) - round(len(usable) * test_share)
    early, test = usable.select(np.arange(cut)), usable.select(np.arange(cut, len(usable)))
    fit = fit_propensity(rows.signals, early.table, early.answers, options)
    return Fitted(fit, LogisticBaseline.fit(early.table, early.answers), test, evaluation)


def evaluate_propensity(model: PropensityModel, fitted: Fitted, seed: int) -> PropensityEvaluation:
    """Measure `model` as it was saved, drawing customers with replacement."""
    forecasts = _forecasts(model, fitted, fitted.test)
    test = _measured(forecasts, fitted.test, seed)
    is_enough = len(fitted.evaluation) >= LEAST_EVALUATED
    evaluation = _measured(_forecasts(model, fitted, fitted.evaluation), fitted.evaluation, seed) if is_enough else None
    parts = np.abs(model.contributions(fitted.test.table)).mean(axis=0)
    names = (*model.signals, "calibration", "rest")
    shares = {name: round(float(part), 4) for name, part in sorted(zip(names, parts, strict=True), key=lambda e: -e[1])}
    return PropensityEvaluation(forecasts, test, evaluation, shares)


def _forecasts(model: PropensityModel, fitted: Fitted, rows: AnsweredRows) -> dict[str, Forecasts]:
    chances: dict[str, NDArray[np.float64]] = {
        CALIBRATED: probability(model.log_odds(rows.table)),
        UNCALIBRATED: probability(model.raw_log_odds(rows.table)),
        DECLARED: rows.declared,
        REGRESSION: probability(fitted.regression.log_odds(rows.table)),
    }
    return {name: Forecasts.of(values, rows.answers) for name, values in chances.items()}


def _measured(forecasts: Mapping[str, Forecasts], rows: AnsweredRows, seed: int) -> Measured:
    customers = np.unique(rows.customers, return_inverse=True)[1]
    return measure(forecasts, customers, np.random.default_rng(seed), against=DECLARED)
