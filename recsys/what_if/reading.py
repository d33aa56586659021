"""Reads an audience: everybody whom the event log knows, or a sample of them, as columns."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from recsys.domain.calendar import BankCalendar
from recsys.domain.policy import Policy
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, Purpose
from recsys.domain.vocabulary import UNKNOWN_CHANNEL, Vocabulary
from recsys.interactions.history_columns import KINDS, HistoryColumns
from recsys.ranking.people import (
    ANSWERS,
    AS_THE_POLICY_SAYS,
    NEVER_ASKED,
    NO_COMPLAINT,
    AnswerColumns,
    Occasion,
    Protection,
)
from recsys.ranking.permission import complaint_ends
from recsys.what_if.audience import Audience
from recsys.what_if.rulebook import Rulebook

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int | None], None]
Rows = Iterator[Sequence[Any]]
Ids = Sequence[str] | None
"""The customers to read about; None: everybody."""

NO_FLAGS: frozenset[str] = frozenset()
READ_ALL_FROM = 0.3
"""Share of the customers from which on reading all of them is quicker than looking each one up."""

_TYPES: Mapping[str, tuple[type, ...]] = {"number": (int, float), "text": (str,), "boolean": (bool,)}


class Reader(Protocol):
    """What the audience is read from (`recsys.storage.event_log.EventLog` is one), all of it at one moment.

    Batches of rows, as `recsys.storage.customer_base` says.
    """

    calendar: BankCalendar

    def customer_ids(self) -> list[str]: ...
    def attribute_types(self) -> dict[str, str]: ...
    def own_names(self) -> frozenset[str]: ...
    def everybody(self, of: Ids) -> Rows: ...
    def all_consents(self, of: Ids) -> Rows: ...
    def all_interactions(self, until: datetime, of: Ids) -> Rows: ...
    def all_answers(self, until: datetime, of: Ids) -> Rows: ...
    def open_complaints(self, until: datetime) -> Rows: ...
    def acceptances(self, offer_ids: Sequence[str], today: date) -> dict[str, tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """How many customers to look at, drawn by `rng`; None: everybody."""

    customers: int | None
    rng: np.random.Generator

    def of(self, customer_ids: Sequence[str]) -> list[str]:
        """Return the customers to look at, in order."""
        if self.customers is None or self.customers >= len(customer_ids):
            return list(customer_ids)
        chosen = np.sort(self.rng.choice(len(customer_ids), self.customers, replace=False))
        return [customer_ids[place] for place in chosen.tolist()]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Rows come by the million and form no cycles: looking for some among them takes longer than reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_without_collection()
def read_audience(
    log: Reader, rulebooks: Sequence[Rulebook], occasion: Occasion, sample: Sample, progress: Progress
) -> Audience:
    """Return everybody, or the sample, as known on the occasion: events up to then, facts and consents as they are."""
    every_id = log.customer_ids()
    ids = sample.of(every_id)
    of = ids if len(ids) < READ_ALL_FROM * len(every_id) else None
    row_of = {customer_id: row for row, customer_id in enumerate(ids)}
    offers: dict[str, int] = {}
    facts, flags, risk_level = _read_people(log, of, row_of, progress)
    consents = {purpose: np.full(len(ids), NEVER_ASKED, dtype=np.int8) for purpose in Purpose}
    for rows, (purposes, given) in _known(log.all_consents(of), row_of):
        for row, purpose, is_given in zip(rows, purposes, given, strict=True):
            if purpose in consents:
                consents[Purpose(purpose)][row] = is_given
    interactions, answered = log.all_interactions(occasion.at, of), log.all_answers(occasion.at, of)
    complaint_at, complaint_days = _read_complaints(log, row_of, occasion.at, rulebooks[0].policy)
    history = _read_history(interactions, row_of, offers, progress)
    answers = _read_answers(answered, occasion.channel, row_of, offers, rulebooks[0].policy.words)
    tables = [rulebook.catalogue.table for rulebook in rulebooks]
    capped = sorted({table.offer_ids[column] for table in tables for column in table.capped})
    return Audience(
        occasion,
        _texts(ids),
        facts,
        Protection(risk_level, flags, consents, complaint_at, complaint_days, np.zeros(len(ids), dtype=bool)),
        tuple(offers),
        replace(history, width=len(offers)),
        answers,
        log.acceptances(capped, log.calendar.day_of(occasion.at)) if capped else {},
    )


def _known(batches: Rows, row_of: Mapping[str, int]) -> Iterator[tuple[list[int], tuple[Sequence[Any], ...]]]:
    """Yield the rows of the customers looked at, and the other columns of each batch, whose first is the customer."""
    for batch in batches:
        customers, *columns = zip(*batch, strict=True)
        others: list[Sequence[Any]] = list(columns)
        rows = list(map(row_of.get, customers, repeat(-1)))
        if -1 in rows:
            kept = [place for place, row in enumerate(rows) if row >= 0]
            rows, others = [rows[place] for place in kept], [[one[place] for place in kept] for one in others]
        if rows:
            yield rows, tuple(others)


def _read_people(
    log: Reader, of: Ids, row_of: Mapping[str, int], progress: Progress
) -> tuple["pa.Table", dict[str, NDArray[np.bool_]], NDArray[np.int8]]:
    """Return the facts of everybody as a table, their flags, and their risk level (0: unknown)."""
    import pyarrow as pa

    others = _BUILT_IN.keys() | log.own_names()
    types = {name: kind for name, kind in log.attribute_types().items() if name not in others}
    arrow = {"number": pa.float64(), "text": pa.string(), "boolean": pa.bool_()}
    schema = pa.schema([(name, arrow[kind]) for name, kind in (_BUILT_IN | types).items()])
    parts, done = [], 0
    flags: dict[str, NDArray[np.bool_]] = {name: np.zeros(len(row_of), dtype=bool) for name in FLAGS}
    for rows, (*built_in, flagged, attributes) in _known(log.everybody(of), row_of):
        documents = [orjson.loads(text) for text in attributes]
        held = [frozenset(orjson.loads(text)) if text != "[]" else NO_FLAGS for text in flagged]
        for name, holds in flags.items():
            holds[rows] = [name in one for one in held]
        built_in += [[name in one for one in held] for name in DELIVERED_FLAGS]
        columns = [_column(values, kind) for values, kind in zip(built_in, _BUILT_IN.values(), strict=True)]
        columns += [_column([one.get(name) for one in documents], kind) for name, kind in types.items()]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        parts.append(pa.record_batch(arrays, schema))
        progress("reading customers", done := done + len(rows), len(row_of))
    table = pa.Table.from_batches(parts, schema).combine_chunks()
    return table, flags, np.nan_to_num(table["risk_level"].to_numpy(), nan=0.0).astype(np.int8)


_BUILT_IN = {
    **dict.fromkeys(("kind", "language", "segment"), "text"),
    "risk_level": "number",
    **dict.fromkeys(DELIVERED_FLAGS, "boolean"),
}


def _column(values: Sequence[Any], kind: str) -> list[Any]:
    """Return the values with None for each that is not of its type, as a rule would read it."""
    if kind == "boolean":
        return [value if isinstance(value, bool) else None for value in values]
    wanted = _TYPES[kind]
    return [value if isinstance(value, wanted) and not isinstance(value, bool) else None for value in values]


def _read_complaints(
    log: Reader, row_of: Mapping[str, int], until: datetime, policy: Policy
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when the open complaint of each began that counts longest, and for how many days (−1: the policy's)."""
    began, days = np.full(len(row_of), NO_COMPLAINT), np.full(len(row_of), AS_THE_POLICY_SAYS)
    ends = began.copy()
    for rows, (moments, reasons) in _known(log.open_complaints(until), row_of):
        for row, moment, reason in zip(rows, moments, reasons, strict=True):
            own = policy.words.complaint_days(reason or "")
            lasting = AS_THE_POLICY_SAYS if own is None else own
            if (end := complaint_ends(moment, lasting, policy)) > ends[row]:
                began[row], days[row], ends[row] = moment, lasting, end
    return began, days


