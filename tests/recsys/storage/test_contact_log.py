"""Contacts and their events in the log."""

from dataclasses import replace
from datetime import timedelta

import pytest

from recsys.domain.contact import ContactEvent, ContactEventType, Direction
from recsys.domain.errors import ContactNotFound
from recsys.storage.database import Database
from tests.builders import NOW, a_contact, a_customer

LATER = NOW + timedelta(minutes=5)


def test_a_contact_comes_back_as_it_was_set(known_contact: Database) -> None:
    changed = a_contact(
        direction=Direction.OUTBOUND,
        reason="loan",
        sentiment=-0.5,
        closed_at=LATER,
        csat=4,
        agent_id=None,
        continues="k0",
    )
    with known_contact.transaction("c1") as log:
        log.set_contact(changed)
    with known_contact.read() as log:
        assert log.contact("k1") == changed


def test_an_unknown_contact_is_named(known_contact: Database) -> None:
    with known_contact.transaction() as log:
        for ask in (log.contact, log.next_sequence, lambda name: log.set_contact(a_contact(contact_id=name))):
            with pytest.raises(ContactNotFound):
                ask("nothing")


def test_contacts_are_found_by_customer_newest_first(known_contact: Database) -> None:
    with known_contact.transaction() as log:
        log.add_contact(a_contact(contact_id="k2", opened_at=LATER))
        log.add_customer(a_customer(customer_id="c2"), NOW)
        log.add_contact(a_contact(contact_id="k3", customer_id="c2", opened_at=LATER))
        assert [contact.contact_id for contact in log.contacts_of("c1", 10)] == ["k2", "k1"]
        assert [contact.contact_id for contact in log.contacts_of("c1", 1)] == ["k2"]


def test_only_open_contacts_without_an_agent_wait(known_contact: Database) -> None:
    with known_contact.transaction() as log:
        log.add_contact(a_contact(contact_id="late", agent_id=None, opened_at=LATER))
        log.add_contact(a_contact(contact_id="early", agent_id=None))
        log.add_contact(a_contact(contact_id="closed", agent_id=None, closed_at=LATER))
        assert [contact.contact_id for contact in log.waiting_contacts(10)] == ["early", "late"]
        assert [contact.contact_id for contact in log.waiting_contacts(1)] == ["early"]


def test_an_agents_live_contacts_are_the_open_ones(known_contact: Database) -> None:
    with known_contact.transaction() as log:
        log.add_contact(a_contact(contact_id="closed", closed_at=LATER))
        log.add_contact(a_contact(contact_id="other", agent_id="a2"))
        assert [contact.contact_id for contact in log.live_contacts("a1")] == ["k1"]


def test_events_come_back_in_their_order(known_contact: Database) -> None:
    first = ContactEvent("k1", 1, ContactEventType.INTENT, NOW, intent="mortgage", confidence=0.75, agent_id="a1")
    second = ContactEvent("k1", 2, ContactEventType.SENTIMENT, LATER, sentiment=-0.25, text="不满意")
    with known_contact.transaction("c1") as log:
        log.add_contact_event(second)
        log.add_contact_event(first)
        assert log.contact_events("k1") == (first, second)


def test_sequences_count_from_one_without_a_gap(known_contact: Database) -> None:
    with known_contact.transaction("c1") as log:
        assert [log.next_sequence("k1") for _ in range(3)] == [1, 2, 3]


def test_the_sequence_survives_a_change_of_the_contact(known_contact: Database) -> None:
    with known_contact.transaction("c1") as log:
        log.next_sequence("k1")
        log.set_contact(replace(log.contact("k1"), sentiment=0.5))
        assert log.next_sequence("k1") == 2


@pytest.mark.parametrize(
    ("closed", "csat", "is_open"), [(False, None, True), (True, None, True), (True, 3, True), (True, 4, False)]
)
def test_a_complaint_is_open_until_the_customer_is_satisfied(
    known_contact: Database, closed: bool, csat: int | None, is_open: bool
) -> None:
    complaint = a_contact(contact_id="k2", reason="complaint", closed_at=LATER if closed else None, csat=csat)
    with known_contact.transaction("c1") as log:
        log.add_contact(complaint)
        assert log.customer_and_complaint("c1")[1] == (NOW if is_open else None)


def test_a_settled_complaint_does_not_hide_an_older_open_one(known_contact: Database) -> None:
    with known_contact.transaction("c1") as log:
        log.add_contact(a_contact(contact_id="old", reason="complaint", closed_at=LATER, csat=1))
        log.add_contact(a_contact(contact_id="new", reason="complaint", opened_at=LATER, closed_at=LATER, csat=5))
        assert log.customer_and_complaint("c1")[1] == NOW
