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
    """Return for every case, and for somebody unknown, the top offers and what all scores amount to."""
    canary = []
    for case in [Case({}, {}, {}), *cases]:
        asked = [*offer_ids, *case.new_offers]
        scores = score(case.history, asked, About(case.customer, case.new_offers))
        top = np.argsort(-scores, kind="stable")[:LIST_LENGTH]
        listed = [[asked[column], round(float(scores[column]), 6)] for column in top]
        new = {name: dict(facts) for name, facts in case.new_offers.items()}
        entry = {"history": dict(case.history), "customer": dict(case.customer), "new": new}
        canary.append({**entry, "top": listed, "all": [round(number, 6) for number in _amounts(scores)]})
    return canary


def check_canary(score: Scorer, canary: Any, offer_ids: Sequence[str], at_least: int) -> None:
    """Raise BundleRefused unless every recorded list comes out again, near-ties excepted.

    Compared by offer id and by score, so that permuted ids, a repeated row or a changed parameter shows,
    and by mean and deviation of all scores, so that no offer changes below the lists either.
    """
    try:
        cases = [_Expected.read(entry) for entry in canary]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleRefused("canary: unreadable") from error
    lengths = [(len(one.top), min(LIST_LENGTH, len(offer_ids) + len(one.case.new_offers))) for one in cases]
    if len(cases) <= at_least or any(found != due for found, due in lengths):
        raise BundleRefused(f"canary: fewer than {at_least} histories, or a list of another length")
    for number, one in enumerate(cases):
        _check_list(score, one, [*offer_ids, *one.case.new_offers], number)


@dataclass(frozen=True, slots=True)
class _Expected:
    case: Case
    top: Sequence[tuple[str, float]]
    amounts: tuple[float, float]

    @classmethod
    def read(cls, entry: Any) -> "_Expected":
        case = Case(dict(entry["history"]), dict(entry["customer"]), dict(entry["new"]))
        mean, deviation = (float(number) for number in entry["all"])
        return cls(case, [(str(offer), float(value)) for offer, value in entry["top"]], (mean, deviation))


def _amounts(scores: NDArray[np.float32]) -> tuple[float, float]:
    return float(scores.mean(dtype=np.float64)), float(scores.std(dtype=np.float64))


def _check_list(score: Scorer, expected: _Expected, asked: Sequence[str], number: int) -> None:
    place = {offer_id: column for column, offer_id in enumerate(asked)}
    columns = [place.get(offer_id, -1) for offer_id, _ in expected.top]
    scores = score(expected.case.history, asked, About(expected.case.customer, expected.case.new_offers))
    due = np.array([value for _, value in expected.top])
    tolerance = _TOLERANCE * max(1.0, float(np.abs(due).max()))
    if -1 in columns or not np.all(np.abs(scores[columns] - due) <= tolerance):
        raise BundleRefused(f"canary: history {number} no longer gets its scores")
    others = np.delete(scores, columns)
    if others.size and others.max() > due.min() + tolerance:
        raise BundleRefused(f"canary: history {number} gets another list")
    if not np.allclose(_amounts(scores), expected.amounts, rtol=_TOLERANCE, atol=tolerance):
        raise BundleRefused(f"canary: history {number} has other scores below its list")
