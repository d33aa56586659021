"""Units with their arms, outcomes and covariates from a CSV or Parquet file; what is wrong is named with its line."""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from experiments import cuped
from experiments.analysis import MetricTotals
from experiments.arm_totals import ArmTotals, FloatArray
from experiments.cluster_totals import ClusterTotals
from experiments.comparison import MetricKind
from recsys.domain.errors import ImportInvalid
from recsys.storage.import_mapping import TableMapping
from recsys.storage.table_files import open_table

MOST_ARMS = 50
_WORDS = {"true": 1.0, "false": 0.0}


class Missing(StrEnum):
    """What an empty outcome means: it must be said, for each changes the answer."""

    REFUSE = "refuse"
    ZERO = "zero"
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """A metric and the columns it is made of; a ratio is the sum of one over the sum of the other."""

    name: str
    kind: MetricKind
    denominator: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the outcome."""
        return (self.name, self.denominator) if self.denominator else (self.name,)


@dataclass(frozen=True, slots=True)
class UnitColumns:
    """What the columns of a file with one row for each unit are."""

    arm: str
    control: str
    metrics: tuple[MetricColumns, ...]
    covariates: tuple[str, ...] = ()
    cluster: str | None = None
    texts: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers."""
        outcomes = [column for metric in self.metrics for column in metric.columns]
        return tuple(dict.fromkeys([*outcomes, *self.covariates]))


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """The distinct `values` of a column, "" for an empty cell, and which of them each row has: `places` (n,)."""

    values: tuple[str, ...]
    places: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Parallel columns (n,) of the file, control's arm number 0; a number that is missing is not a number."""

    path: Path
    arms: tuple[str, ...]
    arm_numbers: NDArray[np.intp]
    clusters: NDArray[np.intp] | None
    values: Mapping[str, FloatArray]
    texts: Mapping[str, TextColumn]
    lines: NDArray[np.int64]

    @property
    def counts(self) -> dict[str, int]:
        """Units by arm."""
        return dict(zip(self.arms, np.bincount(self.arm_numbers, minlength=len(self.arms)).tolist(), strict=True))

    def rows(self, chosen: NDArray[np.intp] | slice) -> "Units":
        """Return the chosen rows, in that order; the arms stay, be they empty."""
        return replace(
            self,
            arm_numbers=self.arm_numbers[chosen],
            clusters=None if self.clusters is None else self.clusters[chosen],
            values={name: column[chosen] for name, column in self.values.items()},
            texts={name: replace(column, places=column.places[chosen]) for name, column in self.texts.items()},
            lines=self.lines[chosen],
        )

    def fail(self, row: int, column: str, reason: str) -> NoReturn:
        """Raise ImportInvalid for a row, from 0."""
        _fail(self.path, int(self.lines[row]), column, reason)


def read_units(path: Path, columns: UnitColumns) -> Units:
    """Return the units of a .csv, .csv.gz or .parquet file, whose arms come in alphabetical order after control.

    Raises ImportInvalid when the file cannot be read, or for the first cell that cannot be used.
    """
    lines, arms, clusters = array("q"), _Numbered(), _Numbered()
    numbers = {name: array("d") for name in columns.numbers}
    texts = {name: _Numbered() for name in columns.texts}
    for line, row in _rows(path, columns):
        lines.append(line)
        arms.add(row[columns.arm].strip() or _fail(path, line, columns.arm, "is empty"))
        if columns.cluster:
            clusters.add(row[columns.cluster].strip() or _fail(path, line, columns.cluster, "is empty"))
        for name, text in texts.items():
            text.add(row[name].strip())
        for name, values in numbers.items():
            value = finite_number(cell) if (cell := row[name].strip()) else math.nan
            values.append(value if value is not None else _fail(path, line, name, f"{cell!r} is not a finite number"))
    return Units(
        path=path,
        arms=(names := _arms(path, columns, list(arms.numbers))),
        arm_numbers=np.array([names.index(name) for name in arms.numbers], dtype=np.intp)[np.asarray(arms.taken)],
        clusters=np.asarray(clusters.taken, dtype=np.intp) if columns.cluster else None,
        values={name: np.asarray(values) for name, values in numbers.items()},
        texts={name: TextColumn(tuple(text.numbers), np.asarray(text.taken, np.intp)) for name, text in texts.items()},
        lines=np.asarray(lines),
    )


def metric_totals(units: Units, columns: UnitColumns, missing: Missing = Missing.REFUSE) -> list[MetricTotals]:
    """Return each metric's totals; `missing` says what an empty outcome means.

    An empty covariate is no trouble: it gets the mean and an indicator. Raises ImportInvalid for outcomes that are
    empty and may not be, shares that are not 0 or 1, and covariates without any value.
    """
    for name in columns.covariates:
        if np.isnan(units.values[name]).all():
            raise ImportInvalid(f"{units.path.name}, column {name}: is empty in every row.")
    return [_totals(units, columns, metric, missing) for metric in columns.metrics]


