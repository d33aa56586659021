"""Logistic regression with offsets, bounds and row weights: small, exact, and the baseline of the propensity model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import ImportInvalid


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
    """Return the maximum of Σ ln P(answer) − ½·`ridge`·‖coefficients − `centre`‖², by L-BFGS-B; no NaN allowed.

    The log-odds of a row are offset + coefficients·row + intercept; no coefficient is below `lowest`, the intercept
    is free (ESL 2nd ed., eq. 4.20 and 4.31).
    """
    from scipy.optimize import minimize

    columns = np.column_stack([table, np.ones(len(answers))])
    base = np.zeros(len(answers)) if offset is None else offset

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_odds = base + columns @ weights
        away = weights[:-1] - centre
        surplus = probability(log_odds) - answers
        gradient = columns.T @ surplus
        gradient[:-1] += ridge * away
        value = np.logaddexp(0.0, log_odds).sum() - answers @ log_odds + 0.5 * ridge * away @ away
        return float(value), gradient

    start = np.append(np.full(table.shape[1], max(centre, lowest or centre)), 0.0)
    bounds = [(lowest, None)] * table.shape[1] + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2_000})
    if not np.isfinite(found.x).all():
        raise ImportInvalid("A logistic regression did not converge: a signal has values beyond all measure.")
    return Logistic(found.x[:-1], float(found.x[-1]))


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
        return cls(means, deviations, fit_logistic(spread / deviations, answers, ridge=ridge))

    def log_odds(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds (n,) of rows (n, signals)."""
        return self.fitted.log_odds(np.where(np.isfinite(table), table - self.means, 0.0) / self.deviations)


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities (n,) of log-odds (n,), without overflow."""
    from scipy.special import expit

    return np.asarray(expit(log_odds))
