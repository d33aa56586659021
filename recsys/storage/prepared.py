"""Statements of the decision's path, compiled once and run on the cursor of the driver: a fifth of the time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

Processor = Callable[[Any], Any]


class _Compiled(NamedTuple):
    """What one dialect makes of a statement."""

    text: str
    defaults: Mapping[str, Any]
    writers: Sequence[tuple[str, Processor]]
    positions: Sequence[str] | None


class Prepared:
    """A SELECT, or an INSERT of the named `columns`; no statement with expanding parameters."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement, self._columns = statement, columns
        self._compiled: dict[str, _Compiled] = {}
        self._readers: dict[str, list[tuple[int, Processor]]] = {}

    def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return every row of the query; fails as `connection.execute` would."""
        dialect = connection.dialect

        def take(cursor: Any) -> list[tuple[Any, ...]]:
            if dialect.name not in self._readers:  # which depend on the types that the first answer names
                self._readers[dialect.name] = self._reading(dialect, cursor.description)
            return cursor.fetchall()  # type: ignore[no-any-return]

        rows: list[tuple[Any, ...]] = self._run(connection, parameters, take)
        for column, read in self._readers[dialect.name]:
            rows = [(*row[:column], read(row[column]), *row[column + 1 :]) for row in rows]
        return rows

    def insert(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """Add the row; fails as `connection.execute` would."""
        self._run(connection, row, lambda _: None)

    def _run(self, connection: Connection, parameters: Mapping[str, Any], take: Callable[[Any], Any]) -> Any:
        compiled = self._of(connection.dialect)
        values = {**compiled.defaults, **parameters}
        for name, write in compiled.writers:
            values[name] = write(values[name])
        given = values if compiled.positions is None else [values[name] for name in compiled.positions]
        driver = connection.dialect.dbapi
        assert driver is not None
        cursor = connection.connection.cursor()
        try:
            cursor.execute(compiled.text, given)
            return take(cursor)
        except driver.Error as error:
            is_lost = connection.dialect.is_disconnect(error, connection.connection.driver_connection, cursor)
            raise DBAPIError.instance(
                compiled.text, None, error, driver.Error, connection_invalidated=is_lost, dialect=connection.dialect
            ) from error
        finally:
            cursor.close()

    def _of(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            self._compiled[dialect.name] = found = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        assert isinstance(compiled, SQLCompiler)
        writers = {name: one.type.dialect_impl(dialect).bind_processor(dialect) for name, one in compiled.binds.items()}
        return _Compiled(
            compiled.string,
            dict(compiled.params),
            [(name, write) for name, write in writers.items() if write],
            compiled.positiontup,
        )

    def _reading(self, dialect: Dialect, description: Sequence[Any]) -> list[tuple[int, Processor]]:
        columns = getattr(self._statement, "selected_columns", ())
        readers = [
            one.type.dialect_impl(dialect).result_processor(dialect, driver_column[1])
            for one, driver_column in zip(columns, description, strict=True)
        ]
        return [(place, read) for place, read in enumerate(readers) if read]
