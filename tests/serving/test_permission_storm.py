"""Whatever happens at once and in whatever order, no decision breaks permission: judged from the committed log."""

import shutil
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy.engine import make_url

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
STORMS = 8
LATEST = datetime.max.replace(tzinfo=UTC)


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(usual)


def storm(url: str, folder: Path, decisions: int, seed: int = 0) -> Oracle:
    keep_journal(url)
    Storm(url, folder, decisions, seed).run()
    return Oracle(is_serial=url.startswith("sqlite")).replay(url)


@pytest.mark.parametrize("decisions", [FAST, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nothing_breaks_permission_or_could(database_url: str, tmp_path: Path, decisions: int) -> None:
    oracle = storm(database_url, tmp_path, decisions)
    assert oracle.violations == {}
    assert oracle.decisions > 0.95 * decisions
    assert oracle.shown > 0.5 * decisions
    assert oracle.instants > 0.2 * decisions
    assert oracle.accepted.total() > 0.03 * decisions


def found(url: str, folder: Path, *wanted: str) -> set[str]:
    """Return the violations of storms over copies of a fresh SQLite log; they end when each of `wanted` was found.

    `wanted`: how a violation's text begins. The agents are threads: no two storms are alike, and one alone may pass
    a rare moment by.
    """
    violations: set[str] = set()
    for number in range(STORMS):
        log = folder / f"storm-{number}.db"
        shutil.copy(make_url(url).database or "", log)
        with suppress(ValueError):  # a service without its lock may also stumble over what it read too early
            violations |= storm(f"sqlite:///{log}", folder / str(number), FEW, number).violations.keys()
        if all(any(violation.startswith(start) for violation in violations) for start in wanted):
            return violations
    pytest.fail(f"{STORMS} storms found only {sorted(violations)}, not all of {wanted}")


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
    everywhere = ("list: over the cap on sales", "list: over the cap of the channel", "shown: over the cap of the ")
    assert found(sqlite_url, tmp_path, *everywhere)


def test_the_storm_finds_cool_offs_that_are_not_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weakened(monkeypatch, declined_cool_off_days=0)
    assert found(sqlite_url, tmp_path, "shown: cooling off")


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
    both = ("could be accepted: over the cap on sales", "could be accepted: one offer on two lists")
    assert found(sqlite_url, tmp_path, *both)


def test_the_storm_finds_acceptances_that_are_not_checked_against_the_caps(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncapped = {"sales_cap": 999, "channel_cap": 999, "family_cap": 999, "offer_cap": 999}
    monkeypatch.setattr(answering, "without_rests", lambda policy: replace(policy, **uncapped))
    assert found(sqlite_url, tmp_path, "accepted: over the cap")


def test_the_storm_finds_lists_that_make_no_room_for_what_was_refused_elsewhere(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_was_reserved", lambda *_: True)
    assert found(sqlite_url, tmp_path, "could be accepted: over the cap")


def test_the_storm_finds_what_is_answered_or_accepted_twice(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "check_is_open", lambda *_: None)
    monkeypatch.setattr(answering, "check_is_first", lambda *_: None)
    twice = ("answered: twice", "answered: after the end of the contact", "accepted: once more through an older")
    assert found(sqlite_url, tmp_path, *twice)


def test_the_storm_finds_a_lock_that_is_not_taken(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_lock(monkeypatch)
    assert found(sqlite_url, tmp_path, "could be accepted:")


def test_the_storm_finds_volumes_that_are_not_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_volume_caps(monkeypatch)
    violations = found(sqlite_url, tmp_path, "shown: sold out")
    assert not any(violation.startswith("accepted:") for violation in violations)  # the counter stands in the way


def test_the_storm_finds_acceptances_that_are_not_counted(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_only(log: EventLog, offer: Offer, now: datetime) -> None:
        log.count_acceptance(offer.offer_id, now.date())

    without_volume_caps(monkeypatch)
    monkeypatch.setattr(service, "count_acceptance", count_only)
    assert found(sqlite_url, tmp_path, "accepted: sold out")
