"""Customers, consents, history and answers in the log."""

from datetime import timedelta

import pytest

from recsys.domain.customer import Consents, CustomerKind
from recsys.domain.errors import CustomerNotFound
from recsys.domain.outcome import Answer
from recsys.domain.protection import Statement
from recsys.storage.database import Database
from tests.builders import NOW, a_customer
from tests.recsys.storage.importing import INTERACTIONS, Importer


def test_a_customer_comes_back_as_it_was(database: Database) -> None:
    customer = a_customer(
        kind=CustomerKind.PROSPECT,
        name="李娜",
        risk_level=3,
        flags=frozenset({"vulnerable"}),
        attributes={"age": 41.5, "城市": "上海", "is_student": False},
        consents=Consents(marketing=True, partner=False),
    )
    with database.transaction() as log:
        log.add_customer(customer, NOW)
    with database.read() as log:
        assert log.customer("c1") == customer


def test_an_unknown_customer_is_named(database: Database) -> None:
    with database.read() as log, pytest.raises(CustomerNotFound) as error:
        log.customer("nobody")
    assert error.value.customer_id == "nobody"


def test_the_last_word_on_a_consent_is_in_force(known_contact: Database) -> None:
    for granted in (True, False, True, False):
        with known_contact.transaction("c1") as log:
            log.add_statement("c1", Statement("profiling", granted, NOW, NOW, "agent"))
            assert log.customer("c1").consents == Consents(profiling=granted)
    with known_contact.read() as log:
        assert log.counts()["protections"] == 4


def test_history_is_in_time_order_whatever_the_order_of_the_file(importer: Importer) -> None:
    importer.write(interactions=INTERACTIONS + "c1,b,2026-01-02,,,\nc1,a,2026-01-01,view,app,0.5\nc2,z,2026-01-01,,,\n")
    importer.run()
    with importer.database.read() as log:
        history = log.history("c1", NOW)
    assert [(event.offer_id, event.kind, event.channel, event.weight) for event in history] == [
        ("a", "view", "app", 0.5),
        ("b", "accepted", None, 1.0),
    ]


def test_an_imported_decline_is_an_answer(importer: Importer) -> None:
    importer.write(
        interactions=INTERACTIONS + "c1,a,2026-05-01,declined,,\nc1,b,2026-01-01,declined,,\nc1,c,2026-05-02,,,\n"
    )
    importer.run()
    with importer.database.read() as log:
        answers = log.answers("c1", NOW - timedelta(days=60), NOW)
    assert [(answer.offer_id, answer.answer) for answer in answers] == [("a", Answer.DECLINED)]
