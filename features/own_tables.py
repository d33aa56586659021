"""Builds the dated tables of the bank's own views, each checked whole before it replaces the one before."""

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.feature_tables import OwnTable, Progress, keep_own_problems, own_problems
from features.own_features import BEYOND, TYPES, kind_of, typed
from features.own_views import Declared, Feature, Parquet, Table, View
from recsys.domain.customer import MAX_TEXT_LENGTH
from recsys.domain.errors import FeaturesInvalid, InvalidInput
from recsys.domain.identifier import form_of, parse_identifier
from recsys.interactions.file_queries import open_duckdb
from recsys.storage.outside_table import read_outside_table

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

PushedRows = Callable[[str, datetime], Iterable[Sequence[tuple[str, datetime, dict[str, Any]]]]]
"""What was pushed into a view up to a moment, in batches: customer, since when, features."""
_BATCH = 50_000
_SQL = {"float": "DOUBLE", "int": "BIGINT", "str": "VARCHAR", "bool": "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class OwnTables:
    """Rows by view that were written, and a line for everything that kept a view as it was before.

    `ahead` counts by view the rows that the source knows from a later moment on than the tables: they wait for it.
    """

    rows: dict[str, int]
    problems: tuple[str, ...] = ()
    ahead: Mapping[str, int] = field(default_factory=dict)


class _Refused(Exception):
    """A source that cannot be used; each argument is a line that says why."""


def build_own_tables(
    declared: Sequence[Declared],
    folder: Path,
    as_of: datetime,
    pushed: PushedRows | None = None,
    progress: Progress | None = None,
) -> OwnTables:
    """Write the table of every declared view below `folder`: what was known up to `as_of`, dated and typed.

    A view whose source is broken keeps the table that it has, and is told among the problems.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    ahead: dict[str, int] = {}
    problems: list[str] = []
    broken: dict[str, str] = {}
    for done, one in enumerate(declared):
        file = OwnTable(one.view.name).file(folder)
        beside, staged = file.with_suffix(".writing"), file.with_suffix(".reading")
        try:
            rows[one.view.name], later = _built(one, (beside, staged), as_of, pushed)
            ahead |= {one.view.name: later} if later else {}
            os.replace(beside, file)
        except _Refused as refused:
            problems += [f"{one.code.place}: view {one.view.name}: {line}" for line in refused.args]
            broken[one.view.name] = "; ".join(refused.args)
        finally:
            for left in (beside, staged):
                left.unlink(missing_ok=True)
        if progress:
            progress("building own tables", done + 1, len(declared))
    keep_own_problems(folder, broken)
    return OwnTables(rows, tuple(problems), ahead)


def check_own_tables(declared: Sequence[Declared], folder: Path) -> None:
    """Raise FeaturesInvalid, which says what to do, where declared views have no table, or one of other features."""
    from pyarrow.parquet import read_schema

    problems, known = [], own_problems(folder)
    for one in declared:
        file, wanted = OwnTable(one.view.name).file(folder), [feature.name for feature in one.view.features]
        if not file.exists() or read_schema(file).names[2:] != wanted:
            why = known.get(one.view.name, "run `nbo features export`.")
            problems.append(f"The tables do not have {one.view.name} ({', '.join(wanted)}) yet: {why}")
    if problems:
        raise FeaturesInvalid(problems)


def _built(one: Declared, files: tuple[Path, Path], as_of: datetime, pushed: PushedRows | None) -> tuple[int, int]:
    """Build one table; return its rows and those that lie ahead. What DuckDB cannot read is a line of its view."""
    from duckdb import Error

    try:
        return _build(one, files, as_of, pushed)
    except Error as error:
        raise _Refused(f"it cannot be read: {' '.join(str(error).split())[:300]}") from error


def _build(one: Declared, files: tuple[Path, Path], as_of: datetime, pushed: PushedRows | None) -> tuple[int, int]:
    beside, staged = files
    view, source = one.view, one.view.source
    if isinstance(source, Parquet):
        found = _files(source, one.folder)
        names = source.key, source.known_at
        for file in found:
            _check_columns(view, names, file)
    else:
        names = "customer_id", "known_at"
        rows = _of_table(view, source) if isinstance(source, Table) else _of_pushes(view, as_of, pushed)
        with closing(rows):  # also where it is not read to its end: a cursor of the database goes with it
            _stage(view, rows, staged)
        found = [staged]
    place = str(source.name) if isinstance(source, Table) else str(found[0].parent if len(found) > 1 else found[0])
    with open_duckdb(temp_directory=f"{beside}.tmp") as database:
        database.execute("SET TimeZone = 'UTC'")
        typed_columns = ", ".join(f"{_typed_column(feature)} AS {_quoted(feature.name)}" for feature in view.features)
        database.read_parquet([str(file) for file in found]).create_view("rows")
        _check_values(database, view, names[0], place)
        _normalise_ids(database, names[0], place)
        database.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ", [as_of.isoformat()])
        database.execute(
            f"CREATE VIEW dated AS SELECT coalesce(normal, {_quoted(names[0])}) AS customer_id, "
            f"{_quoted(names[1])}::TIMESTAMPTZ AS event_timestamp, {typed_columns} "
            f"FROM rows LEFT JOIN written ON written = {_quoted(names[0])}"
        )
        _check_rows(database, names, place)
        quoted = str(beside).replace("'", "''")
        written = database.execute(
            "COPY (FROM dated WHERE event_timestamp <= getvariable('as_of') ORDER BY customer_id, event_timestamp) "
            f"TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
        ahead, _ = _one(database, "SELECT count(*), NULL FROM dated WHERE event_timestamp > getvariable('as_of')")
    return int(written[0]) if written else 0, ahead


def _typed_column(feature: Feature) -> str:
    """Return the column as SQL of its type; a number that is none, or has no end, is not known."""
    name = f"{_quoted(feature.name)}::{_SQL[feature.type.__name__]}"
    return f"CASE WHEN isfinite({name}) THEN {name} END" if feature.type is float else name


def _check_values(database: "DuckDBPyConnection", view: View, key: str, place: str) -> None:
    """Refuse what no store takes: whole numbers beyond 64 bits (a file's may have no sign), and texts that are odd."""
    other = {
        int: ("{0} IS NOT NULL AND TRY_CAST({0} AS BIGINT) IS NULL", "int", BEYOND),
        str: (
            f"length({{0}}::VARCHAR) > {MAX_TEXT_LENGTH} OR contains({{0}}::VARCHAR, chr(0))",
            f"str of at most {MAX_TEXT_LENGTH} characters without NUL",
            "others",
        ),
    }
    lines = []
    for feature in view.features:
        if (check := other.get(feature.type)) is None:
            continue
        is_wrong, wanted, found = check
        query = f"SELECT count(*), min({_quoted(key)}) FROM rows WHERE {is_wrong.format(_quoted(feature.name))}"
        count, example = _one(database, query)
        if count:
            lines.append(
                f"{place}, column {feature.name}: expected {wanted}, found {count} {found}, the first of customer "
                f"{example}"
            )
    if lines:
        raise _Refused(*lines)


def _normalise_ids(database: "DuckDBPyConnection", key: str, place: str) -> None:
    """Put ids that are written in another than their normal form, and that form, into the table `written`."""
    plain = "[0-9A-Za-z][0-9A-Za-z_.-]{0,99}"
    rows = database.execute(
        f"SELECT DISTINCT {_quoted(key)} FROM rows "
        f"WHERE {_quoted(key)} <> '' AND NOT regexp_full_match({_quoted(key)}, '{plain}')"
    ).fetchall()
    lines: list[str] = []
    normal: dict[str, str] = {}
    for (identifier,) in rows:
        try:
            normal[identifier] = parse_identifier(identifier)
        except ValueError as error:
            lines.append(f"{place}, column {key}: {identifier[:50]!r} is no identifier: {error}")
    if lines:
        raise _Refused(*lines[:5], *([f"… and {len(lines) - 5} more"] if len(lines) > 5 else []))
    database.execute("CREATE TABLE written (written VARCHAR, normal VARCHAR)")
    if changed := [(identifier, form) for identifier, form in normal.items() if identifier != form]:
        database.executemany("INSERT INTO written VALUES (?, ?)", changed)


def _files(source: Parquet, folder: Path | None) -> list[Path]:
    path = (folder or Path()) / source.path
    found = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not found or not found[0].exists():
        raise _Refused(f"there is no Parquet file at {path}")
    return found


def _check_columns(view: View, names: tuple[str, str], file: Path) -> None:
    """Refuse a file that lacks a column, or has one of another type than is declared."""
    import pyarrow as pa
    from pyarrow.parquet import read_schema

    try:
        schema = read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise _Refused(f"{file} is no Parquet file: {' '.join(str(error).split())[:150]}") from None
    wanted: list[tuple[str, str, Callable[[pa.DataType], bool]]] = [
        (names[0], "text", _is_text),
        (names[1], "a moment", lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind)),
        *((feature.name, feature.type.__name__, _fits(feature)) for feature in view.features),
    ]
    lines = []
    for name, kind, fits in wanted:
        if name not in schema.names:
            lines.append(
                f"{file}, column {name}: expected {kind}, found no such column among {', '.join(schema.names)}"
            )
        elif len(alike := [one for one in schema.names if form_of(one) == form_of(name)]) > 1:
            lines.append(f"{file}, column {name}: found several whose names differ by their case: {', '.join(alike)}")
        elif not fits(found := schema.field(name).type):
            lines.append(f"{file}, column {name}: expected {kind}, found {found}")
    if lines:
        raise _Refused(*lines)


def _fits(feature: Feature) -> "Callable[[pa.DataType], bool]":
    import pyarrow as pa

    fits: dict[type, Callable[[pa.DataType], bool]] = {
        float: lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind),
        int: pa.types.is_integer,
        bool: pa.types.is_boolean,
        str: _is_text,
    }
    return fits[feature.type]


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_rows(database: "DuckDBPyConnection", names: tuple[str, str], place: str) -> None:
    """Refuse rows that nobody, or no moment, is known of, and two rows of the same customer and moment."""
    key, known_at = names
    lines = []
    for column, name in (("customer_id", key), ("event_timestamp", known_at)):
        count, example = _one(
            database, f"SELECT count(*), min(customer_id) FROM dated WHERE {column} IS NULL OR {column}::VARCHAR = ''"
        )
        if count:
            of_whom = f", the first of customer {example}" if example else ""
            lines.append(f"{place}, column {name}: expected a value in every row, found {count} without{of_whom}")
    count, example = _one(
        database,
        "SELECT count(*), min(customer_id || ' at ' || event_timestamp) FROM (SELECT customer_id, event_timestamp "
        "FROM dated WHERE event_timestamp IS NOT NULL GROUP BY ALL HAVING count(*) > 1)",
    )
    if count:
        lines.append(
            f"{place}, columns {key} and {known_at}: expected one row a customer and moment, found several of "
            f"{count}, as of {example}"
        )
    if lines:
        raise _Refused(*lines)


