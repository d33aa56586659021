"""Reads a CSV or Parquet file row by row as text, in bounded memory, whatever is wrong with single rows."""

import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from recsys.domain.errors import ImportInvalid
from recsys.domain.vocabulary import SHIPPED
from recsys.storage.import_mapping import TableMapping
from recsys.storage.parquet_files import parquet_header, parquet_rows
from recsys.storage.protective_cells import SUBJECT_OF_COLUMN
from recsys.storage.text_files import (
    DELIMITER_NAMES,
    MAX_LINES_OF_A_ROW,
    Dialect,
    Reject,
    Torn,
    csv_header,
    csv_rows,
    detect_dialect,
)

__all__ = ["MAX_LINES_OF_A_ROW", "SUFFIXES", "Reject", "Row", "TableFile", "find_table", "open_table"]

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".parquet.gz")
IDENTIFIERS = ("customer_id", "offer_id", "contact_id", "agent_id")
"""Columns whose cells name somebody or something: 1.0 and 1 are the same, and no digit may be missing."""

Row = dict[str, str]
Misshapen = Callable[[Row], None]
"""Called with what can be read of a row that has a stray quote, or too few or too many cells."""


def find_table(directory: Path, table: str, suffixes: Sequence[str] = SUFFIXES) -> Path | None:
    """Return the table's file in the directory, whatever the case of its name, if there is one.

    Raises `ImportInvalid` when there are several.
    """
    wanted = {f"{table}{suffix}" for suffix in suffixes}
    found = [path for path in sorted(directory.iterdir()) if path.name.casefold() in wanted and path.is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ImportInvalid(f"There are {names} in the import directory; keep one of them.")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table in a file; `columns` are ours, after the mapping, the constants' included.

    `names` are the file's columns under our names, `dialect` how a text file is written (None for Parquet).
    """

    path: Path
    mapping: TableMapping
    columns: tuple[str, ...]
    names: tuple[str, ...]
    dialect: Dialect | None = None
    header: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name the report has for it."""
        return self.path.name

    def theirs(self, column: str) -> str:
        """Return what the file calls one of our columns."""
        return self.header[self.names.index(column)] if column in self.names else column

    def rows(self, reject: Reject, misshapen: Misshapen | None = None) -> Iterator[tuple[int, Row]]:
        """Yield line and cells of every row that has the header's shape; the others go to `reject`.

        `misshapen` is told what can be read of each of those. Raises `ImportInvalid` when the file cannot be read
        to its end.
        """
        names, constants = self.names, self.mapping.constants
        for line, cells in self.shaped_rows(reject, misshapen):
            row = dict(zip(names, cells, strict=True))
            row.update(constants)
            yield line, row

    def shaped_rows(self, reject: Reject, misshapen: Misshapen | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield line and cells, one for each of `names`."""
        width = len(self.names)
        with _readable(self.path):
            for line, cells in self._read(reject, misshapen):
                if len(cells) == width:
                    yield line, cells
                    continue
                torn_rows(self.names, misshapen)(cells)
                reject(line, "", f"the row has {len(cells)} cells, the header has {width}")

    def _read(self, reject: Reject, misshapen: Misshapen | None) -> Iterator[tuple[int, list[str]]]:
        torn = torn_rows(self.names, misshapen)
        if self.dialect is None:
            identifiers = {self.theirs(name) for name in IDENTIFIERS}
            return parquet_rows(self.path, identifiers, reject, torn)
        return csv_rows(self.path, self.dialect, reject, torn)


def torn_rows(names: Sequence[str], misshapen: Misshapen | None) -> Torn:
    """Return what tells `misshapen` the cells of a row by their names, as far as there are cells."""
    if misshapen is None:
        return len
    return lambda cells: misshapen(dict(zip(names, cells, strict=False)))


def open_table(path: Path, mapping: TableMapping, required: Sequence[str], known: Collection[str] = ()) -> TableFile:
    """Return the file as a table; headers that the vocabulary spells as one of the `known` columns stand for it.

    Raises `ImportInvalid` when header or required columns are missing.
    """
    with _readable(path):
        dialect = None
        if ".parquet" in map(str.lower, path.suffixes):
            header = parquet_header(path)
        else:
            dialect = detect_dialect(path, mapping.encoding, mapping.delimiter)
            header = csv_header(path, dialect)
    names = our_names(path.name, header, mapping, known)
    columns = tuple(dict.fromkeys([*(name for name in names if name), *mapping.constants]))
    if missing := [name for name in required if name not in columns]:
        by_what = f" by {DELIMITER_NAMES.get(dialect.delimiter, dialect.delimiter)}s" if dialect else ""
        raise ImportInvalid(
            f"{path.name} has no column {', '.join(missing)}. Its first line must name the columns; separated{by_what} "
            f"it names {len(names)}: {', '.join(header[:20])}. Rename them or use --mapping."
        )
    return TableFile(path, mapping, columns, names, dialect, tuple(header))


def our_names(file: str, header: Sequence[str], mapping: TableMapping, known: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns of a header under our names: those of the mapping, else of the vocabulary if `known`.

    Raises `ImportInvalid` when the mapping names a column the file has not, or two have one name.
    """
    for source in mapping.columns.values():
        if source not in header:
            near = get_close_matches(source, header, n=3, cutoff=0.5) or list(header[:20])
            raise ImportInvalid(f"{file} has no column {source}, which the mapping names; it has {', '.join(near)}.")
    ours = {source: name for name, source in mapping.columns.items()}
    taken = {*header, *mapping.columns}
    names = tuple(ours.get(name) or _canonical(name, mapping, known, taken) for name in header)
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise ImportInvalid(f"{file} has two columns of the same name, {twice}; rename one of them.")
    return names


def _canonical(name: str, mapping: TableMapping, known: Collection[str], taken: Collection[str]) -> str:
    """Return the known column that a header stands for, else the header; a second one that protects is not dropped."""
    canonical = SHIPPED.column(name)
    if canonical not in known or name in mapping.types:
        return name
    return canonical if canonical not in taken or canonical in SUBJECT_OF_COLUMN else name


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ImportInvalid(f"{path.name} is not {error.encoding} text; name its encoding in the mapping.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ImportInvalid(f"{path.name} cannot be read to its end; copy it again. ({error})") from error
