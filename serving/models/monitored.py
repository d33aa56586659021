"""What monitoring reads of a decision and of an answer, and the periods that it counts them in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from recsys.domain.outcome import Answer
from recsys.storage.decision_log import AnsweredOffer

_PERIODS = {"week": timedelta(days=7), "day": timedelta(days=1), "hour": timedelta(hours=1)}
_LEAST_PERIODS = 3
_ANSWERS = {Answer.ACCEPTED: 1.0, Answer.DECLINED: 0.0, Answer.LATER: 0.0}


class Timed(Protocol):
    """Something that happened at a moment."""

    @property
    def moment(self) -> datetime: ...


Row = TypeVar("Row", bound=Timed)


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision: the offers it showed, and the `signals` that the first of them was judged by, with its propensity.

    There are no signals where nothing was shown or who it was for refused profiling.
    """

    moment: datetime
    contact_id: str
    shown: tuple[str, ...]
    is_degraded: bool
    is_explored: bool
    signals: Mapping[str, float | None]
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """One offer that was answered: the chance that was given for it, and 1 where it was accepted."""

    moment: datetime
    propensity_version: str
    propensity: float
    accepted: float


def read_decisions(records: Iterable[Mapping[str, Any]]) -> list[Decided]:
    """Return the decisions of these records."""
    return [_decided(record) for record in records]


def read_answers(answers: Iterable[AnsweredOffer]) -> list[Answered]:
    """Return one row an answered offer, by its last answer: accepted or not; what was not pitched is none.

    Who refused profiling when the decision was made is left out.
    """
    rows: dict[tuple[str, str], Answered] = {}
    for one in answers:
        if one.answer not in _ANSWERS or _refuses(one.record):
            continue
        shown = next((offer for offer in one.record["offers"] if offer["offer_id"] == one.offer_id), None)
        if shown is not None:
            version, chance = one.record["propensity_version"], shown["propensity"]
            key = (one.record["decision_id"], one.offer_id)
            rows[key] = Answered(one.recorded_at, version, chance, _ANSWERS[one.answer])
    return list(rows.values())


def period_of(rows: Sequence[Timed]) -> str:
    """Return the longest of week, day and hour of which these rows span three; else the shortest."""
    moments = [row.moment for row in rows]
    span = max(moments) - min(moments) if moments else timedelta(0)
    return next((name for name, length in _PERIODS.items() if span >= (_LEAST_PERIODS - 1) * length), "hour")


def by_period(rows: Iterable[Row], period: str) -> dict[datetime, list[Row]]:
    """Return the rows by the beginning of their period (weeks begin on Monday, all in UTC), in time order."""
    found: dict[datetime, list[Row]] = {}
    for row in rows:
        found.setdefault(_beginning(row.moment, period), []).append(row)
    return dict(sorted(found.items()))


def judged(rows: Iterable[Decided]) -> list[Decided]:
    """Return the last decision of each contact that has signals: the others say the same thing again."""
    return list({row.contact_id: row for row in rows if row.signals}.values())


def columns_of(rows: Iterable[Decided]) -> dict[str, list[float]]:
    """Return signal → its values in these decisions, NaN where unknown."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.signals.items():
            columns.setdefault(name, []).append(float("nan") if value is None else float(value))
    return columns


def _decided(record: Mapping[str, Any]) -> Decided:
    offers, is_refused = record["offers"], _refuses(record)
    signals = {}
    if offers and not is_refused:
        signals = {**record["signals"], **offers[0]["signals"], "propensity": offers[0]["propensity"]}
    return Decided(
        moment=datetime.fromisoformat(record["made_at"]),
        contact_id=record["contact_id"],
        shown=tuple(one["offer_id"] for one in offers),
        is_degraded=bool(record["degraded_reasons"]),
        is_explored=record["explored_position"] is not None,
        signals=signals,
        is_refused=is_refused,
    )


def _refuses(record: Mapping[str, Any]) -> bool:
    return record["inputs"]["customer"]["consents"].get("profiling") is False


def _beginning(moment: datetime, period: str) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if period == "day" else day - timedelta(days=day.weekday())
