"""How far a distribution has moved since a reference: the population stability index and what chance explains of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
LEVEL = 0.99
_PSEUDO_COUNT = 0.5


@dataclass(frozen=True, slots=True)
class Stability:
    """The index, and what it stays below in 99 of 100 samples of the same sizes where nothing has moved."""

    index: float
    by_chance: float


def population_stability(reference: NDArray[np.float64], current: NDArray[np.float64], bins: int = BINS) -> Stability:
    """Return Σ (q − p) ln(q / p) over bins of about equal mass in `reference`, values (n,) and (m,), NaN unknown.

    What is unknown is a bin of its own. Each bin holds half a row more than it has, so that an empty one counts, but
    not without end. Where nothing has moved the index ÷ (1/n + 1/m) is about χ² with bins − 1 degrees of freedom
    (Yurdakul, Naranjo 2020), which small samples make large.
    """
    from scipy.stats import chi2

    edges = _edges(reference[~np.isnan(reference)], bins)
    counts = np.stack([_counts(reference, edges), _counts(current, edges)])
    counts = counts[:, counts.sum(axis=0) > 0]
    shares = (counts + _PSEUDO_COUNT) / (counts + _PSEUDO_COUNT).sum(axis=1, keepdims=True)
    was, now = shares
    index = float((now - was) @ np.log(now / was))
    spread = 1 / len(reference) + 1 / len(current)
    freedom = counts.shape[1] - 1
    return Stability(index, float(chi2.ppf(LEVEL, freedom) * spread) if freedom else 0.0)


def _edges(known: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return where bins begin, between values that differ: few values have a bin each, ties stay together."""
    values, counts = np.unique(known, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
    changes = np.flatnonzero(np.diff(np.floor(middles * bins)))
    return np.asarray((values[changes] + values[changes + 1]) / 2)


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    unknown = np.isnan(values)
    known = np.bincount(np.searchsorted(edges, values[~unknown], side="right"), minlength=len(edges) + 1)
    return np.append(known, unknown.sum()).astype(np.float64)
