"""Decisions in the arms of campaigns: what each arm changes, what is counted, and that it can all be made again."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from experiments.assignment import GlobalHoldout
from experiments.campaign import Plan, Status
from experiments.plan_document import parse_plan
from recsys.domain.campaign_unit import CampaignUnit
from recsys.storage.campaign_log import SavedCampaign, SavedChange, SavedEpoch
from serving.wiring import Services
from tests.serving.test_contacts import answer, close, held_back, offered, open_contact

LOUNGE = {"offer_id": "lounge", "title_en": "Lounge", "title_zh": "贵宾室", "family": "travel", "margin": 500}
TREATED: dict[str, Any] = {"offers": [LOUNGE, {"offer_id": "card", "title_en": "Card for you"}], "remove": ["loan"]}


def services_of(api: TestClient) -> Services:
    found: Services = api.app.state.services  # type: ignore[attr-defined]
    return found


def launch(api: TestClient, treatment: Mapping[str, Any], campaign_id: str = "k1", **changes: Any) -> Plan:
    """Put a campaign of a control and an arm with this treatment into the log, running."""
    document = {
        "name": "Lounge",
        "hypothesis": "Travellers buy it.",
        "arms": [
            {"name": "control", "weight": 1, "control": True},
            {"name": "new", "weight": 1, "treatment": dict(treatment)},
        ],
        "primary": "accepted",
        "smallest_effect": 0.01,
        "planned_units": 1000,
        **changes,
    }
    plan, services = parse_plan(document), services_of(api)
    now = services.clock()
    with services.database.transaction() as log:
        log.add_campaign(SavedCampaign(campaign_id, document, plan.version, plan.kept, Status.RUNNING, "mei", now))
        log.add_campaign_epoch(campaign_id, SavedEpoch(1, plan.weights, now, "launch", "li"), None)
    return plan


def set_status(api: TestClient, status: Status) -> None:
    services = services_of(api)
    with services.database.transaction() as log:
        saved, now = log.campaign("k1"), services.clock()
        log.set_campaign(replace(saved, status=status), SavedChange("li", now, "status", saved.status, status))


def unit_of(api: TestClient, customer_id: str, campaign_id: str = "k1") -> CampaignUnit:
    with services_of(api).database.read() as log:
        return log.campaign_units(customer_id)[campaign_id]


@pytest.fixture
def in_arm(api: TestClient) -> Callable[[str], str]:
    """Returns a customer who came into an arm of the campaign k1."""

    def find(arm: str) -> str:
        for number in range(50):
            customer_id = f"u{number}"
            close(api, open_contact(api, customer_id=customer_id))
            if unit_of(api, customer_id).arm == arm:
                return customer_id
        raise AssertionError(f"nobody came into {arm}")

    return find


def test_an_arm_adds_changes_and_removes_offers_and_the_control_stays(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, TREATED)
    treated = open_contact(api, customer_id=in_arm("new"))["decision"]
    by_id = {offer["offer_id"]: offer for offer in treated["offers"]}
    assert (by_id["card"]["title"], by_id["card"]["campaign"], by_id["lounge"]["campaign"]) == (
        "Card for you",
        "k1",
        "k1",
    )
    assert "loan" not in by_id.keys() | held_back(treated).keys()
    control = open_contact(api, customer_id=in_arm("control"))["decision"]
    assert "lounge" not in offered(control) + list(held_back(control))
    assert not any("campaign" in offer for offer in control["offers"])


def test_an_arm_may_change_the_arbitration(api: TestClient, in_arm: Callable[[str], str]) -> None:
    launch(api, {"policy": {"list_length": 1}})
    lengths = {arm: len(open_contact(api, customer_id=in_arm(arm))["decision"]["offers"]) for arm in ("new", "control")}
    assert lengths == {"new": 1, "control": 3}


def test_every_decision_of_every_arm_replays_after_the_campaign_and_the_catalogue_have_changed(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, {**TREATED, "policy": {"list_length": 2}})
    launch(api, {"levers": {"fund": 3}}, "k2")
    for arm in ("new", "control"):
        opened = open_contact(api, customer_id=in_arm(arm))
        answer(api, opened["decision"], "card", "declined", key=arm)
    set_status(api, Status.PAUSED)
    assert api.post("/v1/offers", json={"offers": [{"offer_id": "other", "title": "Other"}]}).status_code == 201
    with services_of(api).database.read() as log:
        decision_ids = [log.decision(one["decision_id"])["decision_id"] for one in _records(api)]
    answers = [api.post(f"/v1/decisions/{decision_id}/replay").json() for decision_id in decision_ids]
    assert len(answers) > 4
    assert all(one["identical"] for one in answers), [one["differences"] for one in answers if not one["identical"]]


def _records(api: TestClient) -> list[dict[str, Any]]:
    import orjson

    with services_of(api).database.read() as log:
        return [orjson.loads(text) for text in log.decision_texts()]


def test_the_chain_of_facts_is_kept_and_counted(api: TestClient, in_arm: Callable[[str], str]) -> None:
    launch(api, TREATED, secondaries=["value", "csat", "handling_seconds"])
    customer_id = in_arm("new")
    opened = open_contact(api, customer_id=customer_id)
    decision, contact_id = opened["decision"], opened["contact"]["contact_id"]
    assert unit_of(api, customer_id).recommended_at is not None
    exposure = {"decision_id": decision["decision_id"], "offer_id": "lounge"}
    for stage in ("seen", "pitched", "seen"):
        assert api.post("/v1/exposures", json={**exposure, "stage": stage}).status_code == 204
    unit = unit_of(api, customer_id)
    assert None not in (unit.seen_at, unit.pitched_at)
    assert unit.answered_at is None
    assert answer(api, decision, "lounge", "accepted").status_code == 201
    api.post(f"/v1/contacts/{contact_id}/close", json={"csat": 5})
    unit = unit_of(api, customer_id)
    lounge = next(offer for offer in decision["offers"] if offer["offer_id"] == "lounge")
    assert (unit.campaign_acceptances, unit.sales, unit.csat_total, unit.contacts) == (1, 1, 5, 2)
    assert unit.value == pytest.approx(lounge["net_value"])
    with services_of(api).database.read() as log:
        assert log.wrong_campaign_totals("k1") == []


def test_a_complaint_counts_against_an_arm_only_if_it_came_after_the_assignment(api: TestClient) -> None:
    launch(api, TREATED, guardrails=[{"metric": "complained", "margin": 0.01}])
    for _ in range(2):
        opened = open_contact(api, customer_id="u1", reason="complaint")
        api.post(f"/v1/contacts/{opened['contact']['contact_id']}/close", json={})
    assert (unit_of(api, "u1").complaints, unit_of(api, "u1").contacts) == (1, 2)


def test_a_paused_campaign_treats_nobody_takes_nobody_in_and_goes_on_counting(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, TREATED)
    customer_id = in_arm("new")
    set_status(api, Status.PAUSED)
    decision = open_contact(api, customer_id=customer_id)["decision"]
    assert "lounge" not in offered(decision)
    answer(api, decision, "card", "accepted")
    assert unit_of(api, customer_id).acceptances == 1
    open_contact(api, customer_id="late")
    with services_of(api).database.read() as log:
        assert log.campaign_units("late") == {}


def test_an_offer_of_an_arm_cannot_be_accepted_once_the_campaign_is_over(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, TREATED)
    decision = open_contact(api, customer_id=in_arm("new"))["decision"]
    set_status(api, Status.STOPPED)
    refused = answer(api, decision, "lounge", "accepted")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_on_sale")


def test_a_campaign_that_no_longer_fits_the_catalogue_rests_and_contacts_go_on(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, TREATED)
    customer_id = in_arm("new")
    with services_of(api).database.transaction() as log:
        log.save_catalogue("c-other", [{"offer_id": "other", "title_en": "Other"}], {}, services_of(api).clock())
    assert offered(open_contact(api, customer_id=customer_id)["decision"]) == ["other"]


def test_a_model_that_cannot_be_had_leaves_the_decision_without_treatments_and_says_so(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, {"model": "m-000000000000"})
    decision = open_contact(api, customer_id=in_arm("new"))["decision"]
    assert len(decision["offers"]) == 3
    assert "campaign_not_applied" in decision["degraded_reasons"]


def test_only_contacts_on_the_plans_channels_take_part(api: TestClient) -> None:
    launch(api, TREATED, channels=["wechat"])
    open_contact(api, customer_id="u1")
    with services_of(api).database.read() as log:
        assert log.campaign_units("u1") == {}
    open_contact(api, customer_id="u1", channel="wechat")
    assert unit_of(api, "u1").arm in ("control", "new")


def test_the_held_out_lose_the_treatment_they_had_and_go_on_counting(
    api: TestClient, in_arm: Callable[[str], str]
) -> None:
    launch(api, TREATED)
    customer_id = in_arm("new")
    assert api.post("/v1/policy", json={"holdout_share": 1}).status_code == 201
    decision = open_contact(api, customer_id=customer_id)["decision"]
    assert "lounge" not in offered(decision)
    answer(api, decision, "card", "accepted")
    assert unit_of(api, customer_id).acceptances == 1


def test_the_held_out_are_given_no_arm(api: TestClient) -> None:
    assert api.post("/v1/policy", json={"holdout_share": 0.5, "holdout_rotation_days": 30}).status_code == 201
    launch(api, TREATED)
    holdout, now, has_arm = GlobalHoldout(0.5, 30), services_of(api).clock(), {}
    for customer_id in map("u{}".format, range(20)):
        open_contact(api, customer_id=customer_id)
        with services_of(api).database.read() as log:
            has_arm[customer_id] = bool(log.campaign_units(customer_id))
    assert has_arm == {one: not holdout.holds(one.encode(), now) for one in has_arm}
    assert set(has_arm.values()) == {True, False}


def test_what_was_not_offered_cannot_be_seen(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    exposure = {"decision_id": decision["decision_id"], "offer_id": "fix", "stage": "seen"}
    assert api.post("/v1/exposures", json=exposure).status_code == 409
    assert api.post("/v1/exposures", json={**exposure, "offer_id": "nothing"}).status_code == 404
    assert api.post("/v1/exposures", json={**exposure, "stage": "bought"}).status_code == 422
