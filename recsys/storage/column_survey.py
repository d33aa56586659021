"""Finds how a file writes its moments and numbers, and what type its attributes are, from all values of each column."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from recsys.domain.errors import ImportInvalid
from recsys.storage.cell_formats import (
    DAY_FIRST,
    MONTH_FIRST,
    NUMBER_FORMATS,
    PLAIN,
    YEAR_FIRST,
    NumberFormat,
    date_formats_of,
    reads_number,
)
from recsys.storage.import_mapping import EVERY_COLUMN, TableMapping

ODD_SHARE = 0.01
"""Of the cells of an attribute that are no number, so few are mistakes; more, and it is no column of numbers."""
MOST_DIGITS = 15
"""More digits than a float keeps: a code, not a quantity."""

_DIGITS = str.maketrans("012345678", "999999999")
_LONGEST_SHAPE = 48
_MOST_SHAPES = 5_000
_DAY_AND_MONTH = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}(?!\d).*", re.DOTALL)
_WHOLE = re.compile(r"[+-]?(\d+)")
_NUMBER_LIKE = re.compile(
    r"[+\-\u2212]?[.,]?\d[\d.,eE+\-'’ \u00a0\u2009\u202f]*|[+-]?(inf|infinity|nan)", re.IGNORECASE
)
_BOOLEANS = ("true", "false")


class Role(StrEnum):
    """What a column must be read as, or that it is to be found out."""

    MOMENT = "date"
    NUMBER = "number"
    ATTRIBUTE = "attribute"
    IDENTIFIER = "id"


_NUMERIC = (Role.NUMBER, Role.ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class ColumnReading:
    """How one column is read; `decided_by` is the line that left no other way, with the reason in words."""

    type: str
    dates: str | None = None
    number: NumberFormat = PLAIN
    decided_by: tuple[int, str] | None = None
    is_decimal_id: bool = False


@dataclass(slots=True)
class _Shape:
    """Cells that differ in their digits only: how many, and the first of them."""

    count: int
    line: int
    cell: str


@dataclass(slots=True)
class ColumnSurvey:
    """What the cells of one column look like."""

    role: Role
    shapes: dict[str, _Shape] = field(default_factory=dict)
    texts: int = 0
    first_text: int = 0
    day_first: tuple[int, str] | None = None
    month_first: tuple[int, str] | None = None
    decimal_ids: int = 0
    other_ids: int = 0

    def add(self, line: int, cell: str) -> None:
        """Count a cell that is not empty."""
        shape = cell.translate(_DIGITS)
        if cell[0] == "0":  # leading zeros make a code of a number, other digits do not matter
            shape = "0" + shape
        known = self.shapes.get(shape)
        if known is not None:
            known.count += 1
        elif not self._begin(shape, line, cell):
            self.texts += 1
            self.first_text = self.first_text or line
        if self.role is Role.MOMENT and not cell[:4].isdigit():
            self._see_day_and_month(line, cell)

    def add_identifier(self, _line: int, cell: str) -> None:
        """Count an id that is not empty: all that matters is whether every one is a number with `.0` behind it."""
        if cell[-2:] == ".0" and cell[:-2].isdigit():
            self.decimal_ids += 1
        else:
            self.other_ids += 1

    @property
    def cells(self) -> int:
        """How many cells were not empty."""
        return self.decimal_ids + self.other_ids + self.texts + sum(shape.count for shape in self.shapes.values())

    def _begin(self, shape: str, line: int, cell: str) -> bool:
        if len(shape) > _LONGEST_SHAPE or len(self.shapes) >= _MOST_SHAPES:
            return False
        if self.role is Role.MOMENT:
            is_kept = bool(date_formats_of(cell))
        elif cell.lower() in _BOOLEANS:
            is_kept = True
        else:
            is_kept = _NUMBER_LIKE.fullmatch(cell) is not None and any(
                reads_number(cell, one) is not None for one in NUMBER_FORMATS
            )
        if is_kept:
            self.shapes[shape] = _Shape(1, line, cell)
        return is_kept

    def _see_day_and_month(self, line: int, cell: str) -> None:
        if (match := _DAY_AND_MONTH.match(cell)) is None:
            return
        first, second = int(match[1]), int(match[2])
        if first > 12 >= second and self.day_first is None:
            self.day_first = line, cell
        elif second > 12 >= first and self.month_first is None:
            self.month_first = line, cell


class Watched(Protocol):
    """A column that is looked at besides."""

    def add(self, line: int, cell: str, /) -> None:
        """Look at a cell that is not empty."""


def survey(
    rows: Iterable[tuple[int, Sequence[str]]],
    names: Sequence[str],
    roles: Mapping[str, Role],
    nulls: frozenset[str],
    watched: Mapping[str, Watched] | None = None,
) -> dict[str, ColumnSurvey]:
    """Return what the cells of each column look like; reads the rows, cells in the order of `names`, once.

    The cells of the `watched` columns are told to these.
    """
    surveys = {name: ColumnSurvey(role) for name, role in roles.items()}
    adding: list[tuple[int, Callable[[int, str], None]]] = [
        (names.index(name), one.add_identifier if one.role is Role.IDENTIFIER else one.add)
        for name, one in surveys.items()
        if name in names
    ]
    adding += [(names.index(name), one.add) for name, one in (watched or {}).items()]
    for line, cells in rows:
        for place, add in adding:
            if (cell := cells[place].strip()) and cell not in nulls:
                add(line, cell)
    return surveys


def decide(file: str, surveys: Mapping[str, ColumnSurvey], mapping: TableMapping) -> dict[str, ColumnReading]:
    """Return how each surveyed column is read; one without a value has no entry.

    Raises `ImportInvalid`, naming the deciding line, where two readings fit and differ.
    """
    numbers = {name: _number_fits(one, mapping, name) for name, one in surveys.items() if one.role in _NUMERIC}
    marks = {fits.mark for fits in numbers.values() if fits.mark}
    deciding = _Deciding(file, mapping, numbers, marks)
    return {name: deciding.column(name, one) for name, one in surveys.items() if one.cells or name in mapping.types}


@dataclass(frozen=True, slots=True)
class _Fits:
    """The formats that read most cells, those left out that read them as another one does; which mark is certain."""

    formats: tuple[NumberFormat, ...]
    mark: str | None = None
    decided_by: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class _Deciding:
    """Decides the columns of one file, where one column may tell how another is written."""

    file: str
    mapping: TableMapping
    numbers: Mapping[str, _Fits]
    marks: Collection[str]

    def column(self, name: str, one: ColumnSurvey) -> ColumnReading:
        declared = self.mapping.types.get(name)
        if one.role is Role.MOMENT:
            return self._moment(name, one)
        if one.role is Role.IDENTIFIER:
            return ColumnReading("id", is_decimal_id=not one.other_ids)
        if one.role is Role.ATTRIBUTE:
            if declared == "date":
                return self._moment(name, one)
            if declared in ("text", "boolean"):
                return ColumnReading(declared)
            if declared is None and (other := _other_type(one, self.numbers[name].formats[0])) is not None:
                return other
        return self._number(name, one)

    def _moment(self, name: str, one: ColumnSurvey) -> ColumnReading:
        if (declared := self.mapping.dates.get(name, self.mapping.dates.get(EVERY_COLUMN))) is not None:
            return ColumnReading("date", declared)
        counts: Counter[tuple[str, ...]] = Counter()
        for shape in one.shapes.values():
            counts[date_formats_of(shape.cell)] += shape.count
        del counts[()]
        if not counts:
            if not one.cells:
                return ColumnReading("date", YEAR_FIRST)
            place = (one.first_text or min(shape.line for shape in one.shapes.values()), "a cell")
            raise self._undecided(name, place, "is no moment by its looks", "%y%m%d")
        formats = counts.most_common(1)[0][0]
        if len(formats) == 1:
            return ColumnReading("date", formats[0])
        if one.day_first and one.month_first:
            what = f"has the day first, but line {one.month_first[0]} the month"
            raise self._undecided(name, one.day_first, what, DAY_FIRST)
        if (decided := one.day_first or one.month_first) is None:
            first = next(shape for shape in one.shapes.values() if date_formats_of(shape.cell) == formats)
            what = "may be day and month or month and day"
            raise self._undecided(name, (first.line, first.cell), what, DAY_FIRST)
        return ColumnReading("date", DAY_FIRST if one.day_first else MONTH_FIRST, decided_by=decided)

    def _number(self, name: str, one: ColumnSurvey) -> ColumnReading:
        fits = self.numbers[name]
        formats = fits.formats
        if len(formats) > 1 and len(self.marks) == 1:  # what another column of the file has decided
            formats = tuple(one for one in formats if one.decimal in self.marks) or formats
        if len(formats) > 1 and PLAIN not in formats:
            shape = next(s for s in one.shapes.values() if len({reads_number(s.cell, f) for f in formats}) > 1)
            raise self._undecided(name, (shape.line, shape.cell), "may have a decimal mark or one of thousands", ",")
        return ColumnReading("number", None, PLAIN if PLAIN in formats else formats[0], fits.decided_by)

    def _undecided(self, name: str, place: tuple[int, str], what: str, example: str) -> ImportInvalid:
        column, part = self.mapping.columns.get(name, name), "decimal" if example == "," else "dates"
        return ImportInvalid(
            f"{self.file}, column {column}, line {place[0]}: {place[1]} {what}, and no line decides; declare it in "
            f"the mapping, as in {part}: {{{name}: '{example}'}}."
        )


def _number_fits(one: ColumnSurvey, mapping: TableMapping, name: str) -> _Fits:
    decimal = mapping.decimal.get(name, mapping.decimal.get(EVERY_COLUMN))
    thousands = mapping.thousands.get(name, mapping.thousands.get(EVERY_COLUMN))
    candidates = [
        format_
        for format_ in NUMBER_FORMATS
        if decimal in (None, format_.decimal) and thousands in (None, format_.thousands)
    ] or [NumberFormat(decimal or ("," if thousands == "." else "."), thousands or "")]
    shapes = one.shapes.values()
    read = {format_: [reads_number(shape.cell, format_) for shape in shapes] for format_ in candidates}
    covered = {
        format_: sum(shape.count for shape, value in zip(shapes, read[format_], strict=True) if value is not None)
        for format_ in candidates
    }
    winners = [format_ for format_ in candidates if covered[format_] == max(covered.values())]
    formats: list[NumberFormat] = []
    for format_ in winners:
        if not any(_alike(read[format_], read[other]) for other in formats):
            formats.append(format_)
    marks = {format_.decimal for format_ in winners}
    rivals = [read[format_] for format_ in candidates if format_.decimal not in marks]
    decided = next(
        (
            (shape.line, shape.cell)
            for place, shape in enumerate(shapes)
            if len(formats) == 1 and any(rival[place] != read[formats[0]][place] for rival in rivals)
        ),
        None,
    )
    return _Fits(tuple(formats), marks.pop() if len(marks) == 1 and decided else None, decided)


def _alike(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    return all(value == twin or value != value for value, twin in zip(one, other, strict=True))


def _other_type(one: ColumnSurvey, format_: NumberFormat) -> ColumnReading | None:
    """Return the reading of an attribute that is no number, or None when it is one."""
    allowed = one.cells * ODD_SHARE
    booleans = [shape for shape in one.shapes.values() if shape.cell.lower() in _BOOLEANS]
    if one.cells - sum(shape.count for shape in booleans) <= allowed:
        return ColumnReading("boolean")
    if (code := _code(one, allowed)) is not None:
        return code
    odd = [
        shape for shape in one.shapes.values() if not is_code(shape.cell) and reads_number(shape.cell, format_) is None
    ]
    codes = [shape for shape in one.shapes.values() if is_code(shape.cell)]
    if one.texts + sum(shape.count for shape in (*odd, *codes)) <= allowed:
        return None
    lines = [shape.line for shape in (*odd, *codes)] + ([one.first_text] if one.first_text else [])
    return ColumnReading("text", decided_by=(min(lines), "a cell that is no number"))


def _code(one: ColumnSurvey, allowed: float) -> ColumnReading | None:
    codes = [shape for shape in one.shapes.values() if is_code(shape.cell)]
    if not codes:
        return None
    widths = {len(shape.cell) for shape in one.shapes.values()}
    if sum(shape.count for shape in codes) <= allowed and len(widths) > 1:
        return None
    return ColumnReading("text", decided_by=(min(shape.line for shape in codes), "a code of digits"))


def is_code(cell: str) -> bool:
    """Return whether a cell of digits is a code: it begins with 0, or has more digits than a number keeps."""
    match = _WHOLE.fullmatch(cell)
    return match is not None and (len(match[1]) > MOST_DIGITS or (len(match[1]) > 1 and match[1][0] == "0"))


def ignore(_line: int, _column: str, _reason: str) -> None:
    """Bad rows are reported when the values are read."""
