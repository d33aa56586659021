"""What is known of customers and offers beside their interactions, as the indicator columns that models read."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.facts import Facts, FactValue

_BANDS = 8
_MOST_VALUES = 50
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCH = date(1970, 1, 1)


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """Which fact stands in which column: a text or truth value has a column of its own, a number the one of its band.

    `bands` are the inner edges by fact, `columns` the names, such as "segment=affluent" or "age=2" (the
    third band). A fact or value that training never saw has no column and says nothing.
    """

    bands: Mapping[str, tuple[float, ...]] = field(default_factory=_nothing)
    columns: tuple[str, ...] = ()
    _place: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", {name: place for place, name in enumerate(self.columns)})

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def facts(self) -> dict[str, list[int]]:
        """The facts that have a column, by name, each with the places of its columns."""
        found: dict[str, list[int]] = {}
        for place, name in enumerate(self.columns):
            found.setdefault(name.partition("=")[0], []).append(place)
        return dict(sorted(found.items()))

    @classmethod
    def of_columns(cls, facts: Mapping[str, NDArray[Any]], at_least: int = 1) -> "FeatureSpace":
        """Return the space of parallel fact columns (n,): numbers and dates in eighths, at most 50 values of a text.

        A value fewer than `at_least` rows have gets no column, so that nobody can be told apart by it.
        """
        bands, names = {}, []
        for fact in sorted(facts):
            values = _as_numbers(facts[fact])
            if _is_number(values):
                known = values[np.isfinite(values)]
                edges = np.unique(np.quantile(known, np.arange(1, _BANDS) / _BANDS)) if len(known) else known
                if len(edges) and edges[-1] > known.min():  # what is the same for all says nothing
                    bands[fact] = tuple(edges[edges > known.min()].tolist())
            labels, counts = np.unique(_labels(fact, values, bands.get(fact)), return_counts=True)
            frequent = np.lexsort((labels, -counts))[:_MOST_VALUES]
            names += [str(labels[place]) for place in frequent if labels[place] and counts[place] >= at_least]
        return cls(bands, tuple(sorted(names)))

    @classmethod
    def of_rows(cls, rows: Sequence[Facts]) -> "FeatureSpace":
        """Return the space of a few rows of facts, of which each may hold several values."""
        names = sorted({name for row in rows for name in row})
        numbers = {n: np.array([row[n] for row in rows if _is_plain_number(row.get(n))], dtype=float) for n in names}
        bands = cls.of_columns({name: values for name, values in numbers.items() if len(values)}).bands
        space = cls(bands, ())
        return cls(bands, tuple(sorted({label for row in rows for label in space.labels(row)})))

    def labels(self, facts: Facts) -> list[str]:
        """Return the names of the columns that `facts` would stand in, known or not."""
        found: list[str] = []
        for name, value in facts.items():
            if isinstance(value, str | bool | int | float) or value is None:
                found += self._label(name, value)
            else:
                found += [f"{name}={one}" for one in sorted(value)]
        return found

    def _label(self, name: str, value: FactValue) -> list[str]:
        if value is None or value == "" or value != value:  # a NaN is unequal to itself
            return []
        if isinstance(value, str) and name in self.bands:
            value = days_of_date(value)
            if value is None:
                return []
        if isinstance(value, bool | str):
            return [f"{name}={value}"]
        return [f"{name}={bisect_right(self.bands[name], float(value))}"] if name in self.bands else []

    def encode(self, rows: Sequence[Facts]) -> csr_matrix:
        """Return 0/1 float32 (rows, columns) of rows of facts."""
        found = [sorted(self._place[label] for label in self.labels(row) if label in self._place) for row in rows]
        starts = np.cumsum([0, *map(len, found)])
        columns = np.array([place for places in found for place in places], dtype=np.int32)
        return csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(rows), len(self)))

    def decode(self, row: csr_matrix) -> dict[str, FactValue | list[str]]:
        """Return facts that `encode` to this one row again: of a number, one that lies in its band."""
        facts: dict[str, list[str]] = {}
        for place in row.indices:
            name, _, value = self.columns[place].partition("=")
            facts.setdefault(name, []).append(value)
        return {name: self._in_band(name, values) if name in self.bands else values for name, values in facts.items()}

    def _in_band(self, name: str, values: Sequence[str]) -> float:
        band, edges = int(values[0]), self.bands[name]
        return edges[band - 1] if band else edges[0] - 1.0

    def encode_columns(self, facts: Mapping[str, NDArray[Any]], size: int) -> csr_matrix:
        """Return what `encode` returns, from parallel fact columns (`size`,): much faster for many rows."""
        rows, columns = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
        for fact, given in facts.items():
            values = _as_numbers(given) if fact in self.bands else given
            labels, place_of = np.unique(_labels(fact, values, self.bands.get(fact)), return_inverse=True)
            places = np.array([self._place.get(str(label), -1) for label in labels])[place_of]
            known = np.flatnonzero(places >= 0)
            rows.append(known)
            columns.append(places[known])
        where = (np.concatenate(rows), np.concatenate(columns))
        encoded = csr_matrix((np.ones(len(where[0]), np.float32), where), shape=(size, len(self)))
        encoded.sort_indices()
        return encoded

    def to_json(self) -> dict[str, Any]:
        """Return the space as JSON values."""
        return {"bands": {name: list(edges) for name, edges in self.bands.items()}, "columns": list(self.columns)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FeatureSpace":
        """Return the space of `to_json`; raises KeyError, TypeError or ValueError when it is none."""
        bands = {str(name): tuple(float(edge) for edge in edges) for name, edges in document["bands"].items()}
        columns = tuple(str(name) for name in document["columns"])
        if len(set(columns)) != len(columns) or any(list(edges) != sorted(edges) for edges in bands.values()):
            raise ValueError("a feature column appears twice, or the edges of a band are out of order")
        return cls(bands, columns)


@dataclass(frozen=True, slots=True)
class SideFeatures:
    """Encoded facts in the order of a training matrix: sparse (customers, f) and (offers, g), with their spaces."""

    customers: csr_matrix
    offers: csr_matrix
    customer_space: FeatureSpace
    offer_space: FeatureSpace

    @property
    def names(self) -> tuple[str, ...]:
        """The facts that have a column, by name: those of customers, then those of offers."""
        return (*self.customer_space.facts, *self.offer_space.facts)


@dataclass(frozen=True, slots=True)
class About:
    """What a decision knows beside the history: facts of the customer, and of offers by id."""

    customer: Facts = field(default_factory=_nothing)
    offers: Mapping[str, Facts] = field(default_factory=_nothing)


NOTHING_KNOWN = About()


def days_of_date(text: str) -> float | None:
    """Return the days from 1970 to a date in ISO 8601 (2026-12-01); None for any other text."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return float((date.fromisoformat(text) - _EPOCH).days)
    except ValueError:
        return None


