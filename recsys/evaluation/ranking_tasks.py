"""Ranking tasks: what a model knows of a customer, what it may rank, and what turned out to be right."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.evaluation.metrics import ranking_metrics, reciprocal_rank
from recsys.models.base import RelevanceModel

_BATCH_SCORES = 4_000_000
_LEFT_OUT = np.iinfo(np.int64).min
NO_OFFER = -1
"""What stands in a list where no offer was left."""

Step = Callable[[int, int], None]
"""Called with (tasks done, of how many)."""


@dataclass(frozen=True, slots=True)
class RankingTasks:
    """n tasks over the same offers; every matrix is sparse (n, offers), and every task has a relevant offer.

    `excluded` offers are left out of the ranking; with `eligible`, so is every offer not in it.
    `customers` (n,) numbers the customer of each task from 0; `facts` (n, f) are their encoded facts, and
    `segments` (n,) the names of their segments, None where unknown.
    """

    histories: csr_matrix
    relevant: csr_matrix
    customers: NDArray[np.intp]
    excluded: csr_matrix | None = None
    eligible: csr_matrix | None = None
    facts: csr_matrix | None = None
    segments: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return int(self.relevant.shape[0])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model's value for each task by metric, the share of offers its top lists show, and the time it took.

    `lists` (tasks, longest k) are the columns ranked, best first, with `NO_OFFER` in empty places.
    """

    values: dict[str, NDArray[np.float64]]
    coverage: dict[str, float]
    score_seconds: float
    lists: NDArray[np.int32]


def evaluate(
    model: RelevanceModel, tasks: RankingTasks, ks: Sequence[int], rng: np.random.Generator, step: Step | None = None
) -> Evaluation:
    """Rank all offers for every task; offers with equal scores come in an order drawn from `rng`."""
    count, offers = tasks.relevant.shape
    batch = max(1, _BATCH_SCORES // offers)
    parts, lists, seconds = [], [], 0.0
    for start in range(0, count, batch):
        rows = slice(start, min(start + batch, count))
        started = time.perf_counter()
        facts = tasks.facts[rows] if tasks.facts is not None else None
        scores = model.score(tasks.histories[rows], np.arange(offers), facts)
        seconds += time.perf_counter() - started
        keys = _sort_keys(_leave_out(scores, tasks, rows), rng)
        top = _top(keys, max(ks))
        is_ranked = np.take_along_axis(keys, top, axis=1) > _LEFT_OUT
        relevant = tasks.relevant[rows].toarray() > 0
        hits = np.take_along_axis(relevant, top, axis=1) & is_ranked
        values = ranking_metrics(hits, relevant.sum(axis=1), ks)
        values["MRR"] = reciprocal_rank(_first_hit(keys, relevant))
        parts.append(values)
        lists.append(np.where(is_ranked, top, NO_OFFER).astype(np.int32))
        if step:
            step(rows.stop, count)
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    ranked = np.concatenate(lists)
    coverage = {f"coverage@{k}": float((np.unique(ranked[:, :k]) != NO_OFFER).sum() / offers) for k in ks}
    return Evaluation(values, coverage, seconds, ranked)


def _leave_out(scores: NDArray[np.float32], tasks: RankingTasks, rows: slice) -> NDArray[np.float32]:
    scores = scores.copy()
    if tasks.excluded is not None:
        scores[tasks.excluded[rows].nonzero()] = -np.inf
    if tasks.eligible is not None:
        scores[tasks.eligible[rows].toarray() == 0] = -np.inf
    return scores


def _sort_keys(scores: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return integers that sort as `scores` do and, where those are equal, at random; `_LEFT_OUT` for −∞."""
    bits = (scores + np.float32(0)).view(np.int32)  # adding 0 makes −0 equal to 0
    ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
    keys = (ordered << 32) | rng.integers(0, 2**32, scores.shape, dtype=np.uint32)
    keys[np.isneginf(scores)] = _LEFT_OUT
    return keys


def _top(keys: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """Return the columns of the `most` largest keys of each row, largest first."""
    most = min(most, keys.shape[1])
    top = np.argpartition(keys, keys.shape[1] - most, axis=1)[:, -most:]
    inner = np.argsort(np.take_along_axis(keys, top, axis=1), axis=1)[:, ::-1]
    return np.take_along_axis(top, inner, axis=1)


def _first_hit(keys: NDArray[np.int64], relevant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the position, from 1 on, of each row's best relevant offer; 0 where all of them are left out."""
    best = np.where(relevant, keys, _LEFT_OUT).max(axis=1)
    return np.where(best > _LEFT_OUT, (keys >= best[:, None]).sum(axis=1), 0)
