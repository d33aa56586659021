"""Fold-in parity, measured: how close the lists of people unknown in training come to those after a full refit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.evaluation.exposure import top_lists
from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.ranking_tasks import RankingTasks, evaluate
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from training.folds import Recipe

CUSTOMERS = 500
LIST_LENGTH = 10
_MOST_SHARE = 0.2
_K = 5


@dataclass(frozen=True, slots=True)
class Parity:
    """The overlap of both lists of `list_length`, and the NDCG@5 with which each finds one offer that was hidden."""

    customers: int
    list_length: int
    overlap: Interval
    fold_in: Interval
    refit: Interval
    difference: Interval
    """Refit − fold-in, paired."""


def measure_parity(
    recipe: Recipe, interactions: InteractionMatrix, side_features: SideFeatures | None, seed: int
) -> Parity | None:
    """Score the same customers by a model that never saw them and by one that did; None where too few can be asked.

    Up to 500 customers with two offers or more (at most a fifth of these) are drawn, and one offer of each
    is hidden from both models. One model is fitted without these customers, the other with what is left of
    them, from the same seed. Lists leave out what the history holds and have min(10, half of all offers)
    places, since longer lists of a small catalogue overlap by necessity.
    """
    rng = np.random.default_rng(seed)
    matrix = interactions.matrix
    able = np.flatnonzero(np.diff(matrix.indptr) >= 2)
    count = min(CUSTOMERS, int(len(able) * _MOST_SHARE))
    if count == 0:
        return None
    drawn = np.sort(rng.choice(able, count, replace=False))
    hidden = matrix.indptr[drawn] + rng.integers(0, np.diff(matrix.indptr)[drawn])
    is_left = np.ones(matrix.nnz, dtype=bool)
    is_left[hidden] = False
    whole = _entries(interactions, is_left)
    tasks = _tasks(whole, drawn, matrix.indices[hidden])
    others = np.setdiff1d(np.arange(matrix.shape[0]), drawn)
    models = [
        recipe.fit(_rows(whole, others), _side_rows(side_features, others), seed),
        recipe.fit(whole, side_features, seed),
    ]
    facts = None if side_features is None else side_features.customers[drawn]
    length = max(1, min(LIST_LENGTH, matrix.shape[1] // 2))
    lists = [top_lists(model, tasks, length, np.random.default_rng(seed), facts) for model in models]
    found = [evaluate(model, tasks, (_K,), np.random.default_rng(seed)).values[f"NDCG@{_K}"] for model in models]
    columns = {
        "overlap": _overlap(*lists),
        "fold_in": found[0],
        "refit": found[1],
        "difference": found[1] - found[0],
    }
    intervals = bootstrap(columns, tasks.customers, np.random.default_rng(seed))
    return Parity(count, length, **intervals)


def _tasks(whole: InteractionMatrix, rows: NDArray[np.intp], hidden: NDArray[np.intp]) -> RankingTasks:
    """Return one task a row: find the hidden offer without what the rest of the history holds."""
    histories = whole.matrix[rows]
    places = np.arange(len(rows))
    relevant = csr_matrix((np.ones(len(rows), dtype=np.float32), (places, hidden)), shape=histories.shape)
    return RankingTasks(histories, relevant, places, excluded=histories)


def _entries(interactions: InteractionMatrix, is_left: NDArray[np.bool_]) -> InteractionMatrix:
    """Return the same rows and columns with only the entries of `is_left` (entries,)."""
    matrix, ages = interactions.matrix, interactions.age_days
    starts = np.concatenate([[0], np.cumsum(is_left)])[matrix.indptr].astype(matrix.indptr.dtype)
    kept = csr_matrix((matrix.data[is_left], matrix.indices[is_left], starts), shape=matrix.shape)
    left = None if ages is None else ages[is_left]
    return InteractionMatrix(kept, interactions.customer_ids, interactions.offer_ids, left)


def _rows(interactions: InteractionMatrix, rows: NDArray[np.intp]) -> InteractionMatrix:
    """Return only the given rows, in order, and all columns."""
    matrix, ages = interactions.matrix, interactions.age_days
    is_kept = np.zeros(matrix.shape[0], dtype=bool)
    is_kept[rows] = True
    left = None if ages is None else ages[np.repeat(is_kept, np.diff(matrix.indptr))]
    names = tuple(interactions.customer_ids[row] for row in rows.tolist())
    return InteractionMatrix(matrix[rows], names, interactions.offer_ids, left)


def _side_rows(side: SideFeatures | None, rows: NDArray[np.intp]) -> SideFeatures | None:
    if side is None:
        return None
    return SideFeatures(side.customers[rows], side.offers, side.customer_space, side.offer_space)


def _overlap(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (tasks,) the share of the places in `one` that hold an offer of the same row of `other`."""
    shared = [len(set(a) & set(b)) / max(len(set(a)), 1) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    return np.array(shared)
