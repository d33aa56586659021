"""The golden canary: real customers with the lists a bundle must give for them, checked before it may serve."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import BundleRefused
from recsys.domain.facts import Facts
from recsys.interactions.side_features import About

HISTORIES = 500
LIST_LENGTH = 10
_TOLERANCE = 1e-3

Scorer = Callable[[Mapping[str, float], Sequence[str], About], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Case:
    """One customer to score: history (offer → weight), facts, and facts of offers that training did not know."""

    history: Mapping[str, float]
    customer: Facts
    new_offers: Mapping[str, Facts]


def record_canary(score: Scorer, cases: Sequence[Case], offer_ids: Sequence[str]) -> list[Any]:
    """Return for every case, and for somebody of whom nothing is known, the top offers with their scores."""
    canary = []
    for case in [Case({}, {}, {}), *cases]:
        asked = [*offer_ids, *case.new_offers]
        scores = score(case.history, asked, About(case.customer, case.new_offers))
        top = np.argsort(-scores, kind="stable")[:LIST_LENGTH]
        listed = [[asked[column], round(float(scores[column]), 6)] for column in top]
        new = {name: dict(facts) for name, facts in case.new_offers.items()}
        canary.append({"history": dict(case.history), "customer": dict(case.customer), "new": new, "top": listed})
    return canary


def check_canary(score: Scorer, canary: Any, offer_ids: Sequence[str], at_least: int) -> None:
    """Raise BundleRefused unless every recorded list comes out again, near-ties excepted.

    Compared by offer id and by score, so that permuted ids, a repeated row or a changed parameter shows.
    """
    try:
        cases = [
            (Case(dict(c["history"]), dict(c["customer"]), dict(c["new"])), [(str(o), float(s)) for o, s in c["top"]])
            for c in canary
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleRefused("canary: unreadable") from error
    if len(cases) <= at_least or any(
        len(top) != min(LIST_LENGTH, len(offer_ids) + len(c.new_offers)) for c, top in cases
    ):
        raise BundleRefused(f"canary: fewer than {at_least} histories, or a list of another length")
    for number, (case, top) in enumerate(cases):
        _check_list(score, case, top, [*offer_ids, *case.new_offers], number)


def _check_list(score: Scorer, case: Case, top: Sequence[tuple[str, float]], asked: Sequence[str], number: int) -> None:
    place = {offer_id: column for column, offer_id in enumerate(asked)}
    columns = [place.get(offer_id, -1) for offer_id, _ in top]
    scores = score(case.history, asked, About(case.customer, case.new_offers))
    expected = np.array([value for _, value in top])
    tolerance = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if -1 in columns or not np.all(np.abs(scores[columns] - expected) <= tolerance):
        raise BundleRefused(f"canary: history {number} no longer gets its scores")
    others = np.delete(scores, columns)
    if others.size and others.max() > expected.min() + tolerance:
        raise BundleRefused(f"canary: history {number} gets another list")
