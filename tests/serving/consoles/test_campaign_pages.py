"""The list of campaigns, a campaign before its launch, and what moves it on."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from recsys.domain.campaign_unit import CampaignUnit
from serving.campaigns.service import CampaignService
from serving.consoles.wizard import Wizard
from serving.consoles.wizard_routes import wizard
from serving.consoles.wording import speaker
from tests.builders import NOW, a_customer
from tests.serving.consoles.campaign_forms import HERE, drafted, post, running, shown

LIST = "/marketing"


def app_of(api: TestClient) -> FastAPI:
    assert isinstance(api.app, FastAPI)
    return api.app


@pytest.fixture
def bank(api: TestClient) -> TestClient:
    """The service with two customers."""
    with app_of(api).state.services.database.transaction() as log:
        for name in ("c1", "c2"):
            log.add_customer(a_customer(customer_id=name), NOW)
    return api


def row(page: str, campaign_id: str) -> str:
    found = re.search(rf'<li class="campaign-row" id="row-{campaign_id}">.*?\n</li>', page, re.DOTALL)
    assert found, page
    return found[0]


def test_a_marketer_without_campaigns_is_shown_where_to_begin(api: TestClient) -> None:
    page = api.get(LIST).text
    assert "No campaign yet" in page
    assert 'href="/marketing/campaigns/new"' in page


def test_each_campaign_leads_to_where_its_work_is(api: TestClient) -> None:
    draft, launched = drafted(api, name="A draft"), running(api)
    page = api.get(LIST).text
    assert f'href="/marketing/campaigns/{draft}/edit"' in row(page, draft)
    assert f'href="/marketing/campaigns/{launched}/results"' in row(page, launched)
    assert page.index("Running") < page.index("Drafts and approved")


def test_a_row_offers_only_what_can_follow(api: TestClient) -> None:
    draft, launched = drafted(api), running(api, layer={"name": "other", "slots": [0, 10]})
    page = api.get(LIST).text
    actions = {name: re.findall(rf'action="/marketing/campaigns/{name}/(\w+)"', page) for name in (draft, launched)}
    assert actions == {draft: ["stop"], launched: ["pause", "stop"]}
    assert "Discard" in row(page, draft)


def test_the_health_of_a_running_campaign_is_asked_for_by_its_row(bank: TestClient) -> None:
    campaign_id = running(bank)
    assert f'hx-get="/marketing/campaigns/{campaign_id}/health"' in row(bank.get(LIST).text, campaign_id)
    before = bank.get(f"/marketing/campaigns/{campaign_id}/health").text
    assert "No customers yet" in before
    for name in ("c1", "c2"):
        bank.post("/v1/contacts", json={"customer_id": name, "channel": "phone", "agent_id": "a"})
    after = bank.get(f"/marketing/campaigns/{campaign_id}/health").text
    assert "Split as designed" in after
    assert "of 10,000 customers in" in after
    assert "Too early to tell" in after


def test_a_failed_split_check_is_said_instead_of_a_verdict(api: TestClient) -> None:
    campaign_id = running(api)
    with app_of(api).state.services.database.transaction() as log:
        for number in range(60):
            unit = CampaignUnit(campaign_id, f"x{number}", 1, "control", 0.5, NOW, NOW.date())
            log.add_customer(a_customer(customer_id=unit.customer_id), NOW)
            log.save_campaign_units({}, {campaign_id: unit}, {campaign_id: log.campaign(campaign_id).kept})
    page = api.get(f"/marketing/campaigns/{campaign_id}/health").text
    assert "Split check failed" in page
    assert "No verdict" in page


def test_a_campaign_that_never_began_has_no_health(api: TestClient) -> None:
    assert "Results cannot be read now" in api.get(f"/marketing/campaigns/{drafted(api)}/health").text


def test_a_draft_is_shown_with_its_plan_its_checks_and_who_made_it(bank: TestClient) -> None:
    page = bank.get(f"/marketing/campaigns/{drafted(bank, audience='kind = $$customer$$'.replace('$$', chr(39)))}").text
    assert "Shows more or less often: Card." in page
    assert "kind = &#39;customer&#39;" in page
    assert "2 customers, 100 % of all." in page
    assert "Too little is known of this metric" in page
    assert "Drafted" in page


def test_an_arm_that_changes_nothing_is_worth_a_thought(bank: TestClient) -> None:
    arms = [{"name": "control", "weight": 1, "control": True}, {"name": "same", "weight": 1}]
    page = bank.get(f"/marketing/campaigns/{drafted(bank, arms=arms)}").text
    assert "same: nothing differs from the control" in page
    assert 'id="launch" disabled' not in page


def test_an_audience_of_nobody_is_in_the_way(bank: TestClient) -> None:
    page = bank.get(f"/marketing/campaigns/{drafted(bank, audience='vulnerable')}").text
    assert "The rule is true for nobody." in page
    assert 'id="launch" disabled' in page


def test_a_launched_campaign_is_shown_by_its_results(api: TestClient) -> None:
    campaign_id = running(api)
    for path in ("", "/edit"):
        answer = api.get(f"/marketing/campaigns/{campaign_id}{path}", follow_redirects=False)
        assert answer.status_code == 303
        where = answer.headers["location"]
        assert where == f"/marketing/campaigns/{campaign_id}" + ("/results" if not path else "")


@pytest.mark.parametrize(("action", "status"), [("approve", "approved"), ("launch", "running"), ("stop", "stopped")])
def test_a_draft_is_moved_on_from_its_page(action: str, status: str, api: TestClient) -> None:
    campaign_id = drafted(api)
    moved = post(api, f"/marketing/campaigns/{campaign_id}/{action}", {})
    assert moved.status_code == 303
    assert shown(api, campaign_id)["status"] == status


def test_a_running_campaign_is_paused_and_goes_on_from_the_list(api: TestClient) -> None:
    campaign_id, seen = running(api), []
    for action in ("pause", "start", "stop"):
        answer = post(api, f"/marketing/campaigns/{campaign_id}/{action}", {"back": "list"})
        seen.append((answer.headers["location"], shown(api, campaign_id)["status"]))
    assert seen == [
        ("/marketing?notice=paused", "paused"),
        ("/marketing?notice=started", "running"),
        ("/marketing?notice=stopped", "stopped"),
    ]
    assert "Paused." in api.get("/marketing?notice=paused").text


def test_a_step_that_does_not_follow_says_why(api: TestClient) -> None:
    campaign_id = drafted(api)
    answer = post(api, f"/marketing/campaigns/{campaign_id}/pause", {})
    assert answer.status_code == 409
    assert "status does not allow this any more" in answer.text


def test_a_campaign_that_overlaps_in_its_layer_is_approved_but_not_started(api: TestClient) -> None:
    running(api, layer={"name": "cards", "slots": [0, 600]})
    campaign_id = drafted(api, layer={"name": "cards", "slots": [500, 1000]})
    assert "choose other slots" in api.get(f"/marketing/campaigns/{campaign_id}").text
    answer = post(api, f"/marketing/campaigns/{campaign_id}/launch", {})
    assert answer.status_code == 409
    assert "Another running campaign has some of the same slots" in answer.text
    assert shown(api, campaign_id)["status"] == "approved"


def test_a_plan_that_the_catalogue_has_left_behind_is_shown_and_refused(bank: TestClient) -> None:
    words = {"offers": [{"offer_id": "card", "talk_track_en": "New"}], "levers": {"gone_family": 2}}
    offer = {"offer_id": "gone", "title_en": "Gone", "title_zh": "旧", "family": "gone_family"}
    bank.post("/v1/offers", json=offer)
    campaign_id = drafted(bank, arms=[
        {"name": "control", "weight": 1, "control": True}, {"name": "b", "weight": 1, "treatment": words},
    ])  # fmt: skip
    bank.post("/v1/offers", json={**offer, "family": "other"})
    page = bank.get(f"/marketing/campaigns/{campaign_id}")
    assert page.status_code == 200
    assert "The plan no longer fits the catalogue" in page.text
    assert post(bank, f"/marketing/campaigns/{campaign_id}/approve", {}).status_code == 409


@pytest.mark.parametrize("action", ["approve", "launch", "start", "pause", "stop"])
def test_an_action_from_another_site_is_refused(action: str, api: TestClient) -> None:
    campaign_id = drafted(api)
    answer = api.post(f"/marketing/campaigns/{campaign_id}/{action}", headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert shown(api, campaign_id)["status"] == "draft"


@pytest.mark.parametrize("path", ["", "/edit", "/health"])
def test_a_campaign_that_is_not_there_is_said_as_a_page(path: str, api: TestClient) -> None:
    missing = api.get(f"/marketing/campaigns/none{path}")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")


def test_what_a_marketer_writes_is_shown_as_text(api: TestClient) -> None:
    campaign_id = drafted(api, name="<img src=x>", hypothesis="<img src=y>")
    for path in (LIST, f"/marketing/campaigns/{campaign_id}", f"/marketing/campaigns/{campaign_id}/edit"):
        assert "<img" not in api.get(path).text


@pytest.fixture
def not_demo(api: TestClient) -> Iterator[TestClient]:
    """The service's pages as they are where people sign in; `as_person` says who."""
    yield api
    app_of(api).dependency_overrides.clear()


