"""Logistic regression with offsets, bounds and row weights: small, exact, and the baseline of the propensity model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import ImportInvalid

_MOST_STEPS, _TINY = 100, 1e-10


@dataclass(frozen=True, slots=True)
class Logistic:
    """Coefficients (columns,) and the intercept of log-odds."""

    coefficients: NDArray[np.float64]
    intercept: float

    def log_odds(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds (n,) of rows (n, columns)."""
        return np.asarray(table @ self.coefficients + self.intercept)


def fit_logistic(
    table: NDArray[np.float64],
    answers: NDArray[np.float64],
    offset: NDArray[np.float64] | None = None,
    ridge: float = 0.0,
    centre: float = 0.0,
    lowest: float | None = None,
) -> Logistic:
    """Return the maximum of Σ ln P(answer) − ½·`ridge`·‖coefficients − `centre`‖² over rows (n, columns) without NaN.

    The log-odds of a row are offset + coefficients·row + intercept; the intercept is drawn to 0 by the same `ridge`, so
    that it is finite where all `answers` (n,) of 0 and 1 agree. A coefficient below `lowest` is set to it, the farthest
    first, and the others are fitted again. Raises ImportInvalid when it does not converge.
    """
    base = np.zeros(len(answers)) if offset is None else offset
    fitted = _newton(np.column_stack([table, np.ones(len(answers))]), answers, base, ridge, centre)
    if lowest is None or not (fitted.coefficients < lowest).any():
        return fitted
    place = int(np.argmin(fitted.coefficients))
    others = np.delete(table, place, axis=1)
    rest = fit_logistic(others, answers, base + lowest * table[:, place], ridge, centre, lowest)
    return Logistic(np.insert(rest.coefficients, place, lowest), rest.intercept)


def _newton(
    columns: NDArray[np.float64], answers: NDArray[np.float64], base: NDArray[np.float64], ridge: float, centre: float
) -> Logistic:
    """Return the optimum by Newton's method with halved steps (ESL 2nd ed., section 4.4.1); the intercept is last."""
    target = np.append(np.full(columns.shape[1] - 1, centre), 0.0)
    weights = target.copy()

    def loss(at: NDArray[np.float64]) -> float:
        log_odds = base + columns @ at
        return float(np.logaddexp(0.0, log_odds).sum() - answers @ log_odds + 0.5 * ridge * ((at - target) ** 2).sum())

    now = loss(weights)
    for _ in range(_MOST_STEPS):
        chances = probability(base + columns @ weights)
        gradient = columns.T @ (chances - answers) + ridge * (weights - target)
        curvature = (columns * (chances * (1 - chances))[:, None]).T @ columns + (ridge + _TINY) * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        while not (then := loss(weights - step)) <= now and np.abs(step).max() > _TINY:
            step = step / 2
        if not then <= now:
            break
        weights, now, gain = weights - step, then, now - then
        if gain <= _TINY * max(1.0, abs(now)):
            return Logistic(weights[:-1], float(weights[-1]))
    if not np.isfinite(now):
        raise ImportInvalid("A logistic regression does not converge: a signal has values beyond all measure.")
    return Logistic(weights[:-1], float(weights[-1]))


@dataclass(frozen=True, slots=True)
class LogisticBaseline:
    """A ridge logistic regression on standardised signals; what is unknown counts as the mean."""

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    fitted: Logistic

    @classmethod
    def fit(cls, table: NDArray[np.float64], answers: NDArray[np.float64], ridge: float = 1.0) -> "LogisticBaseline":
        """Return the baseline of rows (n, signals), NaN unknown, and answers (n,) of 0 and 1."""
        known = np.isfinite(table)
        counts = np.maximum(known.sum(axis=0), 1)
        means = np.where(known, table, 0.0).sum(axis=0) / counts
        spread = np.where(known, table - means, 0.0)
        deviations = np.sqrt((spread**2).sum(axis=0) / counts)
        deviations = np.where(deviations > 0, deviations, 1.0)
        rate = np.clip(answers.mean(), 1e-6, 1 - 1e-6)
        offset = np.full(len(answers), np.log(rate / (1 - rate)))
        fitted = fit_logistic(spread / deviations, answers, offset, ridge)
        return cls(means, deviations, Logistic(fitted.coefficients, fitted.intercept + float(offset[0])))

    def log_odds(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds (n,) of rows (n, signals)."""
        return self.fitted.log_odds(np.where(np.isfinite(table), table - self.means, 0.0) / self.deviations)


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities (n,) of log-odds (n,), without overflow."""
    from scipy.special import expit

    return np.asarray(expit(log_odds))
