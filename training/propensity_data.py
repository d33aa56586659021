"""From answered offers in the event log to rows: what was known at the decision, and the answer."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.offline import OfflineFeatures
from features.person_signals import person_signals
from features.service_names import PROPENSITY_SERVICE
from features.skew import FeatureSkew, measure_skew, told_features
from recsys.domain.errors import ImportInvalid
from recsys.domain.outcome import Answer
from recsys.models.propensity_model import LINEAR
from recsys.ranking.signals import is_of_contact
from recsys.storage.decision_log import AnsweredOffer
from training.config import Progress

LEAST_ANSWERS, LEAST_ACCEPTED = 500, 30
EVALUATION_SHARE = 0.05
_SERVED_BY_FEAST = 4
"""The format of records from which on a decision was told of a person what the tables say."""
_JUST_BEFORE = timedelta(microseconds=1)
_SALT = "propensity evaluation slice"
_OTHER = "to decisions of another relevance version"
_WANTED = {Answer.ACCEPTED: 1.0, Answer.DECLINED: 0.0, Answer.LATER: 0.0}


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """Answered offers in time order: a `table` (n, signals) with NaN where unknown, and columns (n,) beside it.

    `declared` is the propensity (0–1) that was logged, `customers` the place of each row's customer; `in_evaluation`
    marks the rows of customers who are never fitted or calibrated on.
    """

    signals: tuple[str, ...]
    table: NDArray[np.float64]
    answers: NDArray[np.float64]
    declared: NDArray[np.float64]
    customers: NDArray[np.intp]
    moments: tuple[datetime, ...]
    in_evaluation: NDArray[np.bool_]
    left_out: Mapping[str, int]
    relevance: str
    """The relevance version whose signals the rows are."""
    skew: tuple[FeatureSkew, ...] = ()
    """How the person's signals that were logged differ from those that are learned from."""

    def __len__(self) -> int:
        return len(self.answers)

    def select(self, rows: NDArray[Any]) -> "AnsweredRows":
        """Return these rows only, in the same order; `rows` is a mask or rising places."""
        places = np.arange(len(self))[rows]
        return replace(
            self,
            table=self.table[places],
            answers=self.answers[places],
            declared=self.declared[places],
            customers=self.customers[places],
            moments=tuple(self.moments[place] for place in places),
            in_evaluation=self.in_evaluation[places],
        )

    def window(self) -> dict[str, Any]:
        """Return count, first and last moment and a digest that changes with every signal and answer."""
        digest = hashlib.sha256("|".join(self.signals).encode())
        for column in (self.table, self.answers, self.declared):
            digest.update(np.ascontiguousarray(column).tobytes())
        return {
            "answers": len(self),
            "accepted": int(self.answers.sum()),
            "first": self.moments[0].isoformat(),
            "last": self.moments[-1].isoformat(),
            "digest": digest.hexdigest(),
            "relevance": self.relevance,
        }


@dataclass(frozen=True, slots=True)
class _Row:
    signals: Mapping[str, float | None]
    logged: Mapping[str, float | None] | None
    answer: float
    declared: float
    customer_id: str
    made_at: datetime
    moment: datetime


PersonSignals = Callable[[Sequence[str], Sequence[datetime]], Mapping[str, NDArray[np.float64]]]
"""What was known of each person at the moment beside them: signal → (n,) with NaN where unknown."""


def through_feast(features: OfflineFeatures, progress: Progress | None = None) -> PersonSignals:
    """Return the person's signals as the service of the propensity model gives them, as of each decision."""

    def known(customer_ids: Sequence[str], moments: Sequence[datetime]) -> Mapping[str, NDArray[np.float64]]:
        return person_signals(features.known_at(PROPENSITY_SERVICE, customer_ids, moments, progress), moments)

    return known


def read_answers(
    answered: Iterable[AnsweredOffer],
    relevance: str,
    people: PersonSignals,
    code: Mapping[str, str] = MappingProxyType({}),
) -> AnsweredRows:
    """Return one row an offer of a decision, by its last answer; what was not pitched is none.

    The signals of the person come from `people`, as of the decision and in any case before its first answer. Those of
    the contact and of the offer in it (channel, mood, intent, relevance, base rate, what this customer declined before)
    are as they were logged then.
    `code` is what the bank's functions are now: what another one told a decision is not held against the tables.
    Left out, and counted: who refused profiling when the decision was made, decisions that logged no signals, and
    those that another version than `relevance` made, whose scores do not lie on the same scale.
    Raises ImportInvalid when fewer than `LEAST_ANSWERS` remain, or fewer than `LEAST_ACCEPTED` of either kind.
    """
    rows: dict[tuple[str, str], _Row] = {}
    left_out = {"who refused profiling": 0, "without logged signals": 0, _OTHER: 0}
    first_answers: dict[str, datetime] = {}
    for one in answered:
        first_answer = first_answers.setdefault(one.record["decision_id"], one.recorded_at)
        if one.answer not in _WANTED:
            continue
        if one.record["inputs"]["customer"]["consents"].get("profiling") is False:
            left_out["who refused profiling"] += 1
            continue
        if one.record["model_version"] != relevance:
            left_out[_OTHER] += 1
            continue
        shown = next((offer for offer in one.record["offers"] if offer["offer_id"] == one.offer_id), None)
        if shown is None or not shown.get("signals"):
            left_out["without logged signals"] += 1
            continue
        key = (one.record["decision_id"], one.offer_id)
        rows.pop(key, None)  # so that the row stands where its last answer does
        rows[key] = _row_of(one, shown, first_answer, code)
    _check_enough([*rows.values()], left_out)
    answered_rows = [*rows.values()]
    known = _of_people(answered_rows, people)
    joined = [
        replace(row, signals={**of_person, **row.signals}) for row, of_person in zip(answered_rows, known, strict=True)
    ]  # a signal of the contact goes before one of that name
    return replace(_in_columns(joined, left_out, relevance), skew=_skew(answered_rows, known))


