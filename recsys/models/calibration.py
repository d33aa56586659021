"""Calibration: the monotone map from a model's log-odds to log-odds that come true as often as they say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FAMILIES = ("identity", "shift", "platt", "beta", "isotonic")
"""From the stiffest to the most flexible."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A non-decreasing map of log-odds, as plain numbers.

    All but "isotonic" have `numbers` (3,): a, b ≥ 0 and c of a·ln p − b·ln(1 − p) + c (Kull, Silva Filho, Flach 2017,
    eq. 6). With a = b that is Platt's a·log-odds + c (Platt 1999), with a = b = 1 a shift, by 0 the identity.
    "isotonic" has `numbers` (2, k): log-odds in rising order and what they become, straight between them and level
    outside.
    """

    family: str
    numbers: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Raise ValueError unless the map is finite and non-decreasing."""
        if self.family not in FAMILIES or not np.isfinite(self.numbers).all():
            raise ValueError(f"{self.family} is no calibration, or its numbers are not finite")
        if self.family == "isotonic":
            _check_steps(self.numbers)
        elif self.numbers.shape != (3,) or (self.numbers[:2] < 0).any():
            raise ValueError("a calibration is two slopes of at least 0 and a shift")

    def apply(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated log-odds (n,) of `log_odds` (n,)."""
        if self.family == "isotonic":
            return np.asarray(np.interp(log_odds, self.numbers[0], self.numbers[1]))
        slopes, shift = self.numbers[:2], self.numbers[2]
        return np.asarray(log_parts(log_odds) @ slopes + shift)


def log_parts(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln p and −ln(1 − p) as the columns of (n, 2), exact also where p is nearly 0 or 1."""
    return np.stack([-np.logaddexp(0.0, -log_odds), np.logaddexp(0.0, log_odds)], axis=1)


def identity() -> Calibration:
    """Return the calibration that changes nothing."""
    return Calibration("identity", np.array([1.0, 1.0, 0.0]))


def _check_steps(numbers: NDArray[np.float64]) -> None:
    if numbers.ndim != 2 or numbers.shape[0] != 2 or numbers.shape[1] == 0:
        raise ValueError("an isotonic calibration is two rows of at least one number")
    if (np.diff(numbers[0]) <= 0).any() or (np.diff(numbers[1]) < 0).any():
        raise ValueError("an isotonic calibration rises")