def _as_numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Return a column of dates as days since 1970 (n,), NaN where unknown; any other column as it is."""
    if values.dtype.kind != "O":
        return values
    known = [value for value in values.tolist() if value is not None]
    if not known or not all(isinstance(value, str) and _DATE.fullmatch(value) for value in known):
        return values
    days = {value: days_of_date(value) for value in set(known)}
    if None in days.values():
        return values
    return np.array([np.nan if value is None else days[value] for value in values.tolist()], dtype=np.float64)


def _is_plain_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "iuf"


def _labels(fact: str, values: NDArray[Any], edges: tuple[float, ...] | None) -> NDArray[np.str_]:
    """Return the column name of every value, "" where there is none."""
    if _is_number(values):
        if edges is None:
            return np.zeros(len(values), dtype="U1")
        band = np.searchsorted(np.array(edges), values, side="right")
        names = np.array([f"{fact}={number}" for number in range(len(edges) + 1)])[np.minimum(band, len(edges))]
        return np.where(np.isfinite(values), names, "")
    distinct, place_of = np.unique(
        np.array(["" if v is None else str(v) for v in values.tolist()]), return_inverse=True
    )
    names = np.array([f"{fact}={value}" if value else "" for value in distinct.tolist()])
    return np.asarray(names[place_of])
