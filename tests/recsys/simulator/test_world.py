"""How people of the simulated bank behave today."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.domain.contact import ContactEventType
from recsys.domain.outcome import Answer
from recsys.simulator.offers import reasons
from recsys.simulator.world import World
from tests.recsys.simulator.worlds import NOW, a_world

WORLD = a_world()


def test_the_same_seed_builds_the_same_world_and_another_seed_another() -> None:
    again, other = World.build(2000, 12, 7, NOW), World.build(2000, 12, 8, NOW)
    assert again.population.name == WORLD.population.name
    np.testing.assert_array_equal(again.taste, WORLD.taste)
    assert other.population.name != WORLD.population.name


def test_the_people_do_not_depend_on_how_many_months_are_told() -> None:
    np.testing.assert_array_equal(World.build(2000, 3, 7, NOW).taste, WORLD.taste)


def test_people_say_yes_more_often_to_what_suits_them() -> None:
    column = WORLD.offers.index["credit_card_travel"]
    order = WORLD.taste[:, column].argsort()
    chances = [WORLD.acceptance_of(WORLD.population.customer_id[row], "credit_card_travel") for row in order]
    assert np.mean(chances[-200:]) > 4 * np.mean(chances[:200])


def test_a_bad_mood_lowers_the_chance_of_a_yes() -> None:
    assert WORLD.acceptance_of("C000001", "saving_goal", -0.8) < WORLD.acceptance_of("C000001", "saving_goal", 0.8)


def test_an_offer_from_elsewhere_is_answered_with_average_taste() -> None:
    chances = [WORLD.acceptance_of(customer_id, "brand_new") for customer_id in WORLD.population.customer_id[:100]]
    assert chances == [pytest.approx(0.05, abs=0.01)] * 100


def test_only_a_no_comes_with_a_reason() -> None:
    rng = np.random.default_rng(3)
    said = [WORLD.answer("C000001", "saving_goal", 0.0, rng) for _ in range(300)]
    assert all((reason is not None) == (answer is Answer.DECLINED) for answer, reason in said)
    assert {answer for answer, _ in said} == {Answer.ACCEPTED, Answer.LATER, Answer.DECLINED}


def test_visitors_are_of_this_bank_and_come_for_known_reasons_in_their_language() -> None:
    rng = np.random.default_rng(5)
    names = {reason.name for reason in reasons()} | {"campaign"}
    visits = [WORLD.visitor(rng) for _ in range(200)]
    row = {customer_id: number for number, customer_id in enumerate(WORLD.population.customer_id)}
    assert all(visit.language == WORLD.population.language[row[visit.customer_id]] for visit in visits)
    assert {visit.reason for visit in visits} <= names
    assert len({visit.reason for visit in visits}) > 10


def test_the_same_stream_gives_the_same_visitors() -> None:
    first, second = (
        [WORLD.visitor(rng) for _ in range(20)] for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == second


def test_a_visit_lets_intents_and_moods_be_heard_one_after_the_other() -> None:
    rng = np.random.default_rng(6)
    moments = [moment for _ in range(50) for moment in WORLD.visitor(rng).moments]
    assert {moment.type for moment in moments} == {
        ContactEventType.UTTERANCE,
        ContactEventType.INTENT,
        ContactEventType.SENTIMENT,
    }
    assert all(moment.after_seconds > 0 and 0 < moment.confidence <= 1 for moment in moments)


def test_who_asked_not_to_be_contacted_is_never_called() -> None:
    population = replace(WORLD.population, do_not_contact=np.ones(2000, dtype=np.bool_))
    quiet = replace(WORLD, population=population)
    rng = np.random.default_rng(7)
    assert all(quiet.visitor(rng).direction == "inbound" for _ in range(200))
