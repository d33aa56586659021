"""Bootstrap intervals of means over tasks, resampling customers because tasks of one customer are alike."""

from collections.abc import Mapping
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
