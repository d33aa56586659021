"""The catalogue of the simulated bank speaks the product's own rule language."""

import numpy as np

from recsys.catalogue import build_catalogue, parse_offers
from recsys.domain.customer import AttributeValue
from recsys.domain.offer import OfferKind
from recsys.rules import parse_rule
from recsys.simulator.data import load_yaml
from recsys.simulator.eligibility import eligible_people
from recsys.simulator.offers import reasons
from recsys.simulator.population import Population
from tests.recsys.simulator.worlds import VOCABULARY, a_world


def test_every_offer_with_all_its_rules_is_valid_and_said_in_both_languages() -> None:
    offers = parse_offers(load_yaml("catalogue.yaml"), VOCABULARY)
    build_catalogue(offers, VOCABULARY)
    assert all(offer.title_en and offer.title_zh and offer.talk_track_en and offer.talk_track_zh for offer in offers)


def test_there_are_products_partners_retention_offers_and_service_actions() -> None:
    kinds = [row["kind"] for row in load_yaml("catalogue.yaml")]
    assert all(kinds.count(kind.value) >= 4 for kind in OfferKind)


def test_every_offer_has_a_hidden_truth_and_every_truth_an_offer() -> None:
    assert {row["offer_id"] for row in load_yaml("catalogue.yaml")} == set(load_yaml("tastes.yaml"))


def test_every_intent_that_customers_utter_is_answered_by_some_offer() -> None:
    answered = {intent for row in load_yaml("catalogue.yaml") for intent in row["intents"]}
    assert {intent for reason in reasons() for intent in reason.intents} <= answered


def test_the_world_applies_the_rules_exactly_as_the_product_does() -> None:
    world = a_world()
    people = range(0, 2000, 7)
    verdicts = eligible_people(world.population, world.offers.rows)
    for column, row in enumerate(world.offers.rows):
        rule = parse_rule(str(row.get("eligibility", "age > 0")), VOCABULARY)
        ours = [rule.evaluate(_facts(world.population, person)) is True for person in people]
        np.testing.assert_array_equal(ours, verdicts[list(people), column], err_msg=row["offer_id"])


def _facts(population: Population, person: int) -> dict[str, AttributeValue]:
    facts = {name: getattr(population, name)[person] for name in VOCABULARY if hasattr(population, name)}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in facts.items()}
    held = 2.0 if plain["kind"] == "customer" else 0.0
    return {**plain, "held_count": held, "channel": "phone", "direction": "inbound", "sentiment": 0.0}
