"""Fits calibrations on later data, chooses among them by still later data, and recalibrates as answers come in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.models.calibration import FAMILIES, Calibration, identity, log_parts
from training.logistic import fit_logistic

_RIDGE = 1.0
"""Pulls slopes towards 1 and shifts towards 0, by one standard deviation of 1: finite where all answers agree."""

LEAST_FOR_STEPS = 1_000
RECALIBRATIONS = ("shift", "platt", "beta")
"""What is fitted on a few hundred answers; steps would be fitted to chance."""

WINDOWS = (250, 500, 1_000, 2_000)
"""How many of the latest matured answers a recalibration may use."""


def fit_calibration(family: str, log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> Calibration:
    """Return the calibration of `family` for raw log-odds (n,) and answers (n,) of 0 and 1, in any order."""
    if family == "identity":
        return identity()
    if family == "isotonic":
        return _isotonic(log_odds, answers)
    if family == "shift":
        shift = fit_logistic(np.empty((len(answers), 0)), answers, log_odds, _RIDGE).intercept
        return Calibration(family, np.array([1.0, 1.0, shift]))
    parts = log_parts(log_odds)
    columns = parts.sum(axis=1, keepdims=True) if family == "platt" else parts
    fitted = fit_logistic(columns, answers, ridge=_RIDGE, centre=1.0, lowest=0.0)
    slopes = fitted.coefficients.repeat(2) if family == "platt" else fitted.coefficients
    return Calibration(family, np.array([*slopes, fitted.intercept]))


def choose_calibration(log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> tuple[str, dict[str, float]]:
    """Return the family to use, by log-loss on the last third, fitted on the two thirds before; and all losses.

    Rows are in time order. Of the families no worse than the best by more than a standard error of the paired
    difference, the stiffest is taken (the one-standard-error rule: ESL 2nd ed., section 7.10). Steps need
    `LEAST_FOR_STEPS` rows (Niculescu-Mizil, Caruana 2005, section 5).
    """
    cut = len(answers) * 2 // 3
    families = FAMILIES if len(answers) >= LEAST_FOR_STEPS else FAMILIES[:-1]
    fitted = {family: fit_calibration(family, log_odds[:cut], answers[:cut]) for family in families}
    losses = {family: row_losses(one.apply(log_odds[cut:]), answers[cut:]) for family, one in fitted.items()}
    means = {family: float(loss.mean()) for family, loss in losses.items()}
    best = losses[min(means, key=lambda family: means[family])]
    chosen = next(family for family, loss in losses.items() if _is_no_worse(loss - best))
    return chosen, means


def _is_no_worse(surplus: NDArray[np.float64]) -> bool:
    return bool(surplus.mean() <= surplus.std() / len(surplus) ** 0.5)


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Calibrating anew before every `batch` of rows, on the last `window` answers that came before it."""

    family: str
    window: int
    batch: int

    def run(self, log_odds: NDArray[np.float64], answers: NDArray[np.float64], start: int) -> NDArray[np.float64]:
        """Return the calibrated log-odds (n − start,) of the rows from `start` ≥ 1 on, in time order.

        No row is calibrated with its own answer, its batch's or a later one (prequential: Dawid 1984).
        """
        calibrated = log_odds[start:].copy()
        for first in range(start, len(log_odds), self.batch):
            past = slice(max(0, first - self.window), first)
            calibration = fit_calibration(self.family, log_odds[past], answers[past])
            batch = slice(first - start, first - start + self.batch)
            calibrated[batch] = calibration.apply(calibrated[batch])
        return calibrated


def choose_recalibration(
    log_odds: NDArray[np.float64], answers: NDArray[np.float64], start: int, batch: int
) -> tuple[Recalibration, dict[str, float]]:
    """Return the family and window with the least prequential log-loss on the rows from `start` on; and all losses."""
    tried = [Recalibration(family, window, batch) for family in RECALIBRATIONS for window in WINDOWS]
    losses = [float(row_losses(one.run(log_odds, answers, start), answers[start:]).mean()) for one in tried]
    named = {f"{one.family}, last {one.window}": loss for one, loss in zip(tried, losses, strict=True)}
    return tried[int(np.argmin(losses))], named


def row_losses(log_odds: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return −ln P(answer) (n,) of log-odds (n,)."""
    return np.asarray(np.logaddexp(0.0, log_odds) - answers * log_odds)


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
