"""The wizard: a draft from its first step on, each step saved or refused with what was typed, and its arms by row."""

import pytest
from fastapi.testclient import TestClient

from tests.builders import NOW, a_customer
from tests.serving.consoles.campaign_forms import AUDIENCE, GOAL, created, drafted, post, saves, shown

NEW = "/marketing/campaigns/new"


@pytest.fixture
def bank(api: TestClient) -> TestClient:
    """The service with eight customers of ages 20 to 90, each of whom got in touch."""
    services = api.app.state.services  # type: ignore[attr-defined]
    with services.database.transaction() as log:
        log.set_attribute_types({"age": "number"})
        for age in range(20, 100, 10):
            log.add_customer(a_customer(customer_id=f"p{age}", attributes={"age": age}), NOW)
    for age in range(20, 100, 10):
        api.post("/v1/contacts", json={"customer_id": f"p{age}", "channel": "phone", "agent_id": "a"})
    return api


def test_the_first_step_makes_a_whole_draft_with_sensible_defaults(bank: TestClient) -> None:
    campaign_id = created(bank)
    found = shown(bank, campaign_id)
    plan = found["plan"]
    assert (found["status"], plan["name"], plan["primary"]) == ("draft", "Lounge", "sold")
    assert [(one["name"], one["weight"], one["control"]) for one in plan["arms"]] == [
        ("Control", 50, True), ("New", 50, False),
    ]  # fmt: skip
    assert [(one["metric"], one["margin"]) for one in plan["guardrails"]] == [("csat", 0.1)]
    assert plan["planned_units"] == 6  # eight customers in four weeks, less the week in which outcomes count
    assert (plan["audience"], plan["channels"], plan["smallest_effect"]) == (None, [], 0.01)


def test_a_first_step_that_cannot_be_used_keeps_what_was_typed(api: TestClient) -> None:
    answer = post(api, NEW, GOAL | {"name": "  ", "hypothesis": "Kept", "margin.csat": "a lot"})
    assert answer.status_code == 422
    assert 'id="name-problem"' in answer.text
    assert 'id="margin.csat-problem"' in answer.text
    assert "Kept</textarea>" in answer.text
    assert 'value="a lot"' in answer.text
    assert api.get("/v1/campaigns").json() == {"campaigns": []}


def test_a_problem_is_said_in_chinese_next_to_its_field(api: TestClient) -> None:
    answer = api.post(NEW, data=GOAL | {"name": ""}, headers={"accept-language": "zh"})
    assert "必填" in answer.text


@pytest.mark.parametrize(
    ("go", "place"),
    [(None, "/edit?step=audience"), ("power", "/edit?step=power"), ("leave", ""), ("x", "/edit?step=audience")],
)
def test_a_saved_step_goes_where_its_button_says(go: str | None, place: str, api: TestClient) -> None:
    answer = post(api, NEW, GOAL | ({"go": go} if go else {}))
    where = answer.headers["location"]
    assert where == "/marketing" if go == "leave" else where.endswith(place)


