"""A campaign's result page over HTTP: what stands where, what is hidden, and what can be done from it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.customer import CustomerKind
from serving.campaigns.service import CampaignService
from tests.builders import NOW, a_customer
from tests.serving.consoles.test_pages import HERE
from tests.serving.test_campaign_decisions import services_of
from tests.serving.test_campaign_results import PLAN, URL, set_clock, started


def address(campaign_id: str, part: str = "") -> str:
    return f"/marketing/campaigns/{campaign_id}/results{part}"


def page_of(api: TestClient, campaign_id: str, part: str = "", **params: str) -> str:
    shown = api.get(address(campaign_id, part), params=params)
    assert shown.status_code == 200, shown.text
    return shown.text


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def add_units(api: TestClient, campaign_id: str, arms: list[str], prefix: str = "u") -> None:
    """Put a satisfied customer into each of these arms, who accepts the campaign's offer in any but the control."""
    with services_of(api).database.transaction() as log:
        kept = log.campaign(campaign_id).kept
        for number, arm in enumerate(arms):
            won = float(arm != "control")
            unit = CampaignUnit(
                campaign_id, f"{prefix}{number}", 1, arm, 0.5, NOW + timedelta(days=number // 60), NOW.date(),
                agent_id=f"a{number % 5}", recommended_at=NOW, pitched_at=NOW if won else None,
                campaign_acceptances=won, value=50 * won, answers=won,
                covariates={"age": 20.0 + number % 40}, csat_total=4.0 + number // 2 % 2, csat_ratings=1.0,
            )  # fmt: skip
            log.add_customer(a_customer(customer_id=unit.customer_id, kind=CustomerKind.PROSPECT), NOW)
            log.save_campaign_units({}, {campaign_id: unit}, {campaign_id: kept})


@pytest.fixture
def lived(api: TestClient) -> str:
    """A campaign that ran over two days in which everybody in the new arm took its offer, and a week later."""
    set_clock(api, NOW)
    campaign_id = started(api)
    add_units(api, campaign_id, ["control", "new"] * 50)
    set_clock(api, NOW + timedelta(days=8))
    return campaign_id


def tamper(api: TestClient, campaign_id: str) -> None:
    """Put sixty customers into the control whom no hash sent there."""
    add_units(api, campaign_id, ["control"] * 60, prefix="x")


def post(api: TestClient, campaign_id: str, action: str, **form: str) -> Any:
    return api.post(address(campaign_id, f"/{action}"), data=form, headers=HERE, follow_redirects=False)


def status_of(api: TestClient, campaign_id: str) -> str:
    return str(api.get(f"{URL}/{campaign_id}").json()["status"])


def test_the_sections_stand_in_the_order_of_their_importance(api: TestClient, lived: str) -> None:
    sections = re.findall(r'<section id="([\w-]+)"', page_of(api, lived))
    assert sections == ["verdict", "health", "figures", "over-time", "segments", "compliance", "log"]


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["Ship it: it works", "As designed", "Within its margin", "+100.0 pp", "Exploratory", "Decision log"]),
        ("zh", ["可以推广", "与设计相符", "未超出容许范围", "+100.0 个百分点", "探索性", "决策记录"]),
    ],
)
def test_the_page_says_what_the_campaign_has_shown(api: TestClient, lived: str, lang: str, said: list[str]) -> None:
    shown = text_of(page_of(api, lived, lang=lang))
    assert [one for one in said if one not in shown] == []


def test_absolute_and_relative_effects_stand_side_by_side_for_every_metric(api: TestClient, lived: str) -> None:
    page = page_of(api, lived)
    table = page[page.index('class="data figures"') : page.index("</table>", page.index('class="data figures"'))]
    heads = [text_of(head).strip() for head in re.findall(r"<th scope=\"col\".*?</th>", table)]
    assert heads[:5] == ["Metric", "control", "new", "Absolute effect", "Relative effect"]
    rows = [text_of(row) for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL)]
    names = ("Customers who accept", "Satisfaction", "Net value")
    assert [next(name for name in names if name in row) for row in rows] == list(names)
    assert ("Goal" in rows[0], f"Guardrail, margin {PLAN['guardrails'][0]['margin']}" in rows[1], "Secondary" in rows[2]) == (True, True, True)


def test_cuped_the_fixed_interval_chance_and_risk_can_be_opened(api: TestClient) -> None:
    with services_of(api).database.transaction() as log:
        log.set_attribute_types({"age": "number"})
    set_clock(api, NOW)
    campaign_id = started(api, covariates=["age"])
    add_units(api, campaign_id, ["control", "new"] * 50)
    set_clock(api, NOW + timedelta(days=8))
    page = page_of(api, campaign_id)
    details = text_of(page[page.index('<details id="more-1"') : page.index('<section id="over-time"')])
    labels = ("Fixed interval, absolute", "With CUPED", "Variance that CUPED takes off", "Chance that it is higher")
    assert [label for label in (*labels, "Expected loss if chosen", "p, adjusted") if label not in details] == []


@pytest.mark.parametrize("part", ["", "/live"])
@pytest.mark.parametrize(("lang", "title"), [("en", "The split is not as designed"), ("zh", "分组与设计不符")])
def test_a_failed_split_check_hides_the_verdict_and_every_effect(
    api: TestClient, lived: str, part: str, lang: str, title: str
) -> None:
    before = page_of(api, lived, part, lang=lang)
    assert title not in before
    tamper(api, lived)
    after = page_of(api, lived, part, lang=lang)
    assert re.findall(r'<section id="([\w-]+)"', after) == ["verdict", "health", "log"]
    assert title in after
    for effect in ("data-chart", "+100.0", "Ship it", "可以推广", "effect.svg", "pitched"):
        assert effect not in after, effect
    assert ("< 0.001" in text_of(after).replace("&lt;", "<"), "What to check" in after or "请检查" in after) == (
        True,
        True,
    )


