"""The ways of arbitration: each leaves a part of the decision out, and none leaves out what protects customers."""

import math
from collections import Counter

import numpy as np
import pytest

from recsys.domain.contact import Intent
from recsys.domain.decision import Decision, Situation
from recsys.domain.offer import OfferKind
from recsys.domain.policy import ARBITRATIONS, Policy
from recsys.engine import decide
from recsys.ranking.eligibility import permit
from tests.builders import FakeModel, a_catalogue, a_contact, a_situation, an_offer
from tests.recsys.market import SensitivePropensity, market_catalogue, random_situation

MARKET = market_catalogue()
CATALOGUE = a_catalogue(
    an_offer("a-dear", family="a", margin=900.0, lever=3.0, starting_propensity=0.02),
    an_offer("b-even", family="b", margin=500.0, starting_propensity=0.05),
    an_offer("c-likely", family="c", margin=20.0, starting_propensity=0.3),
    *(an_offer(f"d-{n}", family="d", margin=-50.0, starting_propensity=0.01) for n in range(3)),
    an_offer("e-own", margin=10.0, starting_propensity=0.01),
    an_offer("fix", kind=OfferKind.SERVICE, family="a", intents=frozenset({"card_declined"})),
)
HELP = (Intent("card_declined"),)


def made(arbitration: str, situation: Situation | None = None, **changes: object) -> Decision:
    policy = Policy(arbitration=arbitration, exploration_share=0.0, **changes)  # type: ignore[arg-type]
    return decide(situation or a_situation(), CATALOGUE, None, policy)


def shown(decision: Decision) -> list[str]:
    return [offer.offer_id for offer in decision.offers]


@pytest.mark.parametrize(
    ("arbitration", "expected"),
    [
        ("value", ["a-dear", "b-even", "c-likely"]),
        ("no_levers", ["b-even", "a-dear", "c-likely"]),
        ("propensity", ["c-likely", "b-even", "a-dear"]),
        ("eligibility", ["a-dear", "b-even", "c-likely"]),
        ("nothing", []),
    ],
)
def test_each_way_leaves_its_part_out(arbitration: str, expected: list[str]) -> None:
    assert shown(made(arbitration)) == expected


def test_eligible_offers_come_as_the_catalogue_has_them_whatever_they_are_worth() -> None:
    decision = made("eligibility", list_length=9, minimum_priority=1000.0, channel_cap=9, sales_cap=9)
    assert shown(decision) == ["a-dear", "b-even", "c-likely", "d-0", "e-own"]
    assert decision.held_back == {"not_called_for": ("fix",), "ranked_lower": ("d-1", "d-2")}


def test_a_threshold_in_money_does_not_stop_a_propensity() -> None:
    assert shown(made("propensity", minimum_priority=1000.0, minimum_propensity=0.04)) == ["c-likely", "b-even"]


def test_with_nothing_to_sell_service_stays_and_sales_say_why() -> None:
    decision = made("nothing", a_situation(intents=HELP))
    assert shown(decision) == ["fix"]
    assert decision.held_back.keys() == {"withheld"}


@pytest.mark.parametrize("arbitration", ["random", "eligibility"])
def test_where_no_score_decides_service_comes_first_and_keeps_its_family(arbitration: str) -> None:
    decision = made(arbitration, a_situation(intents=HELP), list_length=9)
    assert shown(decision)[0] == "fix"
    assert (len(decision.offers), "a-dear" in shown(decision)) == (5, False)


def test_nobody_who_is_upset_gets_offers_at_random() -> None:
    for number in range(50):
        situation = a_situation(contact=a_contact(contact_id=f"k{number}", sentiment=-0.9))
        assert made("random", situation).offers == made("value", situation).offers


def test_a_random_list_stays_while_its_contact_lasts_and_an_offer_that_leaves_changes_no_other_draw() -> None:
    fewer = a_catalogue(*(offer for offer in CATALOGUE.offers if offer.offer_id != "d-2"))
    for number in range(300):
        situation = a_situation(contact=a_contact(contact_id=f"k{number}"))
        first = shown(made("random", situation))
        again = decide(situation, fewer, FakeModel({"b-even": 5.0}), Policy(arbitration="random"))
        assert "d-2" in first or shown(again) == first


@pytest.mark.parametrize("contacts", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("intents", [(), HELP])
def test_every_open_offer_is_drawn_as_often_as_its_chance_says(contacts: int, intents: tuple[Intent, ...]) -> None:
    seen: Counter[tuple[int, str]] = Counter()
    chances: dict[tuple[int, str], float] = {}
    for number in range(contacts):
        situation = a_situation(contact=a_contact(contact_id=f"k{number}"), intents=intents)
        for offer in made("random", situation).offers:
            cell = offer.position, offer.offer_id
            seen[cell] += 1
            assert chances.setdefault(cell, offer.selection_probability) == offer.selection_probability
    of_places: Counter[int] = Counter()
    for (place, _), chance in chances.items():
        of_places[place] += chance  # type: ignore[assignment]
    assert of_places == pytest.approx({1: 1.0, 2: 1.0, 3: 1.0})
    drawn = [(seen[cell] / contacts, chance) for cell, chance in chances.items() if chance < 1]
    errors = [abs(share - chance) / math.sqrt(chance * (1 - chance) / contacts) for share, chance in drawn]
    assert len(drawn) == (21 if not intents else 12)
    assert max(errors) < 4.0


@pytest.mark.parametrize("arbitration", ARBITRATIONS)
def test_in_every_way_permission_caps_families_service_and_the_sum_of_reasons_hold(arbitration: str) -> None:
    rng, trained = np.random.default_rng(11), SensitivePropensity()
    for number in range(300):
        situation = random_situation(rng)
        policy = Policy(arbitration=arbitration, list_length=4, sales_cap=int(rng.integers(1, 5)))
        permission = permit(situation, MARKET, policy)
        decision = decide(situation, MARKET, FakeModel(), policy, trained if number % 2 else None)
        columns = [MARKET.table.column[offer.offer_id] for offer in decision.offers]
        sales = MARKET.table.is_sale[columns].tolist()
        assert permission.allowed[columns].all()
        assert sum(sales) <= (0 if arbitration == "nothing" else permission.sales_left)
        assert len({int(MARKET.table.family[column]) for column in columns}) == len(columns)
        if (situation.contact.sentiment or 0.0) < policy.upset_below:
            assert sales == sorted(sales)
        for offer in decision.offers:
            log_odds = math.log(offer.propensity / (1 - offer.propensity))
            assert sum(reason.contribution for reason in offer.reasons) == pytest.approx(log_odds, abs=1e-6)
        assert sum(map(len, decision.held_back.values())) + len(columns) == len(MARKET.table)
