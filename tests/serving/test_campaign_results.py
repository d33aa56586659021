"""Results of campaigns over HTTP, from contacts and answers: effects, the verdict, what is hidden, and pictures."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.domain.campaign_unit import CampaignUnit
from tests.builders import NOW, a_customer
from tests.serving.test_campaign_decisions import LOUNGE, services_of
from tests.serving.test_contacts import answer, offered, open_contact

URL = "/v1/campaigns"
PLAN: dict[str, Any] = {
    "name": "Lounge",
    "hypothesis": "Travellers buy it.",
    "arms": [
        {"name": "control", "weight": 1, "control": True},
        {"name": "new", "weight": 1, "treatment": {"offers": [LOUNGE]}},
    ],
    "primary": "accepted",
    "secondaries": ["value"],
    "guardrails": [{"metric": "csat", "margin": 0.8}],
    "smallest_effect": 0.05,
    "planned_units": 200,
    "maturity_days": 0,
}


def set_clock(api: TestClient, at: datetime) -> None:
    api.app.state.services = replace(services_of(api), clock=lambda: at)  # type: ignore[attr-defined]


def started(api: TestClient, **changes: Any) -> str:
    answered = api.post(URL, json={**PLAN, **changes})
    assert answered.status_code == 201, answered.text
    campaign_id: str = answered.json()["campaign_id"]
    for action in ("approve", "start"):
        assert api.post(f"{URL}/{campaign_id}/{action}").status_code == 200
    return campaign_id


def live(api: TestClient, customers: range) -> None:
    """Serve these customers, who take the lounge where it is on the list, and are satisfied."""
    for number in customers:
        opened = open_contact(api, customer_id=f"u{number}", agent_id=f"a{number % 5}")
        if "lounge" in offered(opened["decision"]):
            assert answer(api, opened["decision"], "lounge", "accepted", key=f"u{number}").status_code == 201
        api.post(f"{URL[:3]}/contacts/{opened['contact']['contact_id']}/close", json={"csat": 4 + number % 2})


def results_of(api: TestClient, campaign_id: str, **params: str) -> dict[str, Any]:
    answered = api.get(f"{URL}/{campaign_id}/results", params=params)
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


@pytest.fixture
def lived(api: TestClient) -> str:
    """A campaign that ran over two days in which everybody in the new arm took its offer, and a week later."""
    set_clock(api, NOW)
    campaign_id = started(api)
    live(api, range(60))
    set_clock(api, NOW + timedelta(days=1))
    live(api, range(60, 100))
    set_clock(api, NOW + timedelta(days=8))
    return campaign_id


def test_a_clear_effect_without_harm_is_shipped_and_every_figure_is_there(api: TestClient, lived: str) -> None:
    shown = results_of(api, lived)
    (verdict,) = shown["verdicts"]
    assert (verdict["arm"], verdict["decision"]) == ("new", "ship"), verdict
    primary = next(one for one in shown["metrics"] if one["name"] == "accepted")
    funnel = shown["funnel"]
    assert (primary["mean"], primary["n"]) == (
        {"control": 0.0, "new": 1.0},
        {arm: funnel[arm]["assigned"] for arm in ("control", "new")},
    )
    assert [one["name"] for one in shown["metrics"]] == ["accepted", "value", "csat"]
    assert funnel["new"]["answered"] == funnel["new"]["assigned"] == funnel["new"]["pitched"]
    assert shown["units"] == {"assigned": 100, "matured": 100, "planned": 200}
    assert shown["arms"][0]["compliers"]["compliance"] == 1.0
    assert shown["arms"][0]["by_agent"]["absolute"]["estimate"] == pytest.approx(1.0)


def test_the_verdict_is_said_in_the_readers_language(api: TestClient, lived: str) -> None:
    (verdict,) = results_of(api, lived, lang="zh")["verdicts"]
    assert verdict["text"].startswith("可以推广")
    assert re.search(r"变化在 \+[\d.]+ 到 \+[\d.]+ 个百分点之间", verdict["reasons"][0]["text"])
    assert "满意度" in verdict["reasons"][1]["text"]


def test_the_effect_over_time_grows_day_by_day(api: TestClient, lived: str) -> None:
    over_time = results_of(api, lived)["over_time"]
    assert [(one["day"], one["n"]) for one in over_time] == [
        (NOW.date().isoformat(), 60),
        ((NOW + timedelta(days=1)).date().isoformat(), 100),
    ]
    widths = [one["always_valid"]["high"] - one["always_valid"]["low"] for one in over_time]
    assert widths[1] < widths[0]


def test_the_effect_is_drawn_in_both_languages_and_themes(api: TestClient, lived: str) -> None:
    svg = api.get(f"{URL}/{lived}/effect.svg", params={"lang": "zh", "theme": "dark"})
    png = api.get(f"{URL}/{lived}/effect.png", params={"arm": "new"})
    assert (svg.headers["content-type"], png.headers["content-type"]) == ("image/svg+xml", "image/png")
    assert "随时可看的区间" in svg.text
    assert png.content.startswith(b"\x89PNG")
    assert api.get(f"{URL}/{lived}/effect.svg", params={"arm": "control"}).status_code == 422


def test_nobody_has_matured_on_the_first_day(api: TestClient) -> None:
    set_clock(api, NOW)
    campaign_id = started(api)
    live(api, range(10))
    shown = results_of(api, campaign_id)
    (verdict,) = shown["verdicts"]
    assert (verdict["decision"], shown["units"]["matured"]) == ("continue", 0)
    assert api.get(f"{URL}/{campaign_id}/effect.svg").status_code == 204


def test_a_split_that_is_not_as_designed_hides_every_effect(api: TestClient, lived: str) -> None:
    services = services_of(api)
    day = NOW.date()
    with services.database.transaction() as log:
        for number in range(120):
            unit = CampaignUnit(lived, f"u{number}", 1, "control", 0.5, NOW, day)
            stranger = replace(unit, customer_id=f"x{number}")
            log.add_customer(replace(a_customer(), customer_id=stranger.customer_id), NOW)
            log.save_campaign_units({}, {lived: stranger}, {lived: log.campaign(lived).kept})
    shown = results_of(api, lived)
    (verdict,) = shown["verdicts"]
    assert (verdict["decision"], shown["metrics"], shown["over_time"], shown["srm"]["verdict"]) == (
        None,
        None,
        None,
        "failed",
    )
    assert shown["hidden_because"]
    refused = api.get(f"{URL}/{lived}/effect.png")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:nbo:problem:split-check-failed")


def test_a_draft_has_no_results(api: TestClient) -> None:
    campaign_id = api.post(URL, json=PLAN).json()["campaign_id"]
    assert api.get(f"{URL}/{campaign_id}/results").json()["type"] == "urn:nbo:problem:campaign-not-launched"
    assert api.get(f"{URL}/nothing/results").status_code == 404


def test_effects_over_epochs_are_stratified(api: TestClient) -> None:
    set_clock(api, NOW)
    campaign_id = started(api)
    live(api, range(40))
    weights = {"weights": {"control": 1, "new": 3}, "reason": "faster"}
    assert api.patch(f"{URL}/{campaign_id}", json=weights).status_code == 200
    live(api, range(40, 100))
    set_clock(api, NOW + timedelta(days=9))
    shown = results_of(api, campaign_id)
    assert shown["srm"]["verdict"] == "ok"
    assert shown["srm"]["df"] == 2
    by_agent = shown["arms"][0]["by_agent"]["absolute"]
    assert by_agent["estimate"] == pytest.approx(shown["metrics"][0]["absolute"]["estimate"])
