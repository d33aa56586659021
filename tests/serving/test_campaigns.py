"""Campaigns over HTTP: drafted, previewed, approved, started, changed where they may be, and shipped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.domain.errors import NeedsSecondPerson
from serving.campaigns.service import CampaignService
from tests.builders import NOW, a_customer
from tests.experiments.plans import a_plan_document, arms

URL = "/v1/campaigns"
FIXED = "urn:nbo:problem:campaign-fixed"
REFUSED = "urn:nbo:problem:campaign-status-refused"


def drafted(api: TestClient, **changes: Any) -> str:
    answer = api.post(URL, json=a_plan_document(**changes), headers={"nbo-actor": "mei"})
    assert answer.status_code == 201, answer.text
    campaign_id: str = answer.json()["campaign_id"]
    return campaign_id


def act(api: TestClient, campaign_id: str, *actions: str) -> Any:
    answers = [api.post(f"{URL}/{campaign_id}/{action}", headers={"nbo-actor": "li"}) for action in actions]
    return answers[-1]


def running(api: TestClient, **changes: Any) -> str:
    campaign_id = drafted(api, **changes)
    assert act(api, campaign_id, "approve", "start").json()["status"] == "running"
    return campaign_id


def test_a_campaign_lives_from_draft_to_its_end_and_every_step_is_audited(api: TestClient) -> None:
    campaign_id = drafted(api)
    statuses = [act(api, campaign_id, one).json()["status"] for one in ("approve", "start", "pause", "start", "stop")]
    assert statuses == ["approved", "running", "paused", "running", "stopped"]
    shown = api.get(f"{URL}/{campaign_id}").json()
    assert (shown["author"], shown["approver"], [one["weights"] for one in shown["epochs"]]) == (
        "mei", "li", [{"control": 0.5, "pushed": 0.5}],
    )  # fmt: skip
    steps = [(one["actor"], one["what"], one["before"], one["after"]) for one in shown["changes"]]
    assert steps[:3] == [
        ("mei", "created", None, None),
        ("li", "status", "draft", "approved"),
        ("li", "status", "approved", "running"),
    ]
    assert [step[2:] for step in steps[4:]] == [("running", "paused"), ("paused", "running"), ("running", "stopped")]


def test_campaigns_are_listed_without_their_audit(api: TestClient) -> None:
    campaign_id = drafted(api)
    (listed,) = api.get(URL).json()["campaigns"]
    assert (listed["campaign_id"], listed["name"], listed["status"]) == (campaign_id, "Spring cards", "draft")
    assert listed["changes"] is None


def test_what_cannot_be_used_is_named_and_nothing_is_saved(api: TestClient) -> None:
    answer = api.post(URL, json=a_plan_document(audience="agee > 1", coverage=2))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:nbo:problem:campaign-invalid")
    assert problem["problems"] == [{"field": "coverage", "reason": "must be a number from 0 to 1"}]
    named = api.post(URL, json=a_plan_document(audience="agee > 1", arms=[*arms(1), breaking_arm()])).json()
    assert [one["field"] for one in named["problems"]] == ["audience", "arms.2"]
    assert api.get(URL).json() == {"campaigns": []}


def breaking_arm() -> dict[str, Any]:
    return {"name": "b", "weight": 1, "treatment": {"remove": ["no-such-offer"]}}


@pytest.mark.parametrize("body", [b"[]", b'"plan"', b"", b"null"])
def test_a_body_that_is_no_plan_is_refused(api: TestClient, body: bytes) -> None:
    for path in (URL, f"{URL}/preview"):
        assert api.post(path, content=body, headers={"content-type": "application/json"}).status_code == 422


def test_a_draft_changes_field_by_field_and_its_version_with_it(api: TestClient) -> None:
    campaign_id = drafted(api)
    before = api.get(f"{URL}/{campaign_id}").json()
    after = api.patch(f"{URL}/{campaign_id}", json={"coverage": 0.5}).json()
    assert (after["plan"]["coverage"], after["plan"]["name"]) == (0.5, "Spring cards")
    assert after["plan_version"] != before["plan_version"]
    assert api.patch(f"{URL}/{campaign_id}", json={"weights": {"control": 1}}).status_code == 422


@pytest.mark.parametrize("actions", [("approve",), ("approve", "start"), ("approve", "start", "pause")])
def test_the_plan_is_fixed_once_it_is_approved(api: TestClient, actions: tuple[str, ...]) -> None:
    campaign_id = drafted(api)
    act(api, campaign_id, *actions)
    for change in ({"coverage": 0.5}, {"coverage": 0.5, "weights": {"control": 1, "pushed": 9}}, {"reason": "x"}):
        answer = api.patch(f"{URL}/{campaign_id}", json=change)
        assert (answer.status_code, answer.json()["type"]) == (409, FIXED)


def test_new_weights_open_an_epoch(api: TestClient) -> None:
    campaign_id = running(api)
    body = {"weights": {"control": 1, "pushed": 3}, "reason": "more of it"}
    epochs = api.patch(f"{URL}/{campaign_id}", json=body, headers={"nbo-actor": "li"}).json()["epochs"]
    assert [(one["epoch"], one["weights"], one["reason"], one["actor"]) for one in epochs] == [
        (1, {"control": 0.5, "pushed": 0.5}, "launch", "li"),
        (2, {"control": 0.25, "pushed": 0.75}, "more of it", "li"),
    ]
    audit = api.get(f"{URL}/{campaign_id}").json()["changes"][-1]
    assert (audit["what"], audit["before"]) == ("weights", {"control": 0.5, "pushed": 0.5})


@pytest.mark.parametrize(
    "weights",
    [{"control": 1}, {"control": 0, "pushed": 1}, {"control": 1, "pushed": 0}, {"control": 1, "pushed": "x"}, [1, 2]],
)
def test_weights_that_cannot_be_used_are_refused(api: TestClient, weights: Any) -> None:
    campaign_id = running(api)
    assert api.patch(f"{URL}/{campaign_id}", json={"weights": weights}).status_code == 422
    assert len(api.get(f"{URL}/{campaign_id}").json()["epochs"]) == 1


@pytest.mark.parametrize(("actions", "wanted"), [((), "start"), (("stop",), "start"), (("approve",), "pause")])
def test_a_step_that_does_not_follow_is_refused(api: TestClient, actions: tuple[str, ...], wanted: str) -> None:
    campaign_id = drafted(api)
    for action in actions:
        act(api, campaign_id, action)
    answer = act(api, campaign_id, wanted)
    assert (answer.status_code, answer.json()["type"]) == (409, REFUSED)


def test_campaigns_of_a_layer_cannot_share_slots(api: TestClient) -> None:
    first = running(api, layer={"name": "cards", "slots": [0, 600]})
    second = drafted(api, layer={"name": "cards", "slots": [500, 1000]})
    answer = act(api, second, "approve", "start")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:nbo:problem:campaigns-overlap")
    act(api, first, "stop")
    assert act(api, second, "start").json()["status"] == "running"


def test_shipping_an_arm_gives_everybody_its_offers_and_arbitration(api: TestClient) -> None:
    treatment = {"offers": [{"offer_id": "card", "talk_track_en": "New"}], "policy": {"relevance_weight": 0.1}}
    campaign_id = running(api, arms=[*arms(1), {"name": "b", "weight": 1, "treatment": treatment}])
    assert api.post(f"{URL}/{campaign_id}/ship", json={"arm": "c"}).status_code == 422
    shipped = api.post(f"{URL}/{campaign_id}/ship", json={"arm": "b"}).json()
    assert (shipped["status"], shipped["shipped_arm"]) == ("shipped", "b")
    talk = {one["offer_id"]: one["talk_track_en"] for one in api.get("/v1/offers").json()["offers"]}
    assert (talk["card"], api.get("/v1/policy").json()["numbers"]["relevance_weight"]) == ("New", 0.1)


def test_an_unknown_campaign_is_not_found(api: TestClient) -> None:
    answers = [api.get(f"{URL}/none"), api.patch(f"{URL}/none", json={}), act(api, "none", "approve")]
    answers += [act(api, "none", "start"), api.post(f"{URL}/none/ship", json={"arm": "b"})]
    assert {(one.status_code, one.json()["type"]) for one in answers} == {(404, "urn:nbo:problem:campaign-not-found")}


def test_an_arm_with_a_model_that_is_not_registered_cannot_start(api: TestClient) -> None:
    campaign_id = drafted(api, arms=[*arms(1), {"name": "b", "weight": 1, "treatment": {"model": "m-none"}}])
    answer = act(api, campaign_id, "approve", "start")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:nbo:problem:model-version-not-found")


@pytest.mark.parametrize("action", ["approve", "start", "ship"])
def test_outside_demo_mode_nobody_launches_their_own_campaign(api: TestClient, action: str) -> None:
    campaign_id = drafted(api)
    demo = api.app.state.services  # type: ignore[attr-defined]
    services = replace(demo, settings=demo.settings.model_copy(update={"auth": "local"}))
    own, other = CampaignService(services, "mei"), CampaignService(services, "li")
    for step in {"approve": [], "start": ["approve"], "ship": ["approve", "start"]}[action]:
        getattr(other, step)(campaign_id)
    launch: Callable[..., Any] = getattr(own, action)
    arguments = (campaign_id, "pushed") if action == "ship" else (campaign_id,)
    with pytest.raises(NeedsSecondPerson):
        launch(*arguments)
    assert getattr(other, action)(*arguments).campaign_id == campaign_id


def test_a_running_campaign_is_in_force_until_it_pauses(api: TestClient) -> None:
    services = api.app.state.services  # type: ignore[attr-defined]

    def in_force() -> list[str]:
        with services.database.read() as log:
            current = services.campaigns.current(log, services.catalogue.current(log), services.policy.current(log))
            return [one.campaign_id for one in current.running]

    before = in_force()
    campaign_id = running(api)
    assert (before, in_force()) == ([], [campaign_id])
    act(api, campaign_id, "pause")
    assert in_force() == []


def with_customers(api: TestClient, ages: range) -> None:
    services = api.app.state.services  # type: ignore[attr-defined]
    with services.database.transaction() as log:
        log.set_attribute_types({"age": "number"})
        for age in ages:
            log.add_customer(a_customer(customer_id=f"p{age}", attributes={"age": age}), NOW)


def contacted(api: TestClient, customer_id: str, answer: str) -> None:
    opened = api.post("/v1/contacts", json={"customer_id": customer_id, "channel": "phone", "agent_id": "a"}).json()
    decision = opened["decision"]
    body = {"decision_id": decision["decision_id"], "offer_id": decision["offers"][0]["offer_id"], "answer": answer}
    key = {"Idempotency-Key": customer_id}
    assert api.post("/v1/outcomes", json={**body, "disclosure_read": True}, headers=key).status_code == 201


def test_a_preview_counts_the_audience_and_says_how_many_are_needed(api: TestClient) -> None:
    with_customers(api, range(20, 32))
    for age in range(20, 32):
        contacted(api, f"p{age}", "accepted" if age % 4 == 0 else "declined")
    found = api.post(f"{URL}/preview", json=a_plan_document(audience="age >= 26", maturity_days=0)).json()
    variance = 12 / 11 * 0.25 * 0.75
    assert (found["audience"], found["customers"]) == (6, 12)
    assert found["baseline"] == {"customers": 12, "mean": 0.25, "standard_deviation": pytest.approx(variance**0.5)}
    assert found["units_a_day"] == pytest.approx(12 / 28 * 0.5, abs=0.01)
    z = 1.959964 + 0.841621
    assert found["units_needed"] == pytest.approx(2 * z**2 * (0.26 * 0.74 + 0.25 * 0.75) / 0.01**2, rel=1e-4)
    effect = found["smallest_effect_of_planned_units"]
    after = 0.25 + effect
    assert 2 * z**2 * (after * (1 - after) + 0.25 * 0.75) / effect**2 == pytest.approx(10_000, rel=1e-4)
    assert found["units_needed_at_any_look"] > found["units_needed"]
    assert found["smallest_effect_at_any_look"] > effect
    assert found["days_of_planned_units"] == pytest.approx(10_000 * 28 / 6, abs=1)


def test_a_preview_says_what_would_be_known_by_when(api: TestClient) -> None:
    with_customers(api, range(20, 60))
    for age in range(20, 60):
        contacted(api, f"p{age}", "accepted" if age % 4 == 0 else "declined")
    plan = a_plan_document(maturity_days=0, planned_units=200)
    found = api.post(f"{URL}/preview", json=plan).json()
    reach = found["reach"]
    assert [one["days"] for one in reach] == sorted({one["days"] for one in reach})
    assert reach[-1]["days"] >= 2 * found["days_of_planned_units"] - 10
    assert [one["units"] for one in reach] == [int(40 / 28 * one["days"]) for one in reach]
    effects = [one["smallest_effect"] for one in reach]
    assert effects == sorted(effects, reverse=True)
    assert reach[-1]["smallest_effect_at_any_look"] > effects[-1]
    last = api.post(f"{URL}/preview", json={**plan, "planned_units": reach[-1]["units"]}).json()
    assert last["smallest_effect_of_planned_units"] == pytest.approx(effects[-1])


def test_a_preview_needs_no_planned_units_and_nobody_who_got_in_touch(api: TestClient) -> None:
    found = api.post(f"{URL}/preview", json=a_plan_document(planned_units=None)).json()
    assert (found["units_a_day"], found["units_needed"], found["days_needed"]) == (0.0, None, None)
    assert (found["smallest_effect_of_planned_units"], found["reach"]) == (None, [])


def test_a_preview_names_the_campaigns_it_meets(api: TestClient) -> None:
    with_customers(api, range(20, 60))
    layered = running(api, layer={"name": "cards", "slots": [0, 500]})
    young = running(api, audience="age < 30")
    elsewhere = {"treatment": {"levers": {"loan": 2}}, "name": "b", "weight": 1}
    running(api, arms=[*arms(1), elsewhere])
    plan = a_plan_document(audience="age >= 25", layer={"name": "cards", "slots": [400, 600]})
    conflicts = api.post(f"{URL}/preview", json=plan).json()["conflicts"]
    assert [(one["campaign_id"], one["kind"], one["customers"]) for one in conflicts] == [
        (layered, "layer_slots", None),
        (young, "same_offers", 5),
    ]
