"""Beyond accuracy: which offers the top lists show, how evenly, and whether every group of customers is served."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.evaluation.ranking_tasks import RankingTasks
from recsys.models.base import RelevanceModel

_BATCH_SCORES = 4_000_000
NO_OFFER = -1
"""What stands in a list where no offer was left."""


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


def exposure_of(lists: NDArray[np.intp], offers: int) -> Exposure:
    """Return the exposure of `offers` offers in `lists` (tasks, k) of their columns, `NO_OFFER` in empty places."""
    is_shown = lists != NO_OFFER
    return Exposure(np.bincount(lists[is_shown], minlength=offers), is_shown.any(axis=1), lists.shape[1])


def top_lists(
    model: RelevanceModel,
    tasks: RankingTasks,
    length: int,
    rng: np.random.Generator,
    facts: csr_matrix | None = None,
) -> NDArray[np.intp]:
    """Return the best columns (tasks, ≤ `length`) for every task, best first; equal scores in an order of `rng`.

    `facts` are the encoded facts of each task's customer, where the model uses any.
    """
    count, offers = tasks.relevant.shape
    batch = max(1, _BATCH_SCORES // offers)
    parts = []
    for start in range(0, count, batch):
        rows = slice(start, min(start + batch, count))
        people = None if facts is None else facts[rows]
        scores = model.score(tasks.histories[rows], np.arange(offers), people).astype(np.float64)
        if tasks.excluded is not None:
            scores[tasks.excluded[rows].nonzero()] = -np.inf
        if tasks.eligible is not None:
            scores[tasks.eligible[rows].toarray() == 0] = -np.inf
        order = np.lexsort((rng.random(scores.shape), -scores), axis=1)[:, :length]
        parts.append(np.where(np.isneginf(np.take_along_axis(scores, order, axis=1)), NO_OFFER, order))
    return np.concatenate(parts)


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


def by_group(values: NDArray[np.float64], groups: NDArray[np.str_], at_least: int) -> Mapping[str, GroupShare]:
    """Return name → share of every group of at least `at_least` tasks; "" is nobody's group.

    `values` and `groups` are (tasks,). The ratio is NaN where everybody's mean is 0.
    """
    overall = float(values.mean()) if len(values) else 0.0
    shares = {}
    for name in np.unique(groups).tolist():
        theirs = values[groups == name]
        if name and len(theirs) >= at_least:
            mean = float(theirs.mean())
            shares[name] = GroupShare(len(theirs), mean, mean / overall if overall > 0 else float("nan"))
    return shares
