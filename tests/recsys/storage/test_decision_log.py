"""Decisions and outcomes in the log."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from recsys.domain.errors import DecisionNotFound, IdempotencyKeyReused
from recsys.domain.interaction import InteractionKind
from recsys.domain.outcome import Answer, Outcome
from recsys.storage.database import Database
from tests.builders import NOW


def a_record(decision_id: str = "d1", **changes: Any) -> dict[str, Any]:
    """The record of a decision, with values that are easily spoilt."""
    known = {
        "decision_id": decision_id,
        "contact_id": "k1",
        "customer_id": "c1",
        "made_at": NOW.isoformat(),
        "model_version": "m1",
        "catalogue_version": "c1",
        "policy_version": "p1",
        "offers": [{"propensity": 0.1 + 0.2, "title": "信用卡 “金”", "tiny": 5e-324}],
        "seed": None,
    }
    return {**known, **changes}


def an_outcome(answer: Answer = Answer.ACCEPTED, **changes: Any) -> Outcome:
    """An answer to the decision `d1`."""
    known = {"outcome_id": "o1", "decision_id": "d1", "contact_id": "k1", "customer_id": "c1", "offer_id": "card"}
    return Outcome(**{**known, "answer": answer, "recorded_at": NOW, **changes})


@pytest.fixture
def decided(known_contact: Database) -> Database:
    """An event log with one decision, `d1`."""
    with known_contact.transaction("c1") as log:
        log.add_decision(a_record(), log.next_sequence("k1"))
    return known_contact


def test_a_record_comes_back_to_the_last_bit_and_in_its_order(decided: Database) -> None:
    with decided.read() as log:
        found = log.decision("d1")
    assert found == a_record()
    assert list(found) == list(a_record())


def test_an_unknown_decision_is_named(decided: Database) -> None:
    with decided.read() as log, pytest.raises(DecisionNotFound):
        log.decision("nothing")


def test_a_contacts_decisions_can_be_read_from_a_number_on(decided: Database) -> None:
    with decided.transaction("c1") as log:
        for name in ("d2", "d3"):
            log.add_decision(a_record(name), log.next_sequence("k1"))
        assert [record["decision_id"] for record in log.decisions_of("k1")] == ["d1", "d2", "d3"]
        assert [record["decision_id"] for record in log.decisions_of("k1", 2)] == ["d3"]


def test_an_outcome_is_found_by_key_customer_and_decision(decided: Database) -> None:
    outcome = an_outcome(Answer.LATER, reason="太贵", disclosure_read=True)
    with decided.transaction("c1") as log:
        log.add_outcome(outcome, "key", "digest", {"outcome_id": "o1"})
        assert log.outcome_receipt("key") == ("digest", {"outcome_id": "o1"})
        assert log.outcome_receipt("other") is None
        assert log.outcomes_of("c1", 10) == log.outcomes_of_decision("d1") == (outcome,)


@pytest.mark.parametrize(
    ("answer", "pitched"), [(Answer.ACCEPTED, {"card"}), (Answer.LATER, {"card"}), (Answer.NOT_PITCHED, set())]
)
def test_every_answer_but_not_pitched_tells_that_the_offer_was(
    answer: Answer, pitched: set[str], decided: Database
) -> None:
    with decided.transaction("c1") as log:
        log.add_outcome(an_outcome(answer), "key", "digest", {})
        assert log.pitched_in("k1") == pitched


def test_what_was_pitched_in_a_contact_is_found_whichever_decision_made_it(decided: Database) -> None:
    with decided.transaction("c1") as log:
        log.add_decision(a_record("d2"), log.next_sequence("k1"))
        assert log.add_exposure("d1", "card", "pitched", NOW)
        assert not log.add_exposure("d1", "card", "pitched", NOW + timedelta(hours=1))
        log.add_exposure("d2", "loan", "pitched", NOW)
        log.add_exposure("d2", "fund", "seen", NOW)
        assert log.pitched_in("k1") == {"card", "loan"}
        assert log.pitched_in("elsewhere") == set()


def test_an_idempotency_key_is_used_once(decided: Database) -> None:
    with decided.transaction("c1") as log:
        log.add_outcome(an_outcome(), "key", "digest", {})
    with pytest.raises(IdempotencyKeyReused), decided.transaction("c1") as log:
        log.add_outcome(an_outcome(outcome_id="o2"), "key", "digest", {})
    with decided.read() as log:
        assert log.counts()["outcomes"] == 1


def test_answers_are_totalled_by_offer_without_what_was_not_pitched(decided: Database) -> None:
    said = [("card", Answer.LATER), ("card", Answer.LATER), ("card", Answer.ACCEPTED), ("loan", Answer.NOT_PITCHED)]
    with decided.transaction("c1") as log:
        for number, (offer_id, answer) in enumerate(said):
            log.add_outcome(an_outcome(answer, outcome_id=f"o{number}", offer_id=offer_id), f"key-{number}", "", {})
        assert log.answer_totals() == {"card": {Answer.LATER: 2, Answer.ACCEPTED: 1}}


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (Answer.ACCEPTED, [InteractionKind.ACCEPTED]),
        (Answer.DECLINED, [InteractionKind.DECLINED]),
        (Answer.LATER, []),
        (Answer.NOT_PITCHED, []),
    ],
)
def test_only_a_clear_answer_becomes_history_and_each_is_one_answer(
    decided: Database, answer: Answer, kinds: list[InteractionKind]
) -> None:
    with decided.transaction("c1") as log:
        log.add_outcome(an_outcome(answer), "key", "digest", {})
        assert [event.kind for event in log.history("c1", NOW)] == kinds
        assert [event.channel for event in log.history("c1", NOW)] == ["phone"] * len(kinds)
        assert [past.answer for past in log.answers("c1", NOW - timedelta(days=1), NOW)] == [answer]


def test_an_outcome_of_an_unknown_decision_is_refused(decided: Database) -> None:
    with pytest.raises(IntegrityError), decided.transaction("c1") as log:
        log.add_outcome(an_outcome(decision_id="nothing"), "key", "digest", {})


def test_acceptances_of_two_days_at_once_do_not_count_past_each_other(database: Database) -> None:
    counted: list[int] = []
    first_has_counted, second_may_be_waiting = threading.Event(), threading.Event()

    def count(day: date, before_the_end: Callable[[], object]) -> None:
        with database.transaction() as log:
            counted.append(log.count_acceptance("gift", day)[1])
            before_the_end()

    def stay() -> None:
        first_has_counted.set()
        second_may_be_waiting.wait(0.5)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(count, date(2026, 1, 1), stay)
        assert first_has_counted.wait(10)
        other = pool.submit(count, date(2026, 1, 2), lambda: None)
        one.result(20)
        other.result(20)
    assert counted == [1, 2]