def _read_history(
    interactions: Rows, row_of: Mapping[str, int], offers: dict[str, int], progress: Progress
) -> HistoryColumns:
    """Return the columns of everybody's history, and enter their offers in `offers`."""
    numbers = {str(kind): number for number, kind in enumerate(KINDS)}
    parts, done = _Parts(np.int32, np.int32, np.int64, np.int8, np.float64), 0
    for rows, (offer_ids, moments, kinds, weights) in _known(interactions, row_of):
        places = _placed(offer_ids, offers)
        parts.add(rows, places, moments, list(map(numbers.__getitem__, kinds)), weights)
        progress("reading interactions", done := done + len(rows), None)
    rows_, offers_, at, kinds_, weights_ = parts.joined()
    columns = HistoryColumns(rows_, offers_, at, kinds_, weights_, len(offers))
    return columns.where(np.lexsort((columns.at, columns.rows)))


def _read_answers(
    answered: Rows, here: str, row_of: Mapping[str, int], offers: dict[str, int], words: Vocabulary
) -> AnswerColumns:
    numbers = {str(answer): number for number, answer in enumerate(ANSWERS)}
    parts = _Parts(np.int32, np.int32, np.int64, np.int8, np.bool_)
    for rows, (offer_ids, answers, moments, channels) in _known(answered, row_of):
        places = _placed(offer_ids, offers)
        on_channel = [words.channel_or_unknown(channel) in (here, UNKNOWN_CHANNEL) for channel in channels]
        parts.add(rows, places, moments, list(map(numbers.__getitem__, answers)), on_channel)
    columns = AnswerColumns(*parts.joined())
    return columns.where(np.lexsort((columns.at, columns.offers, columns.rows)))


def _placed(offer_ids: Sequence[str], offers: dict[str, int]) -> list[int]:
    """Return the place of each offer in `offers`, where new ones are entered."""
    for offer_id in dict.fromkeys(offer_ids):
        offers.setdefault(offer_id, len(offers))
    return list(map(offers.__getitem__, offer_ids))


class _Parts:
    """Columns that grow batch by batch."""

    def __init__(self, *types: Any) -> None:
        self._types, self._batches = types, [[np.zeros(0, kind)] for kind in types]

    def add(self, *columns: Sequence[Any]) -> None:
        for batches, kind, column in zip(self._batches, self._types, columns, strict=True):
            batches.append(np.array(column, dtype=kind))

    def joined(self) -> tuple[NDArray[Any], ...]:
        """Return each column as one array."""
        self._batches = [[np.concatenate(batches)] for batches in self._batches]
        return tuple(batches[0] for batches in self._batches)


def _texts(values: Sequence[str]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(values, pa.string())
