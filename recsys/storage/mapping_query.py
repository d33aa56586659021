"""Tables that a mapping makes by a query over the directory's files, which sees nothing but them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from recsys.domain.errors import ImportInvalid
from recsys.storage.import_mapping import TableMapping
from recsys.storage.parquet_files import batch_rows
from recsys.storage.table_files import IDENTIFIERS, Misshapen, Row, open_table, our_names, torn_rows
from recsys.storage.text_files import Reject

_BATCH = 10_000
_LOCKS = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)


@dataclass(slots=True)
class SourceReport:
    """How many rows of a file a query could read, and how many it could not; how the file is written."""

    read: int = 0
    rejected: int = 0
    encoding: str = ""
    delimiter: str = ""


@dataclass(slots=True)
class QueriedFiles:
    """The files of a directory that queries name, loaded once; afterwards nothing else can be reached."""

    directory: Path
    connection: Any
    reports: dict[str, SourceReport] = field(default_factory=dict)

    def close(self) -> None:
        """Forget what was loaded."""
        self.connection.close()


@dataclass(frozen=True, slots=True)
class QueryTable:
    """The rows that a query makes, under our names; the line of a row is its number in the result, from 1."""

    table: str
    mapping: TableMapping
    columns: tuple[str, ...]
    names: tuple[str, ...]
    _files: QueriedFiles
    header: tuple[str, ...] = ()
    dialect: None = None

    @property
    def name(self) -> str:
        """The name the report has for it."""
        return f"query {self.table}"

    def theirs(self, column: str) -> str:
        """Return what the query calls one of our columns."""
        return self.header[self.names.index(column)] if column in self.names else column

    def rows(self, reject: Reject, misshapen: Misshapen | None = None) -> Iterator[tuple[int, Row]]:
        """Yield number and cells of every row of the result."""
        for line, cells in self.shaped_rows(reject, misshapen):
            yield line, {**dict(zip(self.names, cells, strict=True)), **self.mapping.constants}

    def shaped_rows(self, reject: Reject, misshapen: Misshapen | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield number and cells, one for each of `names`."""
        identifiers = {self.theirs(name) for name in IDENTIFIERS}
        result = self._files.connection.cursor().sql(f"SELECT * FROM result_{self.table}")
        return batch_rows(result.to_arrow_reader(_BATCH), identifiers, reject, torn_rows(self.names, misshapen))


def load_queried_files(directory: Path, mappings: Mapping[str, TableMapping], reject: Any) -> QueriedFiles:
    """Load the files that the mappings' queries name; `reject` is called with file, line, column and reason.

    Raises `ImportInvalid` when a query is not one SELECT or a file cannot be read.
    """
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": "1"})
    connection.execute("SET enable_progress_bar = false")
    files = QueriedFiles(directory, connection)
    try:
        stems = _stems(directory)
        for table, mapping in mappings.items():
            if mapping.query is not None:
                for stem in _named_stems(connection, table, mapping.query):
                    _load(files, _only(stems, stem, table), stem, mapping, reject)
        for lock in _LOCKS:
            connection.execute(lock)
    except BaseException:
        connection.close()
        raise
    return files


def open_query(
    files: QueriedFiles, table: str, mapping: TableMapping, required: Sequence[str], known: Collection[str] = ()
) -> QueryTable:
    """Run the mapping's query and return its result as a table; raises `ImportInvalid` with what is wrong in it."""
    import duckdb

    query = (mapping.query or "").strip().rstrip(";")
    try:
        files.connection.execute(f"CREATE TABLE result_{table} AS (\n{query}\n)")
    except duckdb.Error as error:
        raise ImportInvalid(f"The mapping's query of {table} fails: {_in_one_line(error)}") from error
    described = files.connection.cursor().execute(f"SELECT * FROM result_{table} LIMIT 0").description
    header = [column[0] for column in described]
    names = our_names(f"the query of {table}", header, mapping, known)
    columns = tuple(dict.fromkeys([*names, *mapping.constants]))
    if missing := [name for name in required if name not in columns]:
        raise ImportInvalid(
            f"The mapping's query of {table} gives no column {', '.join(missing)}; it gives {', '.join(header)}."
        )
    return QueryTable(table, mapping, columns, names, files, tuple(header))


def _named_stems(connection: Any, table: str, query: str) -> list[str]:
    """Return the tables that a query names and does not make itself, without looking whether they are there."""
    ((tree,),) = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    parsed = orjson.loads(tree)
    if parsed["error"]:
        reason = " ".join(str(parsed["error_message"]).split())
        raise ImportInvalid(f"The mapping's query of {table} must be one SELECT: {reason}")
    if len(parsed["statements"]) != 1:
        raise ImportInvalid(f"The mapping's query of {table} must be one SELECT, not {len(parsed['statements'])}.")
    named: set[str] = set()
    made: set[str] = set()
    open_nodes: list[Any] = [parsed["statements"]]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list):
            open_nodes += node
        elif isinstance(node, dict):
            open_nodes += node.values()
            if node.get("type") == "BASE_TABLE":
                named.add(node["table_name"])
            made |= {entry["key"] for entry in (node.get("cte_map") or {}).get("map", ())}
    return sorted(named - made)


def _stems(directory: Path) -> dict[str, list[Path]]:
    stems: dict[str, list[Path]] = {}
    for path in sorted(directory.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            stems.setdefault(path.name.split(".")[0].lower(), []).append(path)
    return stems


def _only(stems: Mapping[str, list[Path]], stem: str, table: str) -> Path:
    found = stems.get(stem.lower(), [])
    if not found:
        near = get_close_matches(stem.lower(), stems, n=3) or sorted(stems)[:20]
        raise ImportInvalid(
            f"The mapping's query of {table} reads {stem}, but there is no such file; there are {', '.join(near)}."
        )
    if len(found) > 1:
        raise ImportInvalid(f"There are {' and '.join(path.name for path in found)}; keep one, the query reads {stem}.")
    return found[0]


def _load(files: QueriedFiles, path: Path, stem: str, mapping: TableMapping, reject: Any) -> None:
    import pyarrow as pa

    if path.name in files.reports:
        return
    source = open_table(path, TableMapping(encoding=mapping.encoding, delimiter=mapping.delimiter), ())
    report = files.reports[path.name] = SourceReport()
    if source.dialect is not None:
        report.encoding, report.delimiter = source.dialect.encoding, source.dialect.delimiter
    quoted = '"' + stem.replace('"', '""') + '"'
    columns = [name or f"column{place}" for place, name in enumerate(source.names, 1)]
    schema = pa.schema([(name, pa.string()) for name in columns])
    files.connection.register("incoming", schema.empty_table())
    files.connection.execute(f"CREATE TABLE {quoted} AS SELECT * FROM incoming")

    def refuse(line: int, column: str, reason: str) -> None:
        report.read += 1
        report.rejected += 1
        reject(path.name, line, column, reason)

    def save(batch: list[list[str | None]]) -> None:
        table = pa.Table.from_arrays(
            [pa.array(cells, pa.string()) for cells in zip(*batch, strict=True)], schema=schema
        )
        files.connection.register("incoming", table)
        files.connection.execute(f"INSERT INTO {quoted} SELECT * FROM incoming")

    batch: list[list[str | None]] = []
    for _, cells in source.shaped_rows(refuse):
        report.read += 1
        batch.append([cell.strip() or None for cell in cells])
        if len(batch) == _BATCH:
            save(batch)
            batch = []
    if batch:
        save(batch)
    files.connection.unregister("incoming")


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split("\n\nLINE")[0].split())
