"""Fits calibrations on later data, chooses among them by still later data, and recalibrates as answers come in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.models.calibration import FAMILIES, Calibration, log_parts
from training.logistic import fit_logistic

_RIDGE = 1.0
"""Pulls slopes towards 1, worth about one answer: a slice without an accepted offer still gives finite numbers."""

WINDOWS = (250, 500, 1_000, 2_000)
"""How many of the latest matured answers a recalibration may use."""


def fit_calibration(family: str, log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> Calibration:
    """Return the calibration of `family` for raw log-odds (n,) and answers (n,) of 0 and 1, in any order."""
    if family == "isotonic":
        return _isotonic(log_odds, answers)
    parts = log_parts(log_odds)
    if family == "shift":
        return Calibration(family, np.array([1.0, 1.0, _shift(log_odds, answers)]))
    columns = parts.sum(axis=1, keepdims=True) if family == "platt" else parts
    fitted = fit_logistic(columns, answers, ridge=_RIDGE, centre=1.0, lowest=0.0)
    slopes = fitted.coefficients.repeat(2) if family == "platt" else fitted.coefficients
    return Calibration(family, np.array([*slopes, fitted.intercept]))


def choose_calibration(log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> tuple[str, dict[str, float]]:
    """Return the family with the least log-loss on the last third, fitted on the two thirds before; and all losses.

    Rows are in time order. Where two do equally well, the stiffer one is taken.
    """
    cut = len(answers) * 2 // 3
    losses = {}
    for family in FAMILIES:
        calibration = fit_calibration(family, log_odds[:cut], answers[:cut])
        losses[family] = log_loss(calibration.apply(log_odds[cut:]), answers[cut:])
    return min(losses, key=lambda family: losses[family]), losses


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Calibrating anew before every batch of rows, on the last `window` answers that came before it."""

    family: str
    window: int
    batch: int = 100

    def run(
        self, log_odds: NDArray[np.float64], answers: NDArray[np.float64], start: int
    ) -> NDArray[np.float64]:
        """Return the calibrated log-odds (n − start,) of the rows from `start` on, in time order.

        No row is calibrated with its own answer, its batch's or a later one (prequential: Dawid 1984).
        """
        calibrated = np.empty(len(log_odds) - start)
        for first in range(start, len(log_odds), self.batch):
            past = slice(max(0, first - self.window), first)
            calibration = fit_calibration(self.family, log_odds[past], answers[past])
            rows = slice(first, first + self.batch)
            calibrated[first - start : first - start + self.batch] = calibration.apply(log_odds[rows])
        return calibrated


def choose_recalibration(
    log_odds: NDArray[np.float64], answers: NDArray[np.float64], start: int, batch: int
) -> tuple[Recalibration, dict[str, float]]:
    """Return the family and window with the least prequential log-loss on the rows from `start` on; and all losses."""
    losses: dict[str, float] = {}
    tried = {}
    for family in FAMILIES:
        for window in WINDOWS:
            one = Recalibration(family, window, batch)
            tried[f"{family}, last {window}"] = one
            losses[f"{family}, last {window}"] = log_loss(one.run(log_odds, answers, start), answers[start:])
    return tried[min(losses, key=lambda name: losses[name])], losses


def log_loss(log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    """Return the mean −ln P(answer) of log-odds (n,)."""
    return float((np.logaddexp(0.0, log_odds) - answers * log_odds).mean())


def _shift(log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> float:
    """Return the shift that gives as many acceptances as there are, with half an answer of each kind more."""
    from scipy.optimize import brentq
    from scipy.special import expit

    n = len(answers)
    rate = (answers.sum() + 0.5) / (n + 1)
    middle = float(np.log(rate / (1 - rate)))
    low, high = middle - float(log_odds.max()) - 1, middle - float(log_odds.min()) + 1
    return float(brentq(lambda shift: expit(log_odds + shift).mean() - rate, low, high))


def _isotonic(log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> Calibration:
    """Return pool-adjacent-violators (Zadrozny, Elkan 2002), a level for each block at its mean log-odds.

    Between the blocks it is straight (centred isotonic regression: Oron, Flournoy 2017), so that it keeps the order.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(log_odds, kind="stable")
    points, place = np.unique(log_odds[order], return_inverse=True)
    counts = np.bincount(place).astype(np.float64)
    pooled = isotonic_regression(np.bincount(place, answers[order]) / counts, weights=counts)
    blocks = np.repeat(np.arange(len(pooled.blocks) - 1), np.diff(pooled.blocks))
    sizes = np.bincount(blocks, counts)
    least = 0.5 / len(answers)
    levels = np.clip(np.bincount(blocks, counts * pooled.x) / sizes, least, 1 - least)
    knots = np.bincount(blocks, counts * points) / sizes
    rising = np.append(True, np.diff(knots) > 0)
    return Calibration("isotonic", np.array([knots[rising], np.log(levels / (1 - levels))[rising]]))
