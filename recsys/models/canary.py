"""The golden canary: real histories with the lists a bundle must give for them, checked before it may serve."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import BundleRefused

HISTORIES = 500
LIST_LENGTH = 10
_TOLERANCE = 1e-3

Scorer = Callable[[Mapping[str, float], Sequence[str]], NDArray[np.float32]]


def record_canary(score: Scorer, histories: Sequence[Mapping[str, float]], offer_ids: Sequence[str]) -> list[Any]:
    """Return for every history, and for none at all, the top offers by `score` with their scores."""
    canary = []
    for history in [{}, *histories]:
        scores = score(history, offer_ids)
        top = np.argsort(-scores, kind="stable")[:LIST_LENGTH]
        listed = [[offer_ids[column], round(float(scores[column]), 6)] for column in top]
        canary.append({"history": dict(history), "top": listed})
    return canary


def check_canary(score: Scorer, canary: Any, offer_ids: Sequence[str], at_least: int) -> None:
    """Raise BundleRefused unless every recorded list comes out again, near-ties excepted.

    Compared by offer id and by score, so that permuted ids, a repeated row or a changed parameter shows.
    """
    try:
        cases = [(dict(case["history"]), [(str(o), float(s)) for o, s in case["top"]]) for case in canary]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleRefused("canary: unreadable") from error
    if len(cases) <= at_least or any(len(top) != min(LIST_LENGTH, len(offer_ids)) for _, top in cases):
        raise BundleRefused(f"canary: fewer than {at_least} histories, or a list of another length")
    place = {offer_id: column for column, offer_id in enumerate(offer_ids)}
    for number, (history, top) in enumerate(cases):
        scores = score(history, offer_ids)
        expected = np.array([value for _, value in top])
        tolerance = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
        columns = [place.get(offer_id, -1) for offer_id, _ in top]
        if -1 in columns or not np.all(np.abs(scores[columns] - expected) <= tolerance):
            raise BundleRefused(f"canary: history {number} no longer gets its scores")
        others = np.delete(scores, columns)
        if others.size and others.max() > expected.min() + tolerance:
            raise BundleRefused(f"canary: history {number} gets another list")