def known_outcomes(
    units: Units, metric: MetricColumns, missing: Missing = Missing.REFUSE
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the metric's columns (c, n), 0 where a cell is empty, and which units (n,) have an outcome that counts.

    Raises ImportInvalid as `metric_totals` does.
    """
    outcomes = np.stack([units.values[name] for name in metric.columns])
    if metric.kind is MetricKind.BINARY and (wrong := ~np.isin(outcomes[0], (0, 1)) & ~np.isnan(outcomes[0])).any():
        units.fail(int(wrong.argmax()), metric.name, f"{outcomes[0, wrong.argmax()]:g} is neither 0 nor 1")
    is_empty: NDArray[np.bool_] = np.asarray(np.isnan(outcomes).any(axis=0))
    if is_empty.any() and missing is Missing.REFUSE:
        units.fail(int(is_empty.argmax()), "/".join(metric.columns), _how_many(units, is_empty))
    return np.nan_to_num(outcomes), np.ones_like(is_empty) if missing is Missing.ZERO else ~is_empty


def _totals(units: Units, columns: UnitColumns, metric: MetricColumns, missing: Missing) -> MetricTotals:
    outcomes, kept = known_outcomes(units, metric, missing)
    adjusted = [column for name in columns.covariates for column in cuped.prepared(units.values[name][kept])]
    table = np.stack([*outcomes[:, kept], *adjusted], axis=1)
    places = units.arm_numbers[kept]
    return MetricTotals(
        name=metric.name,
        kind=metric.kind,
        epochs=[{name: ArmTotals.of(*table[places == number].T) for number, name in enumerate(units.arms)}],
        covariates=len(adjusted),
        clusters=[] if units.clusters is None else [_clusters(units.clusters[kept], places, table, len(units.arms))],
        arms=units.arms,
        left_out={name: int((~kept & (units.arm_numbers == number)).sum()) for number, name in enumerate(units.arms)},
    )


def _clusters(clusters: NDArray[np.intp], arms: NDArray[np.intp], table: FloatArray, width: int) -> ClusterTotals:
    """Return the totals by cluster and arm of units (n, d)."""
    cells, size = clusters * width + arms, (int(clusters.max(initial=0)) + 1) * width
    sums: FloatArray = np.stack([np.bincount(cells, column, size) for column in table.T], axis=1, dtype=np.float64)
    counts = np.bincount(cells, minlength=size).astype(np.float64)
    return ClusterTotals(counts.reshape(-1, width), sums.reshape(-1, width, table.shape[1]))


def _how_many(units: Units, is_empty: NDArray[np.bool_]) -> str:
    each = np.bincount(units.arm_numbers[is_empty], minlength=len(units.arms))
    shares = ", ".join(f"{name} {count}" for name, count in zip(units.arms, each, strict=True))
    return (
        f"is empty, the first of {is_empty.sum()} ({shares}); say what that means: "
        "--missing zero (nothing happened) or --missing leave-out (not known)"
    )


def _rows(path: Path, columns: UnitColumns) -> Iterator[tuple[int, Mapping[str, str]]]:
    if not path.is_file():
        raise ImportInvalid(f"{path} is not there.")
    table = open_table(path, TableMapping(), ())
    wanted = (columns.arm, *columns.numbers, *([columns.cluster] if columns.cluster else []), *columns.texts)
    for name in wanted:
        if name not in table.columns:
            raise ImportInvalid(f"{path.name} has no column {name}; it has {', '.join(table.columns)}.")
    return table.rows(lambda line, column, reason: _fail(path, line, column, reason))


def _arms(path: Path, columns: UnitColumns, found: Sequence[str]) -> tuple[str, ...]:
    if not found:
        raise ImportInvalid(f"{path.name} has no rows below its header.")
    names = ", ".join(sorted(found)[:MOST_ARMS])
    if len(found) > MOST_ARMS:
        raise ImportInvalid(
            f"{path.name}, column {columns.arm}: {len(found)} values are too many to be arms: {names} …"
        )
    if columns.control not in found:
        raise ImportInvalid(f"{path.name}, column {columns.arm}: no row is in {columns.control}; the arms are {names}.")
    if len(found) == 1:
        raise ImportInvalid(f"{path.name}, column {columns.arm}: every row is in {names}, so there is no comparison.")
    return (columns.control, *sorted(name for name in found if name != columns.control))


class _Numbered:
    """Texts as numbers in order of appearance."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.taken = array("q")

    def add(self, text: str) -> None:
        self.taken.append(self.numbers.setdefault(text, len(self.numbers)))


def finite_number(cell: str) -> float | None:
    """Return the finite number that a cell holds, true and false being 1 and 0; None where it holds none."""
    try:
        value = float(cell)
    except ValueError:
        return _WORDS.get(cell.lower())
    return value if math.isfinite(value) else None


def _fail(path: Path, line: int, column: str, reason: str) -> NoReturn:
    place = f", column {column}" if column else ""
    raise ImportInvalid(f"{path.name}, line {line}{place}: {reason}.")
