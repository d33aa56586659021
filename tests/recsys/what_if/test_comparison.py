"""Who gains and who loses, on four customers whose lists are known."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.domain.policy import Policy
from recsys.domain.protection import FLAGS, Purpose
from recsys.interactions.history_columns import HistoryColumns
from recsys.ranking.codes import NUMBER
from recsys.ranking.people import AnswerColumns, Protection
from recsys.what_if.audience import Audience
from recsys.what_if.comparison import compare
from recsys.what_if.rulebook import TODAY, Rulebook
from recsys.what_if.run import Tally
from tests.builders import a_catalogue, an_offer
from tests.recsys.what_if.small_bank import OCCASION

NOBODY = np.zeros(0, dtype=np.int32)
AUDIENCE = Audience(
    OCCASION,
    pa.array(["c1", "c2", "c3", "c4"]),
    pa.table({"segment": pa.array(["mass", "mass", "private", None])}),
    Protection(
        np.ones(4, np.int8),
        dict.fromkeys(FLAGS, np.zeros(4, dtype=bool)),
        {one: np.ones(4, np.int8) for one in Purpose},
        np.zeros(4, np.int64),
        np.full(4, -1),
        np.zeros(4, dtype=bool),
    ),
    (),
    HistoryColumns(NOBODY, NOBODY, NOBODY.astype(np.int64), NOBODY.astype(np.int8), NOBODY.astype(float), 0),
    AnswerColumns(NOBODY, NOBODY, NOBODY.astype(np.int64), NOBODY.astype(np.int8), NOBODY.astype(bool)),
    {},
)


def a_tally(name: str, ids: tuple[str, ...], lists: list[list[str]], chance: float) -> Tally:
    """A tally of lists of at most two offers, of which each is taken with the same chance and brings 10."""
    catalogue = a_catalogue(*(an_offer(one, margin=10.0) for one in ids))
    tally = Tally.empty(Rulebook(name, catalogue, Policy(list_length=2)), 4)
    for row, shown in enumerate(lists):
        for place, offer_id in enumerate(shown):
            tally.columns[row, place], tally.propensity[row, place] = catalogue.table.column[offer_id], chance
    tally.open_to[:] = 4
    return tally


TODAY_LISTS = a_tally(TODAY, ("card", "fund", "loan"), [["card", "loan"], ["card"], ["loan"], []], 0.1)
CHANGED = a_tally("x", ("bond", "card", "loan"), [["loan", "card"], ["card"], [], ["bond"]], 0.1)


def test_expected_figures_are_of_one_contact_and_by_segment() -> None:
    everybody = compare(AUDIENCE, [TODAY_LISTS, CHANGED])["scenarios"][0]["everybody"]["today"]
    assert everybody == pytest.approx(
        {
            "acceptances_first": 0.3 / 4,
            "acceptances_list": 0.4 / 4,
            "net_value_first": 3 / 4,
            "net_value_list": 4 / 4,
            "without_offer": 1 / 4,
        }
    )


def test_who_gains_and_who_loses_is_counted() -> None:
    (scenario,) = compare(AUDIENCE, [TODAY_LISTS, CHANGED])["scenarios"]
    shares = {key: value for key, value in scenario["everybody"].items() if isinstance(value, float)}
    assert shares == {
        "list_changed": 0.75,
        "first_changed": 0.75,
        "lost_all_offers": 0.25,
        "got_a_first_offer": 0.25,
        "worth_more": 0.25,
        "worth_less": 0.25,
    }
    assert {name: one["customers"] for name, one in scenario["segments"].items()} == {
        "(none)": 1,
        "mass": 2,
        "private": 1,
    }


def test_offers_are_counted_marked_and_the_starving_named() -> None:
    (scenario,) = compare(AUDIENCE, [TODAY_LISTS, CHANGED])["scenarios"]
    offers = {one["offer_id"]: one for one in scenario["offers"]}
    assert {name: (one["kind"], one["today"]["shown"], one["scenario"]["shown"]) for name, one in offers.items()} == {
        "bond": ("new", 0, 1),
        "card": ("kept", 2, 2),
        "fund": ("removed", 0, 0),
        "loan": ("kept", 2, 1),
    }
    assert offers["card"]["scenario"]["first"] == 1
    assert [name for name, one in offers.items() if one["starves"]] == []


def test_an_offer_that_nobody_sees_or_that_loses_its_places_starves() -> None:
    hidden = a_tally("x", ("card", "fund", "loan"), [["loan"], ["loan"], ["loan"], ["loan"]], 0.1)
    (scenario,) = compare(AUDIENCE, [TODAY_LISTS, hidden])["scenarios"]
    assert {one["offer_id"] for one in scenario["offers"] if one["starves"]} == {"card", "fund"}


def test_codes_are_named_with_their_counts_the_most_frequent_first() -> None:
    held = a_tally("x", ("card", "fund", "loan"), [[], [], [], []], 0.1)
    held.held_back[0, [NUMBER["not_eligible"], NUMBER["arrears"]]] = 1, 3
    (scenario,) = compare(AUDIENCE, [TODAY_LISTS, held])["scenarios"]
    assert list(scenario["held_back"].items()) == [
        ("arrears", {"today": 0, "scenario": 3}),
        ("not_eligible", {"today": 0, "scenario": 1}),
    ]


def test_the_error_of_a_change_is_that_of_pairs() -> None:
    errors = compare(AUDIENCE, [TODAY_LISTS, CHANGED])["scenarios"][0]["everybody"]["standard_errors"]
    differences = np.array([0.0, 0.0, -1.0, 1.0])
    assert errors["net_value_list"] == pytest.approx(differences.std() / 2, rel=1e-6)
    assert errors["without_offer"] == pytest.approx(differences.std() / 2)