@pytest.mark.parametrize("step", ["goal", "audience", "arms", "power", "launch"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_step_of_a_draft_is_shown(step: str, language: str, bank: TestClient) -> None:
    page = bank.get(f"/marketing/campaigns/{created(bank)}/edit?step={step}", headers={"accept-language": language})
    assert page.status_code == 200
    assert 'aria-current="step"' in page.text


def test_a_goal_is_changed_and_another_metric_has_another_usual_effect(bank: TestClient) -> None:
    campaign_id = created(bank)
    form = GOAL | {"name": "Better", "primary": "value", "secondaries": "sold", "margin.csat": "0.2"}
    assert saves(bank, campaign_id, "goal", form).status_code == 303
    plan = shown(bank, campaign_id)["plan"]
    assert (plan["name"], plan["primary"], plan["secondaries"]) == ("Better", "value", ["sold"])
    assert (plan["guardrails"][0]["margin"], plan["smallest_effect"]) == (0.2, 5.0)


def test_a_share_is_typed_in_percent(bank: TestClient) -> None:
    campaign_id = created(bank, guardrails="complained", **{"margin.complained": "0.5"})
    assert shown(bank, campaign_id)["plan"]["guardrails"][0]["margin"] == 0.005
    assert (
        'id="margin.complained" name="margin.complained" value="0.5"'
        in bank.get(f"/marketing/campaigns/{campaign_id}/edit").text
    )


def test_a_guardrail_goes_on_being_wanted_where_it_was(api: TestClient) -> None:
    campaign_id = drafted(api, guardrails=[{"metric": "contacts", "margin": 0.1, "wanted": "increase"}])
    form = GOAL | {"guardrails": ["contacts", "csat"], "margin.contacts": "0.2"}
    assert saves(api, campaign_id, "goal", form).status_code == 303
    found = {one["metric"]: (one["margin"], one["wanted"]) for one in shown(api, campaign_id)["plan"]["guardrails"]}
    assert found == {"contacts": (0.2, "increase"), "csat": (0.1, "increase")}


def test_an_audience_is_saved_and_the_customers_planned_follow_it(bank: TestClient) -> None:
    campaign_id = created(bank)
    form = AUDIENCE | {"audience": "age > 50", "channels": ["phone", "app"], "holdout": "10", "coverage": "80"}
    assert saves(bank, campaign_id, "audience", form).status_code == 303
    plan = shown(bank, campaign_id)["plan"]
    assert (plan["audience"], plan["channels"], plan["holdout"], plan["coverage"]) == (
        "age > 50",
        ["app", "phone"],
        0.1,
        0.8,
    )
    assert plan["planned_units"] == 2  # eight contacts in 28 days, of half the customers, 80 % of them, in 21 days


def test_a_layer_is_saved_with_its_slots(bank: TestClient) -> None:
    campaign_id = created(bank)
    saves(bank, campaign_id, "audience", AUDIENCE | {"layer": "cards", "first_slot": "0", "last_slot": "500"})
    assert shown(bank, campaign_id)["plan"]["layer"] == {"name": "cards", "slots": [0, 500]}


def test_a_broken_audience_is_not_saved_and_not_lost(bank: TestClient) -> None:
    campaign_id = created(bank)
    answer = saves(bank, campaign_id, "audience", AUDIENCE | {"audience": "agee > 50", "coverage": "0"})
    assert answer.status_code == 422
    assert ">agee &gt; 50</textarea>" in answer.text
    assert 'id="coverage-problem"' in answer.text
    assert shown(bank, campaign_id)["plan"]["audience"] is None


def test_the_length_is_chosen_by_customers_or_typed(bank: TestClient) -> None:
    campaign_id = created(bank)
    form = {
        "smallest_effect": "2.5",
        "planned_units": "other",
        "other_units": "1,500",
        "maturity_days": "14",
        "learns": "true",
    }
    assert saves(bank, campaign_id, "power", form).status_code == 303
    plan = shown(bank, campaign_id)["plan"]
    assert (plan["smallest_effect"], plan["planned_units"], plan["maturity_days"]) == (0.025, 1500, 14)
    assert plan["allocation"]["kind"] == "thompson"
    assert saves(bank, campaign_id, "power", form | {"planned_units": "22", "learns": ""}).status_code == 303
    assert shown(bank, campaign_id)["plan"]["planned_units"] == 22


def test_a_length_that_cannot_be_used_is_not_saved_and_not_lost(bank: TestClient) -> None:
    campaign_id = created(bank)
    form = {"smallest_effect": "much", "planned_units": "other", "other_units": "1.5", "maturity_days": "7"}
    answer = saves(bank, campaign_id, "power", form)
    assert answer.status_code == 422
    assert 'id="smallest_effect-problem"' in answer.text
    assert 'id="planned_units-problem"' in answer.text
    assert ('value="much"' in answer.text, 'value="1.5"' in answer.text) == (True, True)


def test_what_is_typed_is_sized_before_it_is_saved(bank: TestClient) -> None:
    campaign_id = created(bank)
    form = {"smallest_effect": "99", "planned_units": "other", "other_units": "6", "maturity_days": "7", "do": "show"}
    page = saves(bank, campaign_id, "power", form).text
    assert "Nobody can say yet what this would show." in page
    assert shown(bank, campaign_id)["plan"]["smallest_effect"] == 0.01


def test_saving_a_step_unchanged_leaves_no_line_in_the_audit(api: TestClient) -> None:
    campaign_id = created(api)
    assert saves(api, campaign_id, "goal", GOAL).status_code == 303
    assert [one["what"] for one in shown(api, campaign_id)["changes"]] == ["created"]


def test_a_campaign_that_is_no_draft_is_not_edited(api: TestClient) -> None:
    campaign_id = created(api)
    api.post(f"/v1/campaigns/{campaign_id}/approve")
    answer = saves(api, campaign_id, "goal", GOAL | {"name": "Too late"})
    assert answer.headers["location"] == f"/marketing/campaigns/{campaign_id}"
    assert shown(api, campaign_id)["name"] == "Lounge"


@pytest.mark.parametrize("path", [NEW, "/marketing/campaigns/any/edit?step=goal"])
def test_a_draft_from_another_site_is_refused(path: str, api: TestClient) -> None:
    assert api.post(path, data=GOAL, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert api.get("/v1/campaigns").json() == {"campaigns": []}