def _row_of(one: AnsweredOffer, shown: Mapping[str, Any], first_answer: datetime, code: Mapping[str, str]) -> _Row:
    logged = one.record.get("signals", {})
    of_contact = {name: value for name, value in logged.items() if is_of_contact(name)}
    is_served = one.record.get("format", 0) >= _SERVED_BY_FEAST and not one.record["degraded_reasons"]
    told = told_features(one.record["inputs"], code) if is_served else {}
    return _Row(
        {**of_contact, **shown["signals"]},
        {name: logged.get(name) for name in told if not is_of_contact(name)} if is_served else None,
        _WANTED[one.answer],
        shown["propensity"],
        one.record["customer_id"],
        min(datetime.fromisoformat(one.record["made_at"]), first_answer - _JUST_BEFORE),
        one.recorded_at,
    )


def _of_people(rows: Sequence[_Row], people: PersonSignals) -> list[dict[str, float | None]]:
    """Return what was known of the person of each row when the decision was made."""
    known = people([row.customer_id for row in rows], [row.made_at for row in rows])
    columns = {name: [None if value != value else value for value in values.tolist()] for name, values in known.items()}
    return [{name: values[place] for name, values in columns.items()} for place in range(len(rows))]


def _skew(rows: Sequence[_Row], known: Sequence[Mapping[str, float | None]]) -> tuple[FeatureSkew, ...]:
    """Compare what was logged of each person with what is learned from; degraded and old decisions say nothing.

    A feature is compared in the decisions that it was served to. Text is no signal of either.
    """
    pairs = [(row.logged, joined) for row, joined in zip(rows, known, strict=True) if row.logged is not None]
    signals = {name for logged, joined in pairs for name in (*joined, *(n for n in logged if logged[n] is not None))}
    told = [{name: value for name, value in logged.items() if name in signals} for logged, _ in pairs]
    return measure_skew(told, [joined for _, joined in pairs])


def is_in_evaluation(customer_id: str) -> bool:
    """Return whether the customer is one of the fixed 5 % that no propensity model is ever fitted on."""
    digest = hashlib.sha256(f"{_SALT}|{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < EVALUATION_SHARE * 2**64


def _check_enough(rows: list[_Row], left_out: Mapping[str, int]) -> None:
    accepted = int(sum(row.answer for row in rows))
    if len(rows) >= LEAST_ANSWERS and min(accepted, len(rows) - accepted) >= LEAST_ACCEPTED:
        return
    without = " and ".join(f"{count} {what}" for what, count in left_out.items() if count)
    raise ImportInvalid(
        f"There are {len(rows)} matured answers to learn from, {accepted} of them accepted"
        f"{f' (left out: {without})' if without else ''}; {LEAST_ANSWERS} are needed, {LEAST_ACCEPTED} of each kind. "
        f"The declared weights go on serving.{_ADVICE if left_out[_OTHER] else ''}"
    )


_ADVICE = " With --relevance V, V scores again what other versions decided."


def _in_columns(rows: list[_Row], left_out: Mapping[str, int], relevance: str) -> AnsweredRows:
    names = {name for row in rows for name, value in row.signals.items() if isinstance(value, bool | int | float)}
    signals = (*LINEAR, *sorted(names - set(LINEAR)))
    place = {name: column for column, name in enumerate(signals)}
    table = np.full((len(rows), len(signals)), np.nan)
    for number, row in enumerate(rows):
        for name, value in row.signals.items():
            if isinstance(value, bool | int | float):
                table[number, place[name]] = value
    varies = np.nanmax(np.nan_to_num(table), axis=0) > np.nanmin(np.nan_to_num(table), axis=0)
    varies[: len(LINEAR)] = True  # a signal that is always the same says nothing
    customers = np.unique([row.customer_id for row in rows], return_inverse=True)[1]
    return AnsweredRows(
        tuple(name for name, is_kept in zip(signals, varies, strict=True) if is_kept),
        table[:, varies],
        np.array([row.answer for row in rows]),
        np.array([row.declared for row in rows], dtype=np.float64),
        customers,
        tuple(row.moment for row in rows),
        np.array([is_in_evaluation(row.customer_id) for row in rows]),
        left_out,
        relevance,
    )