def as_person(api: TestClient, name: str) -> None:
    demo = app_of(api).state.services
    services = replace(demo, settings=demo.settings.model_copy(update={"auth": "local"}))
    person = Wizard(services, CampaignService(services, name), "en", speaker("en"))
    app_of(api).dependency_overrides[wizard] = lambda: person


def test_outside_demo_mode_the_author_waits_for_a_second_person(not_demo: TestClient) -> None:
    with app_of(not_demo).state.services.database.transaction() as log:
        log.add_customer(a_customer(), NOW)
    campaign_id = drafted(not_demo)
    address = f"/marketing/campaigns/{campaign_id}"
    as_person(not_demo, shown(not_demo, campaign_id)["author"])
    waiting = not_demo.get(f"{address}/edit?step=launch").text
    assert "Waiting for a second person." in waiting
    assert f'value="http://testserver{address}"' in waiting
    assert 'id="launch"' not in waiting
    CampaignService(app_of(not_demo).state.services, "li").approve(campaign_id)
    for path in (LIST, address):
        assert f'action="{address}/start"' not in not_demo.get(path).text
    refused = post(not_demo, f"{address}/start", {})
    assert refused.status_code == 409
    assert "Somebody other than the author must do this." in refused.text


def test_outside_demo_mode_a_second_person_approves_and_starts(not_demo: TestClient) -> None:
    campaign_id = drafted(not_demo)
    as_person(not_demo, "li")
    page = not_demo.get(f"/marketing/campaigns/{campaign_id}").text
    assert "You approve it as the second person" in page
    assert not_demo.post(f"/marketing/campaigns/{campaign_id}/approve", headers=HERE).status_code == 200
    assert post(not_demo, f"/marketing/campaigns/{campaign_id}/start", {}).status_code == 303
    assert shown(not_demo, campaign_id)["approver"] == "li"
