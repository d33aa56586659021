"""Reads a CSV or Parquet file row by row as text, in bounded memory, whatever is wrong with single rows."""

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from recsys.domain.errors import ImportInvalid
from recsys.storage.import_mapping import TableMapping

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".parquet.gz")
MAX_LINES_OF_A_ROW = 100
"""A quoted cell may run over several lines, but a quote nobody closes must not swallow the file."""
_BATCH = 10_000

Row = dict[str, str]
Reject = Callable[[int, str, str], None]
"""Called with line (a Parquet file's row, from 1), column and reason of a row that cannot be used."""


def find_table(directory: Path, table: str, suffixes: Sequence[str] = SUFFIXES) -> Path | None:
    """Return the table's file in the directory, if there is one; raises `ImportInvalid` when there are several."""
    found = [path for suffix in suffixes if (path := directory / f"{table}{suffix}").is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ImportInvalid(f"There are {names} in the import directory; keep one of them.")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table in a file; `columns` are ours, after the mapping, the constants' included."""

    path: Path
    mapping: TableMapping
    columns: tuple[str, ...]
    _names: tuple[str, ...]

    def rows(self, reject: Reject) -> Iterator[tuple[int, Row]]:
        """Yield line and cells of every row that has the header's shape; the others go to `reject`.

        Raises `ImportInvalid` when the file cannot be read to its end.
        """
        read = _parquet_rows if ".parquet" in self.path.suffixes else _csv_rows
        names, constants = self._names, self.mapping.constants
        with _readable(self.path):
            for line, cells in read(self.path, reject):
                if len(cells) != len(names):
                    reject(line, "", f"the row has {len(cells)} cells, the header has {len(names)}")
                    continue
                row = dict(zip(names, cells, strict=True))
                row.update(constants)
                yield line, row


def open_table(path: Path, mapping: TableMapping, required: Sequence[str]) -> TableFile:
    """Return the file as a table; raises `ImportInvalid` when header or required columns are missing."""
    with _readable(path):
        header = _parquet_header(path) if ".parquet" in path.suffixes else _csv_header(path)
    if missing := [source for source in mapping.columns.values() if source not in header]:
        raise ImportInvalid(f"{path.name} has no column {missing[0]}, which the mapping names.")
    ours = {source: name for name, source in mapping.columns.items()}
    names = tuple(ours.get(name, name) for name in header)
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise ImportInvalid(f"{path.name} has two columns of the same name; rename one of them.")
    columns = tuple(dict.fromkeys([*named, *mapping.constants]))
    if missing := [name for name in required if name not in columns]:
        raise ImportInvalid(
            f"{path.name} has no column {', '.join(missing)}. Its first line must name the columns, "
            f"separated by commas; it names {len(named)}. Rename them or use --mapping."
        )
    return TableFile(path, mapping, columns, names)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ImportInvalid(f"{path.name} is not UTF-8 text; save it as UTF-8 and import again.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ImportInvalid(f"{path.name} cannot be read to its end; copy it again. ({error})") from error


def _csv_header(path: Path) -> list[str]:
    with _open_text(path) as text:
        first = next((line for line in text if line.strip()), "")
    if not first:
        raise ImportInvalid(f"{path.name} is empty; its first line must name the columns.")
    try:
        return [name.strip() for name in next(csv.reader([first]))]
    except csv.Error as error:
        raise ImportInvalid(f"{path.name} begins with a line that does not name columns.") from error


def _csv_rows(path: Path, reject: Reject) -> Iterator[tuple[int, list[str]]]:
    with _open_text(path) as text:
        lines = enumerate(text, 1)
        width = len(next(csv.reader([next(line for _, line in lines if line.strip())])))
        waiting: deque[tuple[int, str]] = deque()
        while (entry := waiting.popleft() if waiting else next(lines, None)) is not None:
            number, line = entry
            if '"' not in line:
                if line.strip():
                    yield number, line.rstrip("\n").split(",")
            elif (cells := _quoted(line, waiting, lines, width)) is not None:
                yield number, cells
            else:
                reject(number, "", "a quote is opened or closed in the wrong place")


def _quoted(
    line: str, waiting: deque[tuple[int, str]], lines: Iterator[tuple[int, str]], width: int
) -> list[str] | None:
    """Return the cells of a row that begins with `line`, taking more lines where a quoted cell needs them.

    Only a row that comes out as wide as the header may take more lines: else a stray quote would
    swallow the good rows after it.
    """
    text = line
    for taken in range(MAX_LINES_OF_A_ROW):
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                return None
        else:
            if taken and len(cells) != width:
                return None
            for _ in range(taken):
                waiting.popleft()
            return cells
        while len(waiting) <= taken:
            if (more := next(lines, None)) is None:
                return None
            waiting.append(more)
        text += waiting[taken][1]
    return None


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _parquet_header(path: Path) -> list[str]:
    return [name.strip() for name in _open_parquet(path).schema_arrow.names]


def _parquet_rows(path: Path, _reject: Reject) -> Iterator[tuple[int, list[str]]]:
    import pyarrow as pa

    line = 0
    for batch in _open_parquet(path).iter_batches(batch_size=_BATCH):
        columns = []
        for column in batch.columns:
            if pa.types.is_timestamp(column.type):  # nanoseconds have no datetime
                column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
            columns.append([_as_text(value) for value in column.to_pylist()])
        for cells in zip(*columns, strict=True):
            line += 1
            yield line, list(cells)


def _open_parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                return pq.ParquetFile(pa.BufferReader(packed.read()))
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ImportInvalid(f"{path.name} is not a Parquet file.") from error


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "isoformat"):
        return cast("str", value.isoformat())
    return str(value)
