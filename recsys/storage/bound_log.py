"""What every part of the event log rests on: one open connection, inside one transaction."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row, Select, text

from recsys.domain.calendar import UTC_DAYS, BankCalendar

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


def lock_key(name: str) -> int:
    """Return the signed 64-bit advisory lock key of `name`."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)


class BoundLog:
    """Reads and writes of one transaction; made by `Database`, never kept after it."""

    def __init__(self, connection: Connection, calendar: BankCalendar = UTC_DAYS) -> None:
        self._connection = connection
        self.calendar = calendar
        """The bank's days, by which the log counts."""
        self.after_commit: list[Callable[[], None]] = []
        """Called once what this transaction wrote is there for everybody; never when it was rolled back."""

    def hold(self, name: str) -> None:
        """Wait until nobody else holds `name`, and hold it to the end of the transaction.

        SQLite has one writer at a time anyway.
        """
        if self._connection.dialect.name != "sqlite":
            self._connection.execute(_LOCK, {"key": lock_key(name)})

    def batches(self, statement: Select[Any], size: int) -> Iterator[Sequence[Row[Any]]]:
        """Yield the rows of a query, `size` at a time, without holding them all."""
        if self._connection.dialect.name != "sqlite":  # whose cursor is one: buffering rows of it costs a fifth
            statement = statement.execution_options(stream_results=True, max_row_buffer=size)
        with self._connection.execute(statement) as result:
            yield from result.partitions(size)
