"""Bootstrap intervals over tasks or rows, resampling customers because what belongs to one customer is alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its percentile-bootstrap interval (95 %)."""

    mean: float
    low: float
    high: float

    def rounded(self) -> dict[str, float]:
        """Return the interval as it is reported, to six digits."""
        return {"mean": round(self.mean, 6), "low": round(self.low, 6), "high": round(self.high, 6)}


def bootstrap(
    values: Mapping[str, NDArray[np.float64]],
    clusters: NDArray[np.intp],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """Return name → interval of the mean of every (tasks,) column of `values`.

    Whole `clusters` (tasks,) are drawn with replacement (Efron, Tibshirani 1993, ch. 6); the same draws
    serve every column, so that the interval of a column of differences is a paired one.
    """
    names = list(values)
    columns = np.stack([values[name] for name in names], axis=1)
    count = int(clusters.max()) + 1
    sums = np.stack([np.bincount(clusters, column, count) for column in columns.T], axis=1)
    sizes = np.bincount(clusters, minlength=count).astype(np.float64)
    drawn = np.empty((resamples, len(names)))
    for number in range(resamples):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        drawn[number] = times @ sums / (times @ sizes)
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    means = columns.mean(axis=0)
    return {name: Interval(float(m), float(a), float(b)) for name, m, a, b in zip(names, means, low, high, strict=True)}


def bootstrap_statistics(
    statistic: Callable[[NDArray[np.float64] | None], dict[str, float]],
    clusters: NDArray[np.intp],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """Return name → value of `statistic` on all rows, with its interval, where it is more than a mean.

    `statistic` takes how often each row counts (n,), or None for once each; whole `clusters` (n,) are drawn as in
    `bootstrap`. A statistic that is biased on few rows, such as a calibration error, is more so on a draw: its
    interval may lie above the value.
    """
    count = int(clusters.max()) + 1
    values = statistic(None)
    drawn = np.empty((resamples, len(values)))
    for number in range(resamples):
        times = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        drawn[number] = list(statistic(times[clusters]).values())
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    return {
        name: Interval(value, float(a), float(b)) for (name, value), a, b in zip(values.items(), low, high, strict=True)
    }
