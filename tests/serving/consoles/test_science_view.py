"""What the science pages make of figures before they print them."""

from datetime import UTC, datetime
from math import exp, log
from pathlib import Path
from typing import Any

import pytest

from serving.consoles import science_view
from serving.decisions.schemas import HeldBackBody, OfferBody, ReasonBody
from serving.models.service import Registered, leading
from serving.settings import Settings
from training.gates import Gate, Verdict
from training.registry import VersionInfo

CARD = {
    "model": {"family": "als"},
    "comparison": [
        {"family": "popularity", "against popularity": "the baseline"},
        {"family": "als", "against popularity": {"mean": 0.07, "low": 0.04, "high": 0.1}},
    ],
}


def a_version(number: int, *aliases: str, **changes: Any) -> VersionInfo:
    known: dict[str, Any] = {
        "version": f"m-{number}",
        "number": number,
        "model": "als",
        "parameters": {},
        "metrics": {"NDCG@5": 0.2},
        "intervals": {},
        "gates": (),
        "refusals": (),
        "aliases": aliases,
        "created_at": datetime(2026, 6, number, tzinfo=UTC),
        "run_id": f"run{number}",
        "trainer": "Linus",
        "card": None,
        "card_run": f"run{number}",
        "approver": None,
        "promoted_at": None,
        "before": None,
    }
    return VersionInfo(**{**known, **changes})


def an_offer(**contributions: float) -> OfferBody:
    total = sum(contributions.values())
    reasons = [ReasonBody(code=name, text=name, contribution=value) for name, value in contributions.items()]
    known = dict.fromkeys(("relevance", "net_value", "priority", "selection_probability"), 1.0)
    texts = dict.fromkeys(("offer_id", "title", "kind", "family", "talk_track", "disclosure"), "card")
    propensity = 1 / (1 + exp(-total))
    return OfferBody(position=1, terms={}, propensity=propensity, reasons=reasons, **known, **texts)


def test_the_champion_and_the_one_before_stand_first_then_the_newest() -> None:
    versions = [a_version(6), a_version(5), a_version(4), a_version(2, "champion"), a_version(1, "previous")]
    assert [one.version for one in leading(versions, 4)] == ["m-2", "m-1", "m-6", "m-5"]


def test_the_difference_from_popularity_is_that_of_the_version_s_own_family() -> None:
    assert science_view.against_popularity(CARD) == {"mean": 0.07, "low": 0.04, "high": 0.1}
    assert science_view.against_popularity({**CARD, "model": {"family": "popularity"}}) is None
    assert science_view.against_popularity(None) is None
    assert science_view.differences(Registered(None, None, [], {"m-1": CARD}), [a_version(1)])["m-1"] is not None


def test_intervals_are_drawn_on_one_scale_with_0_on_it() -> None:
    drawn = science_view.whiskers(
        {"a": {"mean": 2.0, "low": 1.0, "high": 3.0}, "b": {"mean": 0.0, "low": -1.0, "high": 1.0}, "c": None}
    )
    assert drawn.keys() == {"a", "b"}
    assert (drawn["a"].low, drawn["a"].middle, drawn["a"].high) == (60.0, 90.0, 120.0)
    assert (drawn["b"].low, drawn["b"].zero) == (0.0, 30.0)


def test_steps_begin_where_the_last_one_ended_and_add_up_to_the_log_odds() -> None:
    offer = an_offer(intent=2.0, mood=-1.0, nothing=0.0, base=-3.0)
    steps, total = science_view.staircase(offer)
    assert [one.text for one in steps] == ["intent", "mood", "base"]
    assert (
        sum(one.value for one in steps) == total.value == pytest.approx(log(offer.propensity / (1 - offer.propensity)))
    )
    assert [(one.start, one.width) for one in steps] == [(60, 60), (90, 30), (0, 90)]  # from −2 to 2 over 120
    assert (total.start, total.width, total.zero) == (0, 60, 60)


def test_the_gate_about_the_approver_is_judged_for_who_looks() -> None:
    version = a_version(1, gates=(Gate("approved by somebody else", Verdict.NOT_APPLICABLE, "later"),))
    assert [one.is_refused for one in science_view.judged(version, "linus ")] == [True]
    assert [one.is_refused for one in science_view.judged(version, "Ada")] == [False]


def test_promotions_are_listed_latest_first() -> None:
    early, late = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)
    versions = [
        a_version(3),
        a_version(2, approver="Ada", promoted_at=early),
        a_version(1, approver="Bo", promoted_at=late),
    ]
    assert [one.version for one in science_view.promotions(versions)] == ["m-1", "m-2"]


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, None),
        ({"mlflow_tracking_uri": "http://mlflow:5000/"}, "http://mlflow:5000/#/runs/run1"),
        ({"mlflow_tracking_uri": "http://inside", "mlflow_ui_url": "https://outside"}, "https://outside/#/runs/run1"),
        ({"mlflow_ui_url": "javascript:alert(1)"}, None),
    ],
)
def test_mlflow_is_linked_where_it_has_pages(settings: dict[str, str], address: str | None) -> None:
    found = science_view.mlflow_address(Settings(home=Path("x"), **settings), a_version(1))  # type: ignore[arg-type]
    assert found == address


def test_what_is_held_back_is_grouped_by_reason_the_most_frequent_first() -> None:
    held_back = [
        HeldBackBody(offer_id=one, title=one, code="c", text=text) for one, text in (("a", "x"), ("b", "y"), ("c", "y"))
    ]
    assert science_view.held_back_groups(held_back) == [("y", ["b", "c"]), ("x", ["a"])]


@pytest.mark.parametrize(("value", "text"), [(0.0741, "+0.074"), (-0.0116, "−0.012"), (0.0, "+0.000")])
def test_a_difference_has_a_real_sign(value: float, text: str) -> None:
    assert science_view.signed(value) == text
