"""Transactions: one writer, one customer at a time, and honest errors."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.domain.contact import ContactEvent, ContactEventType
from recsys.domain.errors import SettingsInvalid, StoreUnavailable
from recsys.storage import database as database_module
from recsys.storage.database import Database, open_database
from tests.builders import NOW, a_customer


def _in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_error_leaves_nothing_behind(database: Database) -> None:
    def stop_half_way() -> None:
        with database.transaction("c1") as log:
            log.add_customer(a_customer(), NOW)
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        stop_half_way()
    with database.read() as log:
        assert log.counts()["customers"] == 0


def test_two_threads_on_one_customer_cannot_interleave(database: Database) -> None:
    inside: list[str] = []

    def visit() -> None:
        with database.transaction("c1"):
            inside.append("in")
            time.sleep(0.02)
            inside.append("out")

    _in_threads(visit, 5)
    assert inside == ["in", "out"] * 5


def test_what_a_transaction_read_holds_until_it_writes(known_contact: Database) -> None:
    def count_up() -> None:
        for _ in range(5):
            with known_contact.transaction("c1") as log:
                seen = len(log.contact_events("k1"))
                log.add_contact_event(ContactEvent("k1", seen + 1, ContactEventType.NOTE, NOW))

    _in_threads(count_up, 4)  # a lost update would collide on the sequence
    with known_contact.read() as log:
        assert [event.sequence for event in log.contact_events("k1")] == list(range(1, 21))


def test_on_postgresql_two_customers_are_served_at_once(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    both = threading.Barrier(2, timeout=5)

    def visit(customer_id: str) -> None:
        with database.transaction(customer_id):
            both.wait()

    other = threading.Thread(target=visit, args=["c1"])
    other.start()
    visit("c2")
    other.join()
    database.close()
    assert not both.broken


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as reading:
        before = reading.counts()["customers"]
        with database.transaction() as log:
            log.add_customer(a_customer(), NOW)
        assert reading.counts()["customers"] == before
    with database.read() as reading:
        assert reading.counts()["customers"] == before + 1


def test_sqlite_keeps_what_it_acknowledged(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    with database.read() as log:
        pragmas = {
            name: log._connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_a_pragma_that_is_not_in_force_is_not_accepted(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", {"page_size": 12345})
    database = open_database(sqlite_url)
    with pytest.raises(StoreUnavailable, match="page_size"), database.read():
        pass
    database.close()


def test_a_writer_in_another_process_is_waited_for_then_given_up(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", {"busy_timeout": 50})
    database = open_database(sqlite_url)
    other = sqlite3.connect(tmp_path / "nbo.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable), database.transaction():
        pass
    other.execute("ROLLBACK")
    with database.transaction() as log:
        log.add_customer(a_customer(), NOW)
    other.close()
    database.close()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = open_database(f"postgresql://postgres@/nbo?host={tmp_path}")
    with pytest.raises(StoreUnavailable, match="nbo doctor"), database.read():
        pass
    database.close()


def test_a_connection_the_server_closed_is_replaced(postgresql_url: str) -> None:
    database = open_database(postgresql_url)
    with pytest.raises(StoreUnavailable), database.read() as log:
        log._connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with database.read() as log:
        assert log.counts()["customers"] == 0
    database.close()


@pytest.mark.parametrize("url", ["mysql://host/nbo", "sqlite://", "not an address"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        open_database(url)
