"""How good probabilities are: order (AUC), sharpness (log-loss, Brier) and truthfulness (calibration error)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.intervals import RESAMPLES, Interval, bootstrap_statistics

BINS = 15
METRICS = ("AUC", "log-loss", "Brier", "ECE")
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Probabilities (n,) of one model for rows with answers (n,) of 0 and 1, prepared to be measured many times.

    `bins` (n,) is the bin of each row: bins of equal mass by quantiles of the probability, equal ones together.
    """

    probabilities: NDArray[np.float64]
    answers: NDArray[np.float64]
    bins: NDArray[np.intp]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, probabilities: NDArray[np.float64], answers: NDArray[np.float64], count: int = BINS) -> "Forecasts":
        """Return the forecasts, ordered and put into `count` bins (at most `BINS`) once."""
        edges = np.quantile(probabilities, np.arange(1, count) / count)
        bins = np.searchsorted(edges, probabilities, side="right")
        return cls(probabilities, answers, bins, np.unique(probabilities, return_inverse=True)[1])

    def metrics(self, weights: NDArray[np.float64] | None = None) -> dict[str, float]:
        """Return every metric of `METRICS`, rows counting `weights` (n,) times; the bins stay as they are."""
        counts = np.ones(len(self.answers)) if weights is None else weights
        total = counts.sum()
        certain = np.clip(self.probabilities, _TINY, 1 - _TINY)
        losses = -np.where(self.answers > 0, np.log(certain), np.log1p(-certain))
        return {
            "AUC": self._auc(counts),
            "log-loss": float(counts @ losses / total),
            "Brier": float(counts @ (self.probabilities - self.answers) ** 2 / total),
            "ECE": self._calibration_error(self.answers, counts),
        }

    def reliability(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return of every bin that is not empty: mean probability, share that accepted, rows."""
        rows = np.bincount(self.bins, minlength=BINS)
        held = rows > 0
        said, came = (np.bincount(self.bins, v, BINS)[held] / rows[held] for v in (self.probabilities, self.answers))
        return said, came, rows[held].astype(np.float64)

    def chance_error(self, rng: np.random.Generator, level: float = 0.99, draws: int = RESAMPLES) -> float:
        """Return the calibration error that answers drawn with exactly these probabilities stay below, at `level`.

        Even perfect probabilities show an error, the larger the fewer the rows (Bröcker, Smith 2007).
        """
        counts = np.ones(len(self.answers))
        drawn = [
            self._calibration_error((rng.random(len(counts)) < self.probabilities).astype(np.float64), counts)
            for _ in range(draws)
        ]
        return float(np.quantile(drawn, level))

    def _auc(self, counts: NDArray[np.float64]) -> float:
        """Return P(an accepted row is above another), ties half (Mann, Whitney 1947); .5 where all are of a kind."""
        accepted = np.bincount(self.places, counts * self.answers)
        others = np.bincount(self.places, counts * (1 - self.answers))
        pairs = accepted.sum() * others.sum()
        below = np.cumsum(others) - others
        return float(accepted @ (below + others / 2) / pairs) if pairs else 0.5

    def _calibration_error(self, answers: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
        """Return Σ |Σ probability − answer| / n over the bins (expected calibration error: Naeini et al. 2015)."""
        gaps = np.bincount(self.bins, counts * (self.probabilities - answers), BINS)
        return float(np.abs(gaps).sum() / counts.sum())


def measure(
    forecasts: Mapping[str, Forecasts], clusters: NDArray[np.intp], rng: np.random.Generator, against: str | None = None
) -> dict[str, dict[str, Interval]]:
    """Return model → metric → interval, by drawing whole `clusters` (n,), the same ones for every model.

    With `against`, "ΔAUC" and so on are a model's metric minus that of the model named so, paired.
    """

    def statistic(weights: NDArray[np.float64] | None) -> dict[str, float]:
        found = {name: one.metrics(weights) for name, one in forecasts.items()}
        flat = {f"{name}|{metric}": value for name, values in found.items() for metric, value in values.items()}
        if against is not None:
            flat |= {
                f"{name}|Δ{metric}": value - found[against][metric]
                for name, values in found.items()
                for metric, value in values.items()
                if name != against
            }
        return flat

    measured: dict[str, dict[str, Interval]] = {name: {} for name in forecasts}
    for key, interval in bootstrap_statistics(statistic, clusters, rng).items():
        name, _, metric = key.rpartition("|")
        measured[name][metric] = interval
    return measured
