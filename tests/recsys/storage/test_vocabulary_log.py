"""What a changed vocabulary makes of the words in the log."""

from datetime import timedelta

from sqlalchemy import insert, select

from recsys.domain.bank_words import canonical_words, words_of
from recsys.domain.contact import ContactEvent, ContactEventType
from recsys.domain.vocabulary import SHIPPED
from recsys.storage.database import Database
from recsys.storage.schema import contacts, interactions
from recsys.storage.vocabulary_log import UnknownWord
from tests.builders import NOW, a_contact, a_customer

WORDS = words_of(canonical_words({
    "channels": {"phone": ["Telebanking"]},
    "reasons": {"complaint": ["Kummerfall"], "quality": {"spellings": ["Qualität"], "complaint": True, "days": 30}},
}))  # fmt: skip


def a_log(database: Database) -> Database:
    with database.transaction() as log:
        log.add_customer(a_customer(), NOW)
        for name, reason in (("k1", "Kummerfall"), ("k2", "quality"), ("k3", "travel"), ("k4", None)):
            log.add_contact(a_contact(contact_id=name, channel="Telebanking", reason=reason, opened_at=NOW))
        event = {"customer_id": "c1", "offer_id": "card", "occurred_at": NOW, "kind": "declined", "weight": 1.0}
        log._connection.execute(insert(interactions), {**event, "channel": "TELEBANKING"})
        log.note_unknown_words({("channel", "Telebanking"): 4, ("reason", "Kummerfall"): 1, ("reason", "odd"): 2}, NOW)
    return database


def test_words_that_got_a_meaning_are_renamed_wherever_they_stand_and_are_unknown_no_more(database: Database) -> None:
    with a_log(database).transaction() as log:
        reread = log.reread_words(WORDS)
        channels = {
            *log._connection.execute(select(contacts.c.channel)).scalars(),
            *log._connection.execute(select(interactions.c.channel)).scalars(),
        }
        assert channels == {"phone"}
        assert (reread.renamed, reread.complaints) == (6, 2)
        assert log.unknown_words() == [UnknownWord("reason", "odd", 2, NOW)]


def test_a_reason_that_became_a_complaint_stops_sales_from_now_on(database: Database) -> None:
    with a_log(database).transaction() as log:
        assert log.customer_and_complaint("c1")[1] is None
        log.reread_words(WORDS)
        assert log.customer_and_complaint("c1")[1] == NOW
        assert sorted(str(reason) for _, reason in log.open_complaints_of("c1")) == ["complaint", "quality"]


def test_a_reason_that_is_no_complaint_any_more_frees_unless_one_was_heard(database: Database) -> None:
    with a_log(database).transaction() as log:
        log.reread_words(WORDS)
        heard = ContactEvent("k2", 1, ContactEventType.INTENT, NOW + timedelta(minutes=1), intent="complaint")
        log.add_contact_event(heard)
        assert log.reread_words(SHIPPED).no_complaints == 0
        still = sorted(str(reason) for _, reason in log.open_complaints_of("c1"))
        assert still == ["complaint", "quality"], "the first was renamed, the second was heard"


def test_reading_the_same_words_again_changes_nothing(database: Database) -> None:
    with a_log(database).transaction() as log:
        log.reread_words(WORDS)
        again = log.reread_words(WORDS)
        assert (again.renamed, again.complaints, again.no_complaints) == (0, 0, 0)
