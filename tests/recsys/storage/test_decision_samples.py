"""Decisions looked at as many: the latest first, and samples that are the same whenever they are drawn."""

from datetime import timedelta

import pytest

from recsys.domain.outcome import Answer
from recsys.domain.protection import Statement
from recsys.storage.database import Database
from recsys.storage.decision_samples import Sample
from tests.builders import NOW
from tests.recsys.storage.test_decision_log import a_record, an_outcome

IDS = [f"d-{number:011x}-{(number * 0x9E3779B97F4A7C15) % 2**64:016x}" for number in range(1, 401)]


@pytest.fixture
def many(known_contact: Database) -> Database:
    """An event log with 400 decisions in the order of their ids, every fourth of them answered."""
    with known_contact.transaction("c1") as log:
        for number, decision_id in enumerate(IDS):
            made_at = (NOW + timedelta(seconds=number)).isoformat()
            log.add_decision(a_record(decision_id, made_at=made_at), log.next_sequence("k1"))
            if number % 4 == 0:
                answer = Answer.NOT_PITCHED if number % 8 else Answer.ACCEPTED
                answered = an_outcome(answer, decision_id=decision_id, outcome_id=f"o{number}")
                log.add_outcome(answered, f"key{number}", "digest", {})
    return known_contact


def test_the_latest_come_first_for_everybody_and_for_one_customer(many: Database) -> None:
    with many.read() as log:
        everybody, theirs, nobody = (log.latest_decisions(3, one) for one in (None, "c1", "c2"))
    assert [one["decision_id"] for one in everybody] == IDS[:-4:-1]
    assert theirs == everybody
    assert nobody == []


def test_only_what_comes_after_is_counted_and_what_was_not_pitched_is_no_answer(many: Database) -> None:
    with many.read() as log:
        assert log.sizes_after("") == (400, 50)
        assert log.sizes_after(IDS[199]) == (200, 25)


def test_a_sample_is_the_same_each_time_and_about_as_large_as_asked(many: Database) -> None:
    with many.read() as log:
        first, again, whole = (
            [one["decision_id"] for one in log.sampled_decisions(sample)]
            for sample in (Sample("", 0.25), Sample("", 0.25), Sample(IDS[99]))
        )
    assert first == again
    assert 80 <= len(first) <= 120
    assert whole == IDS[100:]


def test_the_answers_of_a_sample_are_those_to_its_decisions(many: Database) -> None:
    with many.read() as log:
        sample = Sample("", 0.5)
        drawn = {one["decision_id"] for one in log.sampled_decisions(sample)}
        answered = {one.record["decision_id"] for one in log.sampled_answers(sample, NOW)}
    assert answered == drawn & set(IDS[::4])


def test_answers_of_who_refuses_profiling_now_are_not_read(many: Database) -> None:
    with many.transaction("c1") as log:
        log.add_statement("c1", Statement("profiling", False, NOW, NOW, "test"))
    with many.read() as log:
        assert list(log.sampled_answers(Sample(""), NOW)) == []
