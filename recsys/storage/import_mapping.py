"""Which file and which of its columns stand for a table, when they are not called as the import expects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from recsys.domain.errors import ImportInvalid

TABLES = ("customers", "offers", "interactions", "contacts")


@dataclass(frozen=True, slots=True)
class TableMapping:
    """One table: its file, our column → the file's column, and our column → a value for every row."""

    file: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


def parse_mapping(document: Any) -> dict[str, TableMapping]:
    """Return the mapping by table; raises `ImportInvalid` for anything it does not know."""
    if not isinstance(document, Mapping) or not set(document) <= set(TABLES):
        raise ImportInvalid(f"The mapping must name tables: {', '.join(TABLES)}.")
    return {table: _parse_table(table, entry) for table, entry in document.items()}


def _parse_table(table: str, entry: Any) -> TableMapping:
    if not isinstance(entry, Mapping) or not set(entry) <= {"file", "columns", "constants"}:
        raise ImportInvalid(f"The mapping of {table} may have file, columns and constants, nothing else.")
    file = entry.get("file")
    if file is not None and (not isinstance(file, str) or PurePath(file).name != file):
        raise ImportInvalid(f"The mapping's file of {table} must be the name of a file in the directory.")
    if table == "offers" and set(entry) - {"file"}:
        raise ImportInvalid("The mapping of offers may name its file only.")
    return TableMapping(file, _texts(table, entry, "columns"), _texts(table, entry, "constants"))


def _texts(table: str, entry: Mapping[str, Any], part: str) -> dict[str, str]:
    names = entry.get(part) or {}
    if not isinstance(names, Mapping):
        raise ImportInvalid(f"The mapping's {part} of {table} must be a list of `name: value`.")
    return {str(name): str(value).lower() if isinstance(value, bool) else str(value) for name, value in names.items()}
