"""Finds the type of every customer attribute from all values of its column."""

from collections.abc import Iterable, Sequence

from recsys.storage.table_files import Row, TableFile

_BOOLEANS = {"true", "false"}


def infer_attribute_types(table: TableFile, attributes: Sequence[str]) -> dict[str, str]:
    """Return `number`, `boolean` or `text` for every attribute that has a value; reads the file once."""
    return infer_types((row for _, row in table.rows(_ignore)), attributes)


def infer_types(rows: Iterable[Row], attributes: Sequence[str]) -> dict[str, str]:
    """Return the narrowest type that fits every non-empty value; NaN counts as a number, a bad one."""
    found: dict[str, str] = {}
    open_columns = list(attributes)
    for row in rows:
        for name in open_columns:
            if text := row[name].strip():
                type_ = _type_of(text)
                found[name] = type_ if found.get(name, type_) == type_ else "text"
        open_columns = [name for name in open_columns if found.get(name) != "text"]
        if not open_columns:
            break
    return found


def _type_of(text: str) -> str:
    if text.lower() in _BOOLEANS:
        return "boolean"
    try:
        float(text)
    except ValueError:
        return "text"
    return "number"


def _ignore(_line: int, _column: str, _reason: str) -> None:
    """Bad rows are reported when the values are read."""
