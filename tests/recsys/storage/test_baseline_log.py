"""What plans are sized from: who got in touch lately, and what they did from then on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from recsys.domain.outcome import Answer, Outcome
from recsys.storage.baseline_log import LaterAnswer, LaterContact, Window
from recsys.storage.database import Database
from tests.builders import NOW, a_contact, a_customer
from tests.recsys.storage.test_decision_log import a_record

DAY = timedelta(days=1)
LAST_WEEK = Window(NOW - 7 * DAY, NOW)


@pytest.fixture
def contacted(database: Database) -> Database:
    """c1 called twice, the second time to complain, and accepted; c2 used the app; c3 called long ago."""
    with database.transaction() as log:
        for number in (1, 2, 3):
            log.add_customer(a_customer(customer_id=f"c{number}"), NOW)
        first = a_contact(opened_at=NOW - 6 * DAY, closed_at=NOW - 6 * DAY + timedelta(minutes=5), csat=4)
        log.add_contact(first)
        log.add_contact(replace(first, contact_id="k2", opened_at=NOW, closed_at=None, csat=None, is_complaint=True))
        log.add_contact(a_contact(contact_id="k3", customer_id="c2", channel="app", opened_at=NOW - DAY))
        log.add_contact(a_contact(contact_id="k4", customer_id="c3", opened_at=NOW - 8 * DAY))
        log.add_decision(a_record("d1"), log.next_sequence("k1"))
        for number, answer in enumerate((Answer.ACCEPTED, Answer.LATER, Answer.DECLINED)):
            at = NOW - 6 * DAY + timedelta(minutes=number)
            outcome = Outcome(f"o{number}", "d1", "k1", "c1", "card", answer, at)
            log.add_outcome(outcome, f"key{number}", "digest", {})
    return database


def test_customers_are_counted_once_in_their_window_and_channels(contacted: Database) -> None:
    with contacted.read() as log:
        assert log.customers_count() == 3
        assert log.contacted_customers(LAST_WEEK) == 2
        assert log.contacted_customers(replace(LAST_WEEK, channels={"app"})) == 1


def test_contacts_go_on_after_the_window(contacted: Database) -> None:
    first = NOW - 6 * DAY
    with contacted.read() as log:
        found = sorted(log.contacts_after(replace(LAST_WEEK, channels={"phone"}), 10), key=lambda one: one.opened_at)
    assert found == [
        LaterContact("c1", first, first, first + timedelta(minutes=5), 4, False),
        LaterContact("c1", first, NOW, None, None, True),
    ]


def test_answers_are_what_was_accepted_and_declined(contacted: Database) -> None:
    first = NOW - 6 * DAY
    with contacted.read() as log:
        found = sorted(log.answers_after(LAST_WEEK, 10), key=lambda one: one.answered_at)
    assert found == [
        LaterAnswer("c1", "card", first, True),
        LaterAnswer("c1", "card", first + timedelta(minutes=2), False),
    ]


def test_of_many_the_last_to_get_in_touch_are_looked_at(contacted: Database) -> None:
    with contacted.read() as log:
        assert {one.customer_id for one in log.contacts_after(LAST_WEEK, 1)} == {"c2"}
        assert log.answers_after(LAST_WEEK, 1) == []
