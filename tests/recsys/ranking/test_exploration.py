"""Exploration: what is shown how often is what the record says, and nothing is tried out where it must not be."""

import math
from collections import Counter, defaultdict
from functools import cache
from typing import TypeVar

import pytest

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.contact import Intent
from recsys.domain.decision import Decision
from recsys.domain.offer import OfferKind
from recsys.domain.policy import Policy
from recsys.engine import decide
from recsys.ranking.exploration import Slate, explore
from tests.builders import FakeModel, a_catalogue, a_contact, a_situation, an_offer

SHARE = 0.3
CATALOGUE = a_catalogue(
    *(an_offer(f"card-{n}", family="card") for n in range(3)),
    *(an_offer(f"loan-{n}", family="loan") for n in range(2)),
    *(an_offer(f"fund-{n}", family="fund") for n in range(4)),
    *(an_offer(f"own-{n}") for n in range(3)),
    an_offer("fix", kind=OfferKind.SERVICE, family="service", intents=frozenset({"card_declined"})),
)
TABLE = CATALOGUE.table
BEST = [TABLE.column[one] for one in ("fix", "card-0", "loan-0", "fund-0")]
OTHERS = [column for column in range(len(TABLE)) if column not in BEST]
Cell = TypeVar("Cell", bound=tuple[int, object])
SIZES = pytest.mark.parametrize("contacts", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])


@cache
def slates(contacts: int) -> tuple[Slate, ...]:
    return tuple(explore(BEST, OTHERS, TABLE, SHARE, f"contact-{number}") for number in range(contacts))


def expected(best: list[int], others: list[int], table: OfferTable, share: float) -> dict[tuple[int, int], float]:
    """(place, column) → its chance, by the definition: one place of a sale gives way, each alternative alike."""
    chances: dict[tuple[int, int], float] = defaultdict(float)
    places = [place for place, column in enumerate(best) if table.is_sale[column]]
    for place, column in enumerate(best):
        families = {table.family[one] for other, one in enumerate(best) if other != place}
        fitting = [one for one in others if table.family[one] not in families] if place in places else []
        for one in fitting:
            chances[place, one] += share / len(places) / len(fitting)
        chances[place, column] += 1 - (share / len(places) if fitting else 0.0)
    return chances


def deviations(seen: Counter[Cell], chances: dict[Cell, float], draws: int) -> list[float]:
    """Return by how many standard errors each cell's frequency differs from its chance."""
    cells = [(seen[cell], chance) for cell, chance in chances.items() if 0 < chance < 1]
    return [abs(count / draws - chance) / math.sqrt(chance * (1 - chance) / draws) for count, chance in cells]


@SIZES
def test_every_offer_stands_at_every_place_as_often_as_its_chance_says(contacts: int) -> None:
    chances = expected(BEST, OTHERS, TABLE, SHARE)
    seen = Counter((place, column) for slate in slates(contacts) for place, column in enumerate(slate.columns))
    errors = deviations(seen, chances, contacts)
    assert seen.keys() <= chances.keys()
    assert max(errors) < 4.0  # for 20 cells, once in 800 seeds by chance
    assert sum(error > 3.0 for error in errors) <= 1


@SIZES
def test_the_logged_chance_is_the_chance(contacts: int) -> None:
    chances = expected(BEST, OTHERS, TABLE, SHARE)
    logged = {
        (place, column, probability)
        for slate in slates(contacts)
        for place, (column, probability) in enumerate(zip(slate.columns, slate.probabilities, strict=True))
    }
    assert {(place, column): pytest.approx(chance) for place, column, chance in logged} == chances
    assert len(logged) == len(chances)


@SIZES
def test_the_chances_of_a_place_add_up_to_one(contacts: int) -> None:
    totals: dict[int, float] = defaultdict(float)
    logged = {
        (p, c): chance
        for s in slates(contacts)
        for p, (c, chance) in enumerate(zip(s.columns, s.probabilities, strict=True))
    }
    for (place, _), chance in logged.items():
        totals[place] += chance
    assert totals == pytest.approx(dict.fromkeys(range(len(BEST)), 1.0))


