"""Whether a fitted model tells customers and offers apart: scores that say nothing look like any others."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.models.base import RelevanceModel

MOST_ROWS = 500
_FLAT = 4e-6
"""Of a row's largest score (at least 1): what popularity adds to break ties, and rounding, spread no further."""

_ROUNDING = 2e-6
"""Of a row's largest score: closer together, two scores in single precision may be the same."""


class Sameness(StrEnum):
    """What is wrong with scores, as a sentence goes on after the model's name."""

    FLAT = "gives all offers the same score, or nearly, for most customers with a history"
    IMPERSONAL = "ranks offers alike for everybody, whatever their history says"


@dataclass(frozen=True, slots=True)
class _Sample:
    scores: NDArray[np.float32]
    is_open: NDArray[np.bool_]


def sameness_of(
    model: RelevanceModel, histories: csr_matrix, facts: csr_matrix | None, rng: np.random.Generator
) -> Sameness | None:
    """Return what is wrong with how `model` scores a sample of `histories`; None: nothing, or nobody has a history.

    What a history holds is left out, as it is of lists. Popularity ranks alike for everybody by design.
    """
    able = np.flatnonzero(np.diff(histories.indptr) > 0)
    if len(able) == 0:
        return None
    rows = np.sort(rng.choice(able, min(MOST_ROWS, len(able)), replace=False))
    scores = model.score(histories[rows], np.arange(histories.shape[1]), None if facts is None else facts[rows])
    sample = _Sample(scores, histories[rows].toarray() <= 0)
    if np.median(_spreads(sample)) <= _FLAT:
        return Sameness.FLAT
    if model.name != "popularity" and len(rows) > 1 and _is_one_order(sample):
        return Sameness.IMPERSONAL
    return None


def _spreads(sample: _Sample) -> NDArray[np.float64]:
    """Return (rows,) how far the scores of open offers lie apart, relative to the largest score but to at least 1."""
    high = np.where(sample.is_open, sample.scores, -np.inf).max(axis=1)
    low = np.where(sample.is_open, sample.scores, np.inf).min(axis=1)
    spread = np.where(np.isfinite(high) & np.isfinite(low), high - low, np.inf)
    return np.asarray(spread / np.maximum(1.0, np.abs(sample.scores).max(axis=1)), dtype=np.float64)


def _is_one_order(sample: _Sample) -> bool:
    """Return whether there is one order of all offers that every row's open offers follow, but for ties."""
    centred = sample.scores - sample.scores.mean(axis=1, keepdims=True)
    order = np.argsort(-np.median(centred, axis=0), kind="stable")
    scores, is_open = sample.scores[:, order], sample.is_open[:, order]
    lowest_before = np.minimum.accumulate(np.where(is_open, scores, np.inf), axis=1)
    room = _ROUNDING * np.abs(scores).max(axis=1, keepdims=True)
    return bool((~is_open | (scores <= lowest_before + room)).all())
