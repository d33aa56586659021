"""Whatever happens at once and in whatever order, no decision breaks permission: judged from the committed log."""

import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.catalogue.offer_table import OfferTable
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy
from recsys.ranking import permission
from recsys.ranking.codes import Codes
from recsys.ranking.contact_policy import stop_by_contact_policy
from recsys.ranking.people import People
from recsys.storage.database import Database
from recsys.storage.event_log import EventLog
from serving.contacts import answering, service, situation
from serving.contacts.situation import Person, look_up
from tests.serving.permission_journal import keep_journal
from tests.serving.permission_oracle import Oracle
from tests.serving.permission_storm import Storm

FEW = 400
FAST = 600
LATEST = datetime.max.replace(tzinfo=UTC)


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(usual)


def storm(url: str, folder: Path, decisions: int) -> Oracle:
    keep_journal(url)
    Storm(url, folder, decisions).run()
    return Oracle(is_serial=url.startswith("sqlite")).replay(url)


@pytest.mark.parametrize("decisions", [FAST, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nothing_breaks_permission_or_could(database_url: str, tmp_path: Path, decisions: int) -> None:
    oracle = storm(database_url, tmp_path, decisions)
    assert oracle.violations == {}
    assert oracle.decisions > 0.95 * decisions
    assert oracle.shown > 0.5 * decisions
    assert oracle.instants > 0.2 * decisions
    assert oracle.accepted.total() > 0.03 * decisions


def weakened(monkeypatch: pytest.MonkeyPatch, **numbers: int) -> None:
    """Let contact policy go by these numbers, whatever the policy says."""

    def by_other_numbers(codes: Codes, people: People, table: OfferTable, policy: Policy) -> NDArray[np.int64]:
        return stop_by_contact_policy(codes, people, table, replace(policy, **numbers))  # type: ignore[arg-type]

    monkeypatch.setattr(permission, "stop_by_contact_policy", by_other_numbers)


def without_volume_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no offer ever be sold out."""

    def unlimited(_acceptances: object, catalogue: Catalogue) -> Codes:
        return np.zeros(len(catalogue.table), dtype=np.int8)

    monkeypatch.setattr(permission, "volume_codes", unlimited)


def test_the_storm_finds_caps_that_are_not_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weakened(monkeypatch, sales_cap=999, channel_cap=999, family_cap=999, offer_cap=999)
    found = storm(sqlite_url, tmp_path, FEW).violations
    assert {"list: over the cap on sales", "list: over the cap of the channel"} <= found.keys()
    assert {"shown: over the cap of the offer", "shown: over the cap of the family"} & found.keys()


def test_the_storm_finds_cool_offs_that_are_not_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weakened(monkeypatch, declined_cool_off_days=0)
    assert any("cooling off" in code for code in storm(sqlite_url, tmp_path, FEW).violations)


def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody but who answers read the customer before it is their turn, as without the customer's lock."""
    read_before = threading.local()
    locked: Callable[..., object] = Database.transaction

    @contextmanager
    def read_then_lock(database: Database, customer_id: str | None = None) -> Generator[EventLog]:
        read_before.person = None
        if customer_id is not None and sys._getframe(2).f_code.co_name != "answer":
            with database.read() as log:
                read_before.person = look_up(log, customer_id, LATEST)
        with locked(database, customer_id) as log:  # type: ignore[attr-defined]
            yield log

    def as_read_before(log: EventLog, customer_id: str, now: datetime) -> Person:
        return getattr(read_before, "person", None) or look_up(log, customer_id, now)

    monkeypatch.setattr(Database, "transaction", read_then_lock)
    monkeypatch.setattr(situation, "look_up", as_read_before)


def test_the_storm_finds_lists_that_are_not_reserved(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(situation, "_offered_elsewhere", lambda *_: {})
    found = storm(sqlite_url, tmp_path, FEW).violations
    assert {"could be accepted: over the cap on sales", "could be accepted: one offer on two lists"} <= found.keys()


def test_the_storm_finds_acceptances_that_are_not_checked_against_the_caps(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncapped = {"sales_cap": 999, "channel_cap": 999, "family_cap": 999, "offer_cap": 999}
    monkeypatch.setattr(answering, "without_rests", lambda policy: replace(policy, **uncapped))
    found = storm(sqlite_url, tmp_path, FEW).violations
    assert any(code.startswith("accepted: over the cap") for code in found)


def test_the_storm_finds_lists_that_make_no_room_for_what_was_refused_elsewhere(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_was_reserved", lambda *_: True)
    found = storm(sqlite_url, tmp_path, FAST).violations
    assert any(code.startswith("could be accepted: over the cap") for code in found)


def test_the_storm_finds_what_is_answered_or_accepted_twice(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "check_is_open", lambda *_: None)
    monkeypatch.setattr(answering, "check_is_first", lambda *_: None)
    found = storm(sqlite_url, tmp_path, FEW).violations
    assert {"answered: twice", "answered: after the end of the contact"} <= found.keys()
    assert "accepted: once more through an older decision" in found


def test_the_storm_finds_a_lock_that_is_not_taken(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_lock(monkeypatch)
    assert len(storm(sqlite_url, tmp_path, FEW).violations) > 2


def test_the_storm_finds_volumes_that_are_not_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_volume_caps(monkeypatch)
    found = storm(sqlite_url, tmp_path, FEW).violations
    assert "shown: sold out" in found
    assert not any(code.startswith("accepted:") for code in found)  # the counter still stands in the way


def test_the_storm_finds_acceptances_that_are_not_counted(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_only(log: EventLog, offer: Offer, now: datetime) -> None:
        log.count_acceptance(offer.offer_id, now.date())

    without_volume_caps(monkeypatch)
    monkeypatch.setattr(service, "count_acceptance", count_only)
    assert "accepted: sold out" in storm(sqlite_url, tmp_path, FEW).violations
