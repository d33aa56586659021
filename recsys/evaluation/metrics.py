"""Ranking metrics of single tasks, from where the relevant offers stand in each ranking."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hits = NDArray[np.bool_]
"""(tasks, positions): whether the offer at this position, best first, is relevant."""

Counts = NDArray[np.int64]
"""(tasks,): how many offers are relevant, at least 1."""

Values = NDArray[np.float64]
"""(tasks,): the value of a metric for each task."""


def hit_rate(hits: Hits, k: int) -> Values:
    """Return 1 where one of the first k is relevant, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def recall(hits: Hits, relevant: Counts, k: int) -> Values:
    """Return hits in the first k / relevant offers."""
    return np.asarray(hits[:, :k].sum(axis=1) / relevant)


def precision(hits: Hits, k: int) -> Values:
    """Return hits in the first k / k, also where fewer than k offers were ranked."""
    return np.asarray(hits[:, :k].sum(axis=1) / k)


def ndcg(hits: Hits, relevant: Counts, k: int) -> Values:
    """Return the discounted cumulative gain of binary gains over that of the ideal list of k.

    Järvelin, Kekäläinen (2002), with the discount 1 / log₂(position + 1).
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    gained = hits[:, :k] @ discounts[: hits.shape[1]]
    return np.asarray(gained / np.cumsum(discounts)[np.minimum(relevant, k) - 1])


def average_precision(hits: Hits, relevant: Counts, k: int) -> Values:
    """Return the precision at each hit of the first k, averaged over min(relevant, k); its mean is MAP@k."""
    top = hits[:, :k]
    precisions = top.cumsum(axis=1) / np.arange(1, top.shape[1] + 1)
    return np.asarray((precisions * top).sum(axis=1) / np.minimum(relevant, k))


def reciprocal_rank(first: Counts) -> Values:
    """Return 1 / `first` (tasks,), the position of the first relevant offer from 1 on, or 0 where none was ranked."""
    return np.asarray(np.where(first > 0, 1.0 / np.maximum(first, 1), 0.0))


def ranking_metrics(hits: Hits, relevant: Counts, ks: Sequence[int]) -> dict[str, Values]:
    """Return every metric of lists of length k by its name in reports, such as "NDCG@5", for each task."""
    values: dict[str, Values] = {}
    for k in ks:
        values[f"HR@{k}"] = hit_rate(hits, k)
        values[f"Recall@{k}"] = recall(hits, relevant, k)
        values[f"Precision@{k}"] = precision(hits, k)
        values[f"NDCG@{k}"] = ndcg(hits, relevant, k)
        values[f"MAP@{k}"] = average_precision(hits, relevant, k)
    return values
