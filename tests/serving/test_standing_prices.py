"""What each part of the decision is worth: the ready plan, which campaign it is, and its effects turned round."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.campaigns.standing_controls import PLAN, Price, find_controls, prices
from tests.builders import NOW
from tests.serving.test_campaign_decisions import services_of
from tests.serving.test_campaign_results import set_clock
from tests.serving.test_contacts import answer, offered, open_contact
from tests.serving.test_standing_controls import a_plan


def drafted(api: TestClient, plan: Any) -> str:
    saved = api.post("/v1/campaigns", json=plan, headers={"nbo-actor": "mei"})
    assert saved.status_code == 201, saved.text
    return str(saved.json()["campaign_id"])


def started(api: TestClient, plan: Any) -> str:
    campaign_id = drafted(api, plan)
    for action in ("approve", "start"):
        assert api.post(f"/v1/campaigns/{campaign_id}/{action}", headers={"nbo-actor": "li"}).status_code == 200
    return campaign_id


def test_the_ready_plan_is_the_one_that_is_documented(api: TestClient) -> None:
    ready, documented = (api.get(f"/v1/campaigns/{drafted(api, plan)}").json()["plan"] for plan in (PLAN, a_plan()))
    ready["arms"], documented["arms"] = (
        sorted(one["arms"], key=lambda arm: str(arm["name"])) for one in (ready, documented)
    )
    assert ready == documented


def test_the_campaign_is_known_by_its_arms_and_one_that_runs_comes_first(api: TestClient) -> None:
    assert find_controls(services_of(api)) is None
    other = {**PLAN, "arms": [*PLAN["arms"], {"name": "cheap", "weight": 0.1, "treatment": {"levers": {"card": 2}}}]}
    drafted(api, other)
    assert find_controls(services_of(api)) is None
    running = started(api, {**PLAN, "name": "by another name"})
    drafted(api, PLAN)
    found = find_controls(services_of(api))
    assert found is not None
    assert found.campaign_id == running


def test_before_anybody_s_time_is_up_every_part_is_too_early(api: TestClient) -> None:
    started(api, PLAN)
    saved = find_controls(services_of(api))
    assert saved is not None
    found, is_hidden = prices(services_of(api), saved, "en")
    assert [one.arbitration for one in found] == ["nothing", "eligibility", "random", "propensity", "no_levers"]
    assert {one.reading for one in found} == {"too_early"}
    assert not is_hidden


def test_the_api_gives_the_plan_then_the_campaign_and_its_parts(api: TestClient) -> None:
    before = api.get("/v1/campaigns/standing-controls").json()
    assert (before["campaign"], before["parts"], before["hidden"]) == (None, [], False)
    campaign_id = started(api, before["plan"])
    after = api.get("/v1/campaigns/standing-controls").json()
    assert after["campaign"]["campaign_id"] == campaign_id
    assert [one["reading"] for one in after["parts"]] == ["too_early"] * 5


def test_a_part_is_worth_minus_the_effect_of_the_arm_without_it(api: TestClient) -> None:
    set_clock(api, NOW)
    arms = [{"name": "as_decided", "weight": 1, "control": True}, {**PLAN["arms"][1], "weight": 1}]
    campaign_id = started(api, {**PLAN, "arms": arms, "maturity_days": 0, "planned_units": 200})
    for number in range(80):
        decision = open_contact(api, customer_id=f"u{number}", agent_id=f"a{number % 5}")["decision"]
        said = "accepted" if number % 3 else "declined"
        if offered(decision):
            assert answer(api, decision, offered(decision)[0], said, key=f"u{number}").status_code == 201
    set_clock(api, NOW + timedelta(days=8))
    effects = api.get(f"/v1/campaigns/{campaign_id}/results").json()["metrics"]
    effect = next(one["absolute"] for one in effects if one["name"] == "value")
    (found,) = api.get("/v1/campaigns/standing-controls").json()["parts"]
    assert found["worth"] == -effect["estimate"] > 0
    assert (found["low"], found["high"]) == (-effect["always_valid"]["high"], -effect["always_valid"]["low"])
    assert found["low"] < found["worth"] < found["high"]
    assert found["reading"] == "earns"
    page = api.get("/science/controls").text
    assert "Net margin a customer" in page
    assert "earns" in page


@pytest.mark.parametrize(
    ("bounds", "reading"),
    [
        ((1.0, 0.5, 2.0), "earns"),
        ((-1.0, -2.0, -0.5), "costs"),
        ((1.0, -1.0, 3.0), "unknown"),
        ((1.0, None, 3.0), "too_early"),
    ],
)
def test_an_interval_is_read_before_its_point(bounds: tuple[float, float | None, float], reading: str) -> None:
    assert Price("a", "nothing", 9, *bounds, None).reading == reading
