"""What a bank says of its files: which file, column and spelling stands for which, when they are not as expected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recsys.domain.errors import ImportInvalid
from recsys.storage.cell_formats import moment_reader

TABLES = ("customers", "offers", "interactions", "contacts")
TYPES = ("text", "number", "boolean", "date")
IGNORE = "ignore"
"""The part of a mapping that names files which are not meant to be read."""
EVERY_COLUMN = ""
"""The key of a format that holds for every column of the table."""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """One table: where it comes from and how it is written; what is not said is found out from the file.

    `columns` map our column to the file's, `constants` our column to a value for every row, `dates`, `decimal`
    and `thousands` our column (or `EVERY_COLUMN`) to its format. `extract` says of interactions whether the file names
    all that is held at each of its dates.
    """

    file: str | None = None
    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    dates: Mapping[str, str] = field(default_factory=dict)
    decimal: Mapping[str, str] = field(default_factory=dict)
    thousands: Mapping[str, str] = field(default_factory=dict)
    nulls: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    consents_as_of: str | None = None
    known_at: str | None = None
    extract: bool | None = None


_PARTS = tuple(TableMapping.__dataclass_fields__)


def parse_mapping(document: Any) -> dict[str, TableMapping]:
    """Return the mapping by table; raises `ImportInvalid` for anything it does not know."""
    if not isinstance(document, Mapping):
        raise ImportInvalid(f"The mapping must name tables: {', '.join(TABLES)}.")
    for table in document:
        if table not in (*TABLES, IGNORE):
            raise ImportInvalid(f"The mapping names a table {table}; {_near(table, TABLES)}.")
    return {table: _parse_table(table, entry) for table, entry in document.items() if table != IGNORE}


def parse_ignored(document: Any) -> tuple[str, ...]:
    """Return the files that the mapping says are not meant, as names or patterns; raises `ImportInvalid`."""
    names = (document.get(IGNORE) if isinstance(document, Mapping) else None) or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ImportInvalid(f"The mapping's {IGNORE} must be a list of files, as in {IGNORE}: [notes.txt, '*.zip'].")
    return tuple(names)


def known_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name, such as Asia/Shanghai; raises `ImportInvalid`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImportInvalid(f"There is no time zone {name!r}; use a name such as Asia/Shanghai or UTC.") from None


def _parse_table(table: str, entry: Any) -> TableMapping:
    if not isinstance(entry, Mapping):
        raise ImportInvalid(f"The mapping of {table} must be a list of `name: value`.")
    for part in entry:
        if part not in _PARTS:
            raise ImportInvalid(f"The mapping of {table} has {part}; {_near(part, _PARTS)}.")
    values: dict[str, Any] = {
        part: _texts(table, entry, part, part in ("dates", "decimal", "thousands"))
        for part in ("columns", "constants", "dates", "decimal", "thousands", "types")
    }
    for part in ("file", "query", "delimiter", "encoding", "time_zone", "consents_as_of", "known_at"):
        values[part] = None if entry.get(part) is None else str(entry[part])
    if entry.get("nulls") is not None:
        values["nulls"] = _words(table, entry["nulls"])
    values["extract"] = _extract(table, entry.get("extract"))
    mapping = TableMapping(**values)
    _check(table, mapping)
    return mapping


def _check(table: str, mapping: TableMapping) -> None:
    if mapping.file is not None and (not mapping.file or PurePath(mapping.file).name != mapping.file):
        raise ImportInvalid(f"The mapping's file of {table} must be the name of a file in the directory.")
    if mapping.file is not None and mapping.query is not None:
        raise ImportInvalid(f"The mapping of {table} has a file and a query; a query reads its files by their names.")
    if mapping.delimiter is not None and (len(mapping.delimiter) != 1 or mapping.delimiter in '"\n\r'):
        raise ImportInvalid(f"The mapping's delimiter of {table} must be one character.")
    _check_formats(table, mapping)
    for column, type_ in mapping.types.items():
        if type_ not in TYPES:
            raise ImportInvalid(f"The mapping's type of {table}, {column} is {type_}; {_near(type_, TYPES)}.")
    if mapping.time_zone is not None:
        known_zone(mapping.time_zone)


def _check_formats(table: str, mapping: TableMapping) -> None:
    for column, format_ in mapping.dates.items():
        try:
            moment_reader(format_)
        except ValueError as error:
            raise ImportInvalid(f"The mapping's dates of {table}, {column or 'all'}: {error}.") from None
    for part, allowed in (("decimal", ".,"), ("thousands", ",. '")):
        for mark in getattr(mapping, part).values():
            if mark not in ("", *allowed) or (part == "decimal" and not mark):
                raise ImportInvalid(f"The mapping's {part} of {table} must be one of {' '.join(map(repr, allowed))}.")


def _texts(table: str, entry: Mapping[str, Any], part: str, or_one: bool = False) -> dict[str, str]:
    names = entry.get(part)
    if names is None:
        return {}
    if or_one and not isinstance(names, Mapping | list):
        return {EVERY_COLUMN: str(names)}
    if not isinstance(names, Mapping):
        raise ImportInvalid(f"The mapping's {part} of {table} must be a list of `name: value`.")
    return {str(name): str(value).lower() if isinstance(value, bool) else str(value) for name, value in names.items()}


def _extract(table: str, value: Any) -> bool | None:
    if value is not None and (table != "interactions" or not isinstance(value, bool)):
        raise ImportInvalid("The mapping's extract is true or false, and of interactions alone.")
    return value


def _words(table: str, words: Any) -> tuple[str, ...]:
    if not isinstance(words, list):
        raise ImportInvalid(f"The mapping's nulls of {table} must be a list of words.")
    return tuple("null" if word is None else str(word) for word in words)


def _near(word: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(word), known, n=1)
    return f"did you mean {near[0]}? There are {', '.join(known)}" if near else f"there are {', '.join(known)}"
