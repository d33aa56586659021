"""Writes down how files were read, as the mapping that reads them so again."""

from collections.abc import Mapping
from typing import Any

from recsys.storage.import_mapping import IGNORE
from recsys.storage.import_report import ColumnReport, FileReport, ImportReport


def mapping_document(report: ImportReport, given: Mapping[str, Any], time_zone: str) -> dict[str, Any]:
    """Return the mapping: what was given, and what was found out about every table that it did not say."""
    document: dict[str, Any] = {}
    for table, file in report.tables.items():
        found = _found(report.files[file], file, time_zone)
        said = dict(given.get(table) or {})
        if "query" in said:
            del found["file"]
        for part, value in found.items():
            if isinstance(value, dict) and isinstance(said.get(part), dict):
                said[part] = {**value, **said[part]}
            else:
                said.setdefault(part, value)
        document[table] = said
    if given.get(IGNORE):
        document[IGNORE] = given[IGNORE]
    return document


def _found(file: FileReport, name: str, time_zone: str) -> dict[str, Any]:
    numbers = [one for one in file.columns if one.decimal]
    parts = {
        "file": name,
        "encoding": file.encoding,
        "delimiter": file.delimiter,
        "dates": {one.name: one.dates for one in file.columns if one.dates and not _is_constant(one)},
        "decimal": {one.name: one.decimal for one in numbers},
        "thousands": {one.name: one.thousands for one in numbers},
        "types": {one.name: one.type for one in file.columns if one.becomes.startswith("attribute ")},
        "time_zone": "" if time_zone == "UTC" else time_zone,
    }
    return {part: value for part, value in parts.items() if value}


def _is_constant(column: ColumnReport) -> bool:
    return column.column.startswith("(constant)")
