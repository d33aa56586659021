"""Fold-in parity, measured: how close the lists of people unknown in training come to those after a full refit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.leave_one_out import hide_one
from recsys.evaluation.ranking_tasks import evaluate
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from training.folds import Recipe

CUSTOMERS = 500
LIST_LENGTH = 10
_MOST_SHARE = 0.2
_MOST_ROWS = 50_000
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
    places, since longer lists of a small catalogue overlap by necessity. Of more than 50,000 customers so
    many are drawn for all of this: two more fits on everybody would tell nothing else.
    """
    rng = np.random.default_rng(seed)
    if len(interactions.customer_ids) > _MOST_ROWS:
        rows = np.sort(rng.choice(len(interactions.customer_ids), _MOST_ROWS, replace=False))
        interactions, side_features = interactions.of_rows(rows), _side_rows(side_features, rows)
    matrix = interactions.matrix
    able = np.flatnonzero(np.diff(matrix.indptr) >= 2)
    count = min(CUSTOMERS, int(len(able) * _MOST_SHARE))
    if count == 0:
        return None
    drawn = np.sort(rng.choice(able, count, replace=False))
    facts = None if side_features is None else side_features.customers
    whole, tasks = hide_one(interactions, matrix, drawn, rng, facts)
    others = np.setdiff1d(np.arange(matrix.shape[0]), drawn)
    models = [
        recipe.fit(whole.of_rows(others), _side_rows(side_features, others), seed),
        recipe.fit(whole, side_features, seed),
    ]
    length = max(1, min(LIST_LENGTH, matrix.shape[1] // 2))
    found = [evaluate(model, tasks, (_K, length), np.random.default_rng(seed)) for model in models]
    ndcg = [one.values[f"NDCG@{_K}"] for one in found]
    columns = {
        "overlap": _overlap(*(one.lists[:, :length] for one in found)),
        "fold_in": ndcg[0],
        "refit": ndcg[1],
        "difference": ndcg[1] - ndcg[0],
    }
    intervals = bootstrap(columns, tasks.customers, np.random.default_rng(seed))
    return Parity(count, length, **intervals)


def _side_rows(side: SideFeatures | None, rows: NDArray[np.intp]) -> SideFeatures | None:
    if side is None:
        return None
    return SideFeatures(side.customers[rows], side.offers, side.customer_space, side.offer_space)


def _overlap(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return (tasks,) the share of the places in `one` that hold an offer of the same row of `other`."""
    shared = [len(set(a) & set(b)) / max(len(set(a)), 1) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    return np.array(shared)