def _one(database: "DuckDBPyConnection", query: str) -> tuple[int, str | None]:
    row = database.execute(query).fetchone()
    assert row is not None
    return int(row[0]), row[1]


Row = tuple[Any, ...]


def _of_table(view: View, source: Table) -> Generator[Sequence[Row]]:
    """Yield the rows of a SQL table in batches, as they come from the database."""
    if source.address is None:
        raise _Refused(f"{source.name}: the variable {source.address_variable}, its database's address, is not set")
    columns = (source.key, source.known_at, *(feature.name for feature in view.features))
    try:
        yield from read_outside_table(source.address, source.name, columns)
    except InvalidInput as error:
        raise _Refused(str(error)) from None


def _of_pushes(view: View, as_of: datetime, pushed: PushedRows | None) -> Generator[Sequence[Row]]:
    """Yield what was pushed; of two pushes of a customer in the same microsecond the later one counts."""
    names = [feature.name for feature in view.features]
    for rows in pushed(view.name, as_of) if pushed else ():
        last = {(customer, at): tuple(values.get(name) for name in names) for customer, at, values in rows}
        yield [(*key, *values) for key, values in last.items()]


def _stage(view: View, batches: Iterable[Sequence[Row]], file: Path) -> None:
    """Write rows of customer, moment and features as Parquet; refuse a value of another type than is declared."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    kinds = {"float": pa.float64(), "int": pa.int64(), "str": pa.string(), "bool": pa.bool_()}
    moment = pa.timestamp("us", tz="UTC")
    fields = [("customer_id", pa.string()), ("known_at", moment)]
    schema = pa.schema([*fields, *((feature.name, kinds[feature.type.__name__]) for feature in view.features)])
    with ParquetWriter(file, schema) as writer:
        for rows in batches:
            columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
            names = [("customer_id", "str"), ("known_at", ""), *((f.name, f.type.__name__) for f in view.features)]
            arrays = [
                _array(column, one, schema.field(one[0]).type) for column, one in zip(columns, names, strict=True)
            ]
            if arrays:
                writer.write_batch(pa.record_batch(arrays, schema))


def _array(values: Sequence[Any], of: tuple[str, str], kind: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    name, wanted = of
    try:
        if wanted:
            as_number = TYPES[wanted] is float
            values = [typed(float(one) if as_number and _is_decimal(one) else one, wanted) for one in values]
        else:
            values = [_moment(one) for one in values]
        return pa.array(values, kind)
    except (TypeError, pa.ArrowException) as error:
        found = next((kind_of(one) for one in values if not _is_of(one, wanted)), str(error))
        raise _Refused(f"column {name}: expected {wanted or 'a moment'}, found {found}") from None


def _moment(value: object) -> object:
    """Return a day as the moment at which it begins (UTC), as files are read; anything else as it is."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value


def _is_decimal(value: object) -> bool:
    from decimal import Decimal

    return isinstance(value, Decimal)


def _is_of(value: object, wanted: str) -> bool:
    if not wanted:
        return value is None or isinstance(value, datetime)
    try:
        typed(value, wanted)
    except TypeError:
        return False
    return True


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