def test_a_failed_split_check_shows_what_each_arm_should_have_had(api: TestClient, lived: str) -> None:
    tamper(api, lived)
    shown = api.get(f"{URL}/{lived}/results").json()
    table = text_of(page_of(api, lived))
    assert shown["srm"]["expected"] == {"control": 80.0, "new": 80.0}
    assert f"control {shown['funnel']['control']['assigned']}" in table
    assert "80 50.0 %" in table


def test_segments_are_hidden_with_the_rest(api: TestClient, lived: str) -> None:
    tamper(api, lived)
    shown = page_of(api, lived, "/segments", by="kind")
    assert "The split is not as designed" in shown
    assert "<table" not in shown


def test_before_anybody_has_matured_the_page_says_when_the_first_will_have(api: TestClient) -> None:
    set_clock(api, NOW)
    campaign_id = started(api, maturity_days=7)
    assert "No customer has come into the campaign yet" in page_of(api, campaign_id)
    add_units(api, campaign_id, ["control", "new"] * 5)
    shown = page_of(api, campaign_id)
    assert f"The first results come on {(NOW + timedelta(days=8)).date()}." in shown
    assert re.findall(r'<section id="([\w-]+)"', shown) == ["verdict", "health", "log"]
    assert "首批结果将于" in page_of(api, campaign_id, lang="zh")


def test_segments_are_fetched_where_a_refresh_brings_the_first_results(api: TestClient, lived: str) -> None:
    loads = f'hx-get="{address(lived, "/segments")}" hx-trigger="load"'
    assert (loads in page_of(api, lived, "/live"), loads in page_of(api, lived)) == (True, False)


def test_a_campaign_that_has_not_started_has_a_page_too(api: TestClient) -> None:
    campaign_id = api.post(URL, json=PLAN).json()["campaign_id"]
    assert "The campaign has not started" in page_of(api, campaign_id)
    assert api.get(address("nothing")).status_code == 404


def test_the_effect_by_another_column_is_shown_on_demand(api: TestClient, lived: str) -> None:
    assert "Prospect" in page_of(api, lived, "/segments", by="kind")
    assert "Prospect" in page_of(api, lived, by="kind")
    assert "Exploratory" in page_of(api, lived, "/segments", by="no_such_column")


def test_a_campaign_is_paused_started_and_stopped_from_its_page_and_all_is_logged(api: TestClient, lived: str) -> None:
    for action, status in (("pause", "paused"), ("start", "running"), ("stop", "stopped")):
        done = post(api, lived, action)
        assert (done.status_code, done.headers["location"]) == (303, address(lived, f"?done={action}"))
        assert status_of(api, lived) == status
    log = text_of(page_of(api, lived)).split("Decision log")[1]
    places = [
        log.index(said) for said in ("Stopped", "Let it go on", "Paused", "Epoch 1: launch", "Started", "Drafted")
    ]
    assert places == sorted(places)
    assert "The campaign is stopped." in page_of(api, lived, done="stop")


def test_an_arm_is_shipped_from_the_page(api: TestClient, lived: str) -> None:
    assert post(api, lived, "ship", arm="new").status_code == 303
    assert api.get(f"{URL}/{lived}").json()["shipped_arm"] == "new"
    assert "lounge" in {one["offer_id"] for one in api.get("/v1/offers").json()["offers"]}


@pytest.mark.parametrize(
    ("action", "form", "status", "said"),
    [
        ("start", {}, 409, "does not allow this any more"),
        ("ship", {"arm": "nobody"}, 422, "Choose one of the arms"),
        ("ship", {}, 422, "Choose one of the arms"),
    ],
)
def test_what_is_refused_is_said_on_the_page_and_changes_nothing(
    api: TestClient, lived: str, action: str, form: dict[str, str], status: int, said: str
) -> None:
    refused = post(api, lived, action, **form)
    assert (refused.status_code, status_of(api, lived)) == (status, "running")
    assert said in refused.text
    assert '<section id="verdict"' in refused.text


def test_outside_demo_mode_the_author_cannot_ship(api: TestClient, lived: str) -> None:
    demo = services_of(api)
    local = replace(demo, settings=demo.settings.model_copy(update={"auth": "local"}))
    api.app.state.services = local  # type: ignore[attr-defined]
    author = api.get(f"{URL}/{lived}").json()["author"]
    assert CampaignService(local, author).actor == author
    refused = post(api, lived, "ship", arm="new")
    assert refused.status_code == 409
    assert "Somebody other than the author must do this." in refused.text


def test_a_change_from_another_site_is_refused(api: TestClient, lived: str) -> None:
    refused = api.post(address(lived, "/stop"), headers={"origin": "http://evil.example"})
    assert (refused.status_code, status_of(api, lived)) == (403, "running")


def test_names_that_people_write_are_shown_as_text(api: TestClient) -> None:
    set_clock(api, NOW)
    arms = [PLAN["arms"][0], {**PLAN["arms"][1], "name": "<img src=x>'\"&"}]
    campaign_id = started(api, name="<script>alert(1)</script>", arms=arms)
    add_units(api, campaign_id, ["control", arms[1]["name"]] * 10)
    set_clock(api, NOW + timedelta(days=8))
    shown = page_of(api, campaign_id)
    assert ("<img" in shown, "<script>alert" in shown) == (False, False)
    assert "&lt;img src=x&gt;" in shown
