"""Opens the event log and hands out transactions: one writer and a lock a customer, whichever database it is."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError, TimeoutError

from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.errors import SettingsInvalid, StoreUnavailable
from recsys.rules import sqlite_functions
from recsys.storage.bound_log import BoundLog
from recsys.storage.event_log import EventLog
from recsys.storage.fair_lock import FairLock

BUSY_TIMEOUT_MS = 5_000
"""How long a writer waits for another before it gives up."""

_CONNECTIONS = 10
_BULK_CACHE = -65_536
"""Negative: in KiB; the indexes of a large import fit."""
_SQLITE_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS}
_POSTGRESQL_OPTIONS = f"-c timezone=UTC -c lock_timeout={BUSY_TIMEOUT_MS}"
_MIGRATION_LOCK = "nbo:migration"
_BULK_LOCK = "nbo:bulk"


class Database:
    """The event log's database, which counts days by `calendar`; give it back with `close()`."""

    def __init__(self, engine: Engine, calendar: BankCalendar = UTC_DAYS) -> None:
        self.calendar = calendar
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._engine = engine
        self._reader = engine.execution_options(
            **({"begin": "BEGIN"} if self._is_sqlite else {"isolation_level": "REPEATABLE READ"})
        )
        self._writing = FairLock()

    @property
    def writers_at_once(self) -> int:
        """How many write transactions can make progress side by side in this process."""
        return 1 if self._is_sqlite else _CONNECTIONS

    @contextmanager
    def transaction(self, customer_id: str | None = None) -> Generator[EventLog]:
        """Yield the log inside one write transaction, committed at the end, rolled back on an error.

        With `customer_id`, nobody else can be in a transaction of the same customer: SQLite has one
        writer at a time anyway, PostgreSQL takes an advisory lock. Raises `StoreUnavailable` when the
        database cannot be reached or another writer does not finish within `BUSY_TIMEOUT_MS`.
        """
        with self._one_writer(), self._translated(), self._engine.begin() as connection:
            log = EventLog(connection, self.calendar)
            if customer_id is not None:
                log.hold(customer_id)
            yield log
        for tell in log.after_commit:
            tell()

    @contextmanager
    def read(self) -> Generator[EventLog]:
        """Yield the log as it stands at the first read; writes of others do not show until the next one."""
        with self._translated(), self._reader.begin() as connection:
            yield EventLog(connection, self.calendar)

    @contextmanager
    def private_connection(self) -> Generator[Connection]:
        """Yield a connection whose temporary tables nobody else sees; they go with it."""
        with self._translated(), self._engine.connect() as connection:
            try:
                if self._is_sqlite:
                    connection.exec_driver_sql(f"PRAGMA cache_size={_BULK_CACHE}")
                    connection.rollback()
                yield connection
            finally:
                connection.invalidate()

    @contextmanager
    def staging_on(self, connection: Connection) -> Generator[EventLog]:
        """Yield the log in a transaction that may read, and write temporary tables, without keeping writers out."""
        connection.execution_options(begin="BEGIN")
        with self._translated(), connection.begin():
            yield EventLog(connection, self.calendar)

    @contextmanager
    def writing_on(self, connection: Connection) -> Generator[EventLog]:
        """Yield the log in a write transaction on a private connection, alone among its kind."""
        connection.execution_options(begin="BEGIN IMMEDIATE")
        with self._one_writer(), self._translated(), connection.begin():
            log = EventLog(connection, self.calendar)
            log.hold(_BULK_LOCK)
            yield log

    def upgrade(self) -> None:
        """Bring the tables to the version of this program; two processes may ask at once."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._one_writer(), self._translated(), self._engine.begin() as connection:
            BoundLog(connection).hold(_MIGRATION_LOCK)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()

    @contextmanager
    def _one_writer(self) -> Generator[None]:
        if not self._is_sqlite:
            yield
            return
        if not self._writing.acquire(BUSY_TIMEOUT_MS / 1000):
            raise StoreUnavailable("Another writer holds the event log; try again.")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, TimeoutError) as error:
            raise _unavailable(error) from error
        except DatabaseError as error:
            if _lacks_tables(error) or error.connection_invalidated:
                raise _unavailable(error) from error
            raise


def open_database(url: str, calendar: BankCalendar = UTC_DAYS) -> Database:
    """Return the database at `url` (`sqlite:///file` or `postgresql://…`); connects on first use.

    Raises `SettingsInvalid` for another kind of address.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise SettingsInvalid("NBO_DATABASE_URL is not a database address.") from error
    if address.get_backend_name() == "sqlite":
        return Database(_sqlite_engine(address), calendar)
    if address.get_backend_name() == "postgresql":
        return Database(_postgresql_engine(address), calendar)
    raise SettingsInvalid("NBO_DATABASE_URL must be sqlite:///file or postgresql://host/name.")


def _sqlite_engine(address: URL) -> Engine:
    if not address.database or address.database == ":memory:":
        raise SettingsInvalid("The event log needs a file, such as sqlite:///var/nbo.db.")
    Path(address.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # isolation_level=None: the driver would begin by itself, and later than BEGIN IMMEDIATE must.
    engine = create_engine(address, connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    sqlite_functions.register(connection)
    for pragma, value in _SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {pragma}={value}")
        if (in_force := connection.execute(f"PRAGMA {pragma}").fetchone()[0]) != value:
            raise StoreUnavailable(f"SQLite refuses {pragma}={value} (it says {in_force}); use a local disk.")


def _begin_sqlite(connection: Connection) -> None:
    """Begin on the driver's own cursor, which every decision waits for."""
    try:
        connection.connection.cursor().execute(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
    except sqlite3.Error as error:
        raise _unavailable(error) from error


def _postgresql_engine(address: URL) -> Engine:
    return create_engine(
        address.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": 2, "options": _POSTGRESQL_OPTIONS},
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=2,
        pool_pre_ping=True,
    )


def _lacks_tables(error: Exception) -> bool:
    cause = str(getattr(error, "orig", ""))
    return "no such table" in cause or "no such column" in cause or ("does not exist" in cause and "relation" in cause)


def _unavailable(error: Exception) -> StoreUnavailable:
    if _lacks_tables(error):
        return StoreUnavailable("The event log has not the tables of this version; run `nbo init`.")
    return StoreUnavailable("The event log cannot be reached; run `nbo doctor`.")
