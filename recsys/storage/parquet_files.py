"""Parquet files row by row as text, digit for digit, in bounded memory."""

import gzip
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from recsys.domain.errors import ImportInvalid
from recsys.storage.text_files import Reject, Torn

_BATCH = 10_000
_EXACT = 2**53
"""From here on neighbouring whole numbers are the same float."""


def parquet_header(path: Path) -> list[str]:
    """Return the names of the columns; raises `ImportInvalid` when it is no Parquet file."""
    return [name.strip() for name in _open(path).schema_arrow.names]


def parquet_rows(
    path: Path, identifiers: Collection[str], reject: Reject, misshapen: Torn = len
) -> Iterator[tuple[int, list[str]]]:
    """Yield row number (from 1) and cells; a cell of `identifiers` that lost digits rejects its row.

    `misshapen` is told the cells of each rejected row, those that cannot be read as empty.
    """
    return batch_rows(_open(path).iter_batches(batch_size=_BATCH), identifiers, reject, misshapen)


def batch_rows(
    batches: Iterable[Any], identifiers: Collection[str], reject: Reject, misshapen: Torn = len
) -> Iterator[tuple[int, list[str]]]:
    """Yield row number (from 1) and cells of Arrow's record batches, as `parquet_rows` does."""
    line = 0
    for batch in batches:
        bad: dict[int, tuple[str, str]] = {}
        columns = [
            _texts(column, name.strip(), name.strip() in identifiers, bad)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        for place, cells in enumerate(zip(*columns, strict=True)):
            line += 1
            if place in bad:
                misshapen(list(cells))
                reject(line, *bad[place])
            else:
                yield line, list(cells)


def _texts(column: Any, name: str, is_identifier: bool, bad: dict[int, tuple[str, str]]) -> list[str]:
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_timestamp(kind):  # nanoseconds have no datetime
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_time64(kind) or pa.types.is_duration(kind):
        column = column.cast(pa.string())
    texts = []
    for place, value in enumerate(column.to_pylist()):
        try:
            texts.append(value if isinstance(value, str) else as_text(value, is_identifier))
        except ValueError as error:
            is_bytes = isinstance(error, UnicodeDecodeError)
            reason = "holds bytes that are not UTF-8 text" if is_bytes else str(error)
            bad.setdefault(place, (name, reason))
            texts.append("")
    return texts


def as_text(value: Any, is_identifier: bool = False) -> str:
    """Return a value as a CSV file would have it; a whole float loses its `.0`, so that 1.0 and 1 are one id.

    Raises `ValueError` where an id has lost digits, or bytes are no text.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value, is_identifier)
    if isinstance(value, Decimal):
        whole = value.is_finite() and value == value.to_integral_value()
        return format(value.to_integral_value() if whole else value, "f")
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "isoformat"):
        return cast("str", value.isoformat())
    return str(value)


def _float_text(value: float, is_identifier: bool) -> str:
    if value != value:
        return ""
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if is_identifier:
        raise ValueError("digits were lost: the id was stored as a number with a decimal point; export it as text")
    return repr(value)


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as packed:
                return pq.ParquetFile(pa.BufferReader(packed.read()))
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ImportInvalid(f"{path.name} is not a Parquet file.") from error
