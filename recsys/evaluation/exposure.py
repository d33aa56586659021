"""Beyond accuracy: which offers the top lists show, how evenly, and whether every group of customers is served."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.ranking_tasks import NO_OFFER


@dataclass(frozen=True, slots=True)
class Exposure:
    """How often each offer was shown (offers,), and whose list shows anything (tasks,), in lists of `length`."""

    shown: NDArray[np.int64]
    is_filled: NDArray[np.bool_]
    length: int

    @property
    def coverage(self) -> float:
        """The share of all offers that at least one list shows."""
        return float((self.shown > 0).mean())

    @property
    def gini(self) -> float:
        """0 where every offer is shown equally often, towards 1 where few take all places."""
        return gini(self.shown)


def exposure_of(lists: NDArray[np.integer[Any]], offers: int) -> Exposure:
    """Return the exposure of `offers` offers in `lists` (tasks, k) of their columns, `NO_OFFER` in empty places."""
    is_shown = lists != NO_OFFER
    return Exposure(np.bincount(lists[is_shown], minlength=offers), is_shown.any(axis=1), lists.shape[1])


def gini(counts: NDArray[np.int64]) -> float:
    """Return the Gini index of `counts` (n,): Σ (2i − n − 1) xᵢ / (n Σ xᵢ), x ascending, i from 1 (Gini 1912)."""
    ordered = np.sort(counts).astype(np.float64)
    size, total = len(ordered), ordered.sum()
    if size == 0 or total == 0:
        return 0.0
    return float((2 * np.arange(1, size + 1) - size - 1) @ ordered / (size * total))


def lorenz_curve(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of offers, least shown first, and the share of all places they have (Lorenz 1905)."""
    ordered = np.concatenate([[0.0], np.cumsum(np.sort(counts))])
    return np.linspace(0.0, 1.0, len(ordered)), ordered / max(ordered[-1], 1.0)


@dataclass(frozen=True, slots=True)
class GroupShare:
    """How one group of customers fares: its size, the mean of a value, and that mean ÷ everybody's."""

    customers: int
    mean: float
    ratio: float


def by_group(values: NDArray[np.float64], groups: NDArray[Any], at_least: int) -> Mapping[str, GroupShare]:
    """Return name → share of every group of at least `at_least` tasks; "" and None are nobody's group.

    `values` and `groups` are (tasks,). The ratio is NaN where everybody's mean is 0.
    """
    overall = float(values.mean()) if len(values) else 0.0
    shares = {}
    named = np.array(["" if name is None else str(name) for name in groups.tolist()])
    for name in np.unique(named).tolist():
        theirs = values[named == name]
        if name and len(theirs) >= at_least:
            mean = float(theirs.mean())
            shares[name] = GroupShare(len(theirs), mean, mean / overall if overall > 0 else float("nan"))
    return shares
