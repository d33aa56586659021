"""What every part of the event log rests on: one open connection, inside one transaction."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select

from recsys.domain.calendar import UTC_DAYS, BankCalendar


class BoundLog:
    """Reads and writes of one transaction; made by `Database`, never kept after it."""

    def __init__(self, connection: Connection, calendar: BankCalendar = UTC_DAYS) -> None:
        self._connection = connection
        self.calendar = calendar
        """The bank's days, by which the log counts."""
        self.after_commit: list[Callable[[], None]] = []
        """Called once what this transaction wrote is there for everybody; never when it was rolled back."""

    def batches(self, statement: Select[Any], size: int) -> Iterator[Sequence[Row[Any]]]:
        """Yield the rows of a query, `size` at a time, without holding them all."""
        if self._connection.dialect.name != "sqlite":  # whose cursor is one: buffering rows of it costs a fifth
            statement = statement.execution_options(stream_results=True, max_row_buffer=size)
        with self._connection.execute(statement) as result:
            yield from result.partitions(size)