@SIZES
def test_one_over_the_chance_estimates_one_for_every_offer_at_every_place(contacts: int) -> None:
    weights: dict[tuple[int, int], float] = defaultdict(float)
    for slate in slates(contacts):
        for place, (column, chance) in enumerate(zip(slate.columns, slate.probabilities, strict=True)):
            weights[place, column] += 1 / chance / contacts
    for cell, chance in expected(BEST, OTHERS, TABLE, SHARE).items():
        assert weights[cell] == pytest.approx(1.0, abs=4 * math.sqrt((1 - chance) / chance / contacts) + 1e-9)


@SIZES
def test_what_was_explored_is_told_and_explored_as_often_as_declared(contacts: int) -> None:
    explored = [slate for slate in slates(contacts) if slate.explored_position is not None]
    assert abs(len(explored) / contacts - SHARE) < 4 * math.sqrt(SHARE * (1 - SHARE) / contacts)
    for slate in explored:
        place = (slate.explored_position or 0) - 1
        assert slate.made_room == BEST[place]
        assert [c for p, c in enumerate(slate.columns) if p != place] == [c for p, c in enumerate(BEST) if p != place]


def test_a_family_is_never_doubled_and_a_service_action_never_displaced() -> None:
    for slate in slates(20_000):
        families = [int(TABLE.family[column]) for column in slate.columns]
        assert len(set(families)) == len(families)
        assert slate.columns[0] == TABLE.column["fix"]


def test_the_draw_stays_the_same_within_a_contact() -> None:
    for number, slate in enumerate(slates(20_000)[:500]):
        assert explore(BEST, OTHERS[::-1], TABLE, SHARE, f"contact-{number}") == slate


def test_an_offer_that_leaves_changes_no_other_draw() -> None:
    for number, slate in enumerate(slates(20_000)[:2_000]):
        gone = next(column for column in OTHERS if column not in slate.columns)
        left = [column for column in OTHERS if column != gone]
        assert explore(BEST, left, TABLE, SHARE, f"contact-{number}").columns == slate.columns


def test_without_a_share_everything_is_certain() -> None:
    for number in range(1_000):
        slate = explore(BEST, OTHERS, TABLE, 0.0, f"contact-{number}")
        assert (slate.columns, set(slate.probabilities), slate.explored_position) == (tuple(BEST), {1.0}, None)


def test_with_a_share_of_one_every_list_explores() -> None:
    assert all(explore(BEST, OTHERS, TABLE, 1.0, f"k{number}").explored_position for number in range(1_000))


def test_where_nothing_else_fits_the_best_is_certain() -> None:
    best = [TABLE.column["card-0"], TABLE.column["loan-0"]]
    others = [TABLE.column["card-1"]]
    drawn = [explore(best, others, TABLE, 0.9, f"k{number}") for number in range(1_000)]
    assert {slate.probabilities[1] for slate in drawn} == {1.0}
    assert {round(slate.probabilities[0], 9) for slate in drawn} == {0.55, 0.45}


def decision(number: int, sentiment: float | None = None, intents: tuple[Intent, ...] = ()) -> Decision:
    situation = a_situation(contact=a_contact(contact_id=f"contact-{number}", sentiment=sentiment), intents=intents)
    return decide(situation, CATALOGUE, FakeModel({"card-0": 2.0, "loan-0": 1.5}), Policy(exploration_share=SHARE))


@pytest.mark.parametrize("contacts", [1_500, pytest.param(100_000, marks=pytest.mark.slow)])
def test_whole_decisions_show_what_they_log(contacts: int) -> None:
    seen: Counter[tuple[int, str]] = Counter()
    chances: dict[tuple[int, str], float] = {}
    for number in range(contacts):
        made = decision(number, intents=(Intent("card_declined"),))
        for offer in made.offers:
            seen[offer.position, offer.offer_id] += 1
            assert chances.setdefault((offer.position, offer.offer_id), offer.selection_probability) == pytest.approx(
                offer.selection_probability
            )
    errors = deviations(seen, chances, contacts)
    assert max(errors) < 4.0
    assert sum(error > 3.0 for error in errors) <= 1


def test_nothing_is_tried_out_on_an_upset_customer() -> None:
    for number in range(300):
        made = decision(number, sentiment=-0.9)
        assert (made.explored_position, {offer.selection_probability for offer in made.offers}) == (None, {1.0})


def test_what_made_room_is_named() -> None:
    for number in range(300):
        made = decision(number)
        assert ("made_room" in made.held_back) == (made.explored_position is not None)
