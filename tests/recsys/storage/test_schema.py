"""The tables are what the program thinks they are, on both databases."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import StatementError

from recsys.domain.errors import StoreUnavailable
from recsys.storage.database import Database, open_database
from recsys.storage.schema import metadata
from tests.builders import NOW, a_contact, a_customer


def _engine(url: str):  # type: ignore[no-untyped-def]
    address = make_url(url)
    return create_engine(address.set(drivername="postgresql+psycopg") if "postgres" in url else address)


def test_the_migrated_tables_are_those_of_the_program(database_url: str) -> None:
    engine = _engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "nbo_alembic_version", "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_version_table_is_our_own(database_url: str) -> None:
    engine = _engine(database_url)
    names = inspect(engine).get_table_names()
    engine.dispose()
    assert "nbo_alembic_version" in names
    assert "alembic_version" not in names


def test_upgrading_twice_is_harmless(empty_database_url: str) -> None:
    database = open_database(empty_database_url)
    database.upgrade()
    with database.transaction() as log:
        log.add_customer(a_customer(), NOW)
    database.upgrade()
    with database.read() as log:
        assert log.counts()["customers"] == 1
    database.close()


def test_processes_that_start_together_upgrade_once(empty_database_url: str) -> None:
    program = "import sys; from recsys.storage.database import open_database; open_database(sys.argv[1]).upgrade()"
    started = [subprocess.Popen([sys.executable, "-c", program, empty_database_url]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]


def test_a_log_without_tables_says_what_to_run(empty_database_url: str) -> None:
    database = open_database(empty_database_url)
    with pytest.raises(StoreUnavailable, match="nbo init"), database.read() as log:
        log.counts()
    database.close()


def test_a_moment_comes_back_in_utc_to_the_microsecond(database: Database) -> None:
    opened = datetime(2026, 1, 31, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    with database.transaction() as log:
        log.add_customer(a_customer(), NOW)
        log.add_contact(a_contact(opened_at=opened))
    with database.read() as log:
        found = log.contact("k1").opened_at
    assert found == opened
    assert found.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), database.transaction() as log:
        log.add_customer(a_customer(), NOW.replace(tzinfo=None))
