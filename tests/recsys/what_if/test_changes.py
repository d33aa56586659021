"""What a change file may hold, and that a bad one is refused in one line that names the place."""

import re
from typing import Any

import pytest

from recsys.domain.errors import ChangeInvalid
from recsys.domain.policy import Policy
from recsys.what_if.changes import check_rulebooks, parse_changes
from recsys.what_if.rulebook import TODAY, Rulebook
from tests.builders import VOCABULARY, a_catalogue, an_offer

CATALOGUE = a_catalogue(
    an_offer("card", family="cards", margin=100.0, lever=2.0, eligibility="age > 20"),
    an_offer("gold", family="cards", margin=50.0),
    an_offer("loan", family="loans"),
)
NOW = Rulebook(TODAY, CATALOGUE, Policy())


def changed(document: Any) -> Rulebook:
    (rulebook,) = parse_changes(document, "spring.yaml", NOW, VOCABULARY)
    return rulebook


def test_only_the_given_columns_of_an_offer_change() -> None:
    card = changed({"offers": [{"offer_id": "card", "margin": 70}]}).catalogue.offer("card")
    assert (card.margin, card.lever, card.eligibility, card.family) == (70.0, 2.0, "age > 20", "cards")


def test_an_empty_column_goes_back_to_its_default() -> None:
    card = changed({"offers": [{"offer_id": "card", "eligibility": None, "title": "New"}]}).catalogue.offer("card")
    assert (card.eligibility, card.title_en) == (None, "New")


def test_another_id_is_a_new_offer_and_removed_ones_are_gone() -> None:
    rulebook = changed({"offers": [{"offer_id": "fund", "title": "Fund"}], "remove": ["loan"]})
    assert rulebook.catalogue.table.offer_ids == ("card", "fund", "gold")
    assert rulebook.name == "spring"


def test_levers_multiply_those_in_force_and_an_offer_goes_before_its_family() -> None:
    table = changed({"levers": {"cards": 0.5, "gold": 3}}).catalogue.table
    assert dict(zip(table.offer_ids, table.lever.tolist(), strict=True)) == {"card": 1.0, "gold": 3.0, "loan": 1.0}


def test_numbers_of_the_policy_change_and_the_others_stay() -> None:
    assert changed({"policy": {"sales_cap": 1}}).policy == Policy(sales_cap=1)


def test_several_scenarios_have_names() -> None:
    document = {"scenarios": [{"name": "a", "remove": ["loan"]}, {"name": "b", "policy": {"family_cap": 1}}]}
    assert [one.name for one in parse_changes(document, "f.yaml", NOW, VOCABULARY)] == ["a", "b"]


def test_the_catalogue_in_force_stays_as_it_is() -> None:
    assert changed({}).catalogue == CATALOGUE


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (["card"], "f.yaml: must hold offers"),
        ({"offer": []}, "f.yaml, offer: did you mean offers?"),
        ({"remove": "card"}, "f.yaml, remove: must be a list"),
        ({"remove": ["lone"]}, "f.yaml, remove: there is no offer 'lone'; the nearest is 'loan'"),
        ({"remove": [7]}, "f.yaml, remove: there is no offer '7'"),
        ({"offers": [{"margin": 3}]}, "f.yaml, offer 1: needs an offer_id"),
        ({"offers": [{"offer_id": "card", "margin": "x"}]}, "f.yaml: offer card, margin: must be a number"),
        ({"offers": [{"offer_id": "new"}]}, "f.yaml: offer new, title: is required"),
        ({"offers": [{"offer_id": "card", "eligibility": "agee > 1"}]}, "offer card, eligibility (line 1, column 1)"),
        ({"offers": [{"offer_id": "loan", "lever": 1}], "remove": ["loan"]}, "offer 1 (loan): is removed"),
        ({"policy": {"sales_cap": -1}}, "f.yaml, policy, sales_cap: is too small"),
        ({"policy": [1]}, "f.yaml, policy: must map"),
        ({"levers": {"cardz": 2}}, "f.yaml, levers, cardz: is neither an offer nor a family; the nearest is 'card'"),
        ({"levers": {"card": -1}}, "f.yaml, levers, card: must be a number from 0 to 100"),
        ({"scenarios": []}, "f.yaml: scenarios must be"),
        ({"scenarios": [{"policy": {}}]}, "f.yaml, scenario 1: needs a name"),
        ({"scenarios": [{"name": "a", "policy": {"x": 1}}]}, "f.yaml, scenario 1 (a), policy, x: is not a number"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document: Any, said: str) -> None:
    with pytest.raises(ChangeInvalid, match=re.escape(said)) as refused:
        parse_changes(document, "f.yaml", NOW, VOCABULARY)
    assert "\n" not in str(refused.value)


def test_two_scenarios_of_one_name_are_refused() -> None:
    with pytest.raises(ChangeInvalid, match="a: each scenario needs a name of its own"):
        check_rulebooks([NOW, Rulebook("a", CATALOGUE, Policy()), Rulebook("a", CATALOGUE, Policy())])


@pytest.mark.parametrize("arbitration", ["random", "eligibility", "nothing"])
def test_an_order_without_scores_is_not_simulated_and_says_so(arbitration: str) -> None:
    other = changed({"policy": {"arbitration": arbitration}})
    with pytest.raises(ChangeInvalid, match=f"spring, policy, arbitration: {arbitration} cannot be simulated"):
        check_rulebooks([NOW, other])


def test_a_policy_in_force_that_cannot_be_simulated_is_named_today() -> None:
    with pytest.raises(ChangeInvalid, match="today, policy, arbitration"):
        check_rulebooks([Rulebook(TODAY, CATALOGUE, Policy(arbitration="nothing")), NOW])
