"""A campaign's result page in a real browser, over a campaign of some hundred customers in the demo bank's log."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from experiments.campaign import Status
from experiments.plan_document import parse_plan
from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.clock import system_clock
from recsys.storage.campaign_log import SavedCampaign, SavedEpoch
from recsys.storage.database import open_database
from serving.settings import Settings
from tests.builders import a_customer
from tests.journeys.agent_page import axe_violations, browser, complaints, open_page
from tests.journeys.service import RunningService
from tests.journeys.test_charts import value_scale

__all__ = ["browser", "complaints", "open_page"]

Opener = Callable[..., Page]
PLAN = {
    "name": "Lounge for travellers",
    "hypothesis": "A lounge voucher sells more cards to people who travel.",
    "arms": [{"name": "control", "weight": 1, "control": True}, {"name": "lounge", "weight": 1}],
    "primary": "accepted",
    "secondaries": ["value", "declined"],
    "guardrails": [{"metric": "csat", "margin": 0.3}],
    "smallest_effect": 0.05,
    "planned_units": 600,
    "maturity_days": 1,
}


def make_campaign(service: RunningService, campaign_id: str, strays: int = 0, status: Status = Status.STOPPED) -> str:
    """Put a campaign that began twenty days ago into the log; `strays` come to the control against the design."""
    plan, began = parse_plan(PLAN), system_clock() - timedelta(days=20)
    saved = SavedCampaign(
        campaign_id, PLAN, plan.version, plan.kept, status, "mei", began, "li", began, started_at=began
    )
    with open_database(Settings(home=service.home).event_log_url).transaction() as log:
        log.add_campaign(saved)
        log.add_campaign_epoch(campaign_id, SavedEpoch(1, plan.weights, began, "launch", "li"), None)
        for number in range(400 + strays):
            arm = "control" if number >= 400 or number % 2 else "lounge"
            unit = a_unit(campaign_id, number, arm, began + timedelta(hours=number))
            log.add_customer(a_customer(customer_id=unit.customer_id, segment=f"segment {number % 3}"), began)
            log.save_campaign_units({}, {campaign_id: unit}, {campaign_id: plan.kept})
    return f"/marketing/campaigns/{campaign_id}/results"


def a_unit(campaign_id: str, number: int, arm: str, at: datetime) -> CampaignUnit:
    """A customer who accepts in one of five cases, in the lounge's arm in a few more."""
    won = float(number % 5 == 0 or (arm == "lounge" and number % 32 == 2))
    return CampaignUnit(
        campaign_id, f"{campaign_id}-{number}", 1, arm, 0.5, at, at.date(),
        agent_id=f"agent-{number % 7}", recommended_at=at, pitched_at=at if number % 3 else None,
        campaign_acceptances=won, value=60 * won, declines=1 - won, answers=1,
        csat_total=4.0 + number // 2 % 2, csat_ratings=1.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def healthy(running_service: RunningService) -> str:
    """Where a campaign is shown whose effect may be on either side of 0."""
    return make_campaign(running_service, "x-healthy")


@pytest.fixture(scope="module")
def broken(running_service: RunningService) -> str:
    """Where a campaign is shown whose split is not as designed."""
    return make_campaign(running_service, "x-broken", strays=150)


def latest_effect(service: RunningService, campaign_id: str) -> Any:
    return httpx2.get(f"{service.url}/v1/campaigns/{campaign_id}/results").json()["over_time"][-1]


def test_the_band_of_the_effect_reaches_below_zero_as_far_as_the_figures_say(
    open_page: Opener, healthy: str, running_service: RunningService, complaints: list[str]
) -> None:
    page = open_page(healthy, reduced_motion="reduce")
    page.locator("#effect-1-drawing svg").wait_for()
    interval = latest_effect(running_service, "x-healthy")["always_valid"]
    assert interval["low"] < 0 < interval["high"]
    at = value_scale(page, "effect-1")
    drawn: list[list[float]] = page.evaluate(
        """() => {
            const band = [...document.querySelectorAll("#effect-1-drawing svg path")]
                .find((path) => path.getAttribute("fill-opacity") === "0.18");
            const top = band.ownerSVGElement.getBoundingClientRect().top;
            const numbers = band.getAttribute("d").match(/-?[\\d.]+/g).map(Number);
            return numbers.flatMap((x, index) => (index % 2 ? [] : [[x, numbers[index + 1] + top]]));
        }"""
    )
    right = max(x for x, _ in drawn)
    ends = sorted(y for x, y in drawn if x > right - 1)
    assert [ends[0], ends[-1]] == pytest.approx([at(interval["high"] * 100), at(interval["low"] * 100)], abs=2)
    assert complaints == []


@pytest.mark.parametrize(
    ("lang", "title", "hidden"),
    [("en", "The split is not as designed", "Let it run"), ("zh", "分组与设计不符", "请继续")],
)
def test_a_failed_split_check_hides_the_verdict(
    open_page: Opener, healthy: str, broken: str, lang: str, title: str, hidden: str
) -> None:
    page = open_page(f"{healthy}?lang={lang}")
    expect(page.locator("#verdict")).to_contain_text(hidden)
    page.goto(f"{broken}?lang={lang}")
    expect(page.locator("#verdict h2")).to_contain_text(title)
    expect(page.locator("main")).not_to_contain_text(hidden)
    expect(page.locator("#figures, #over-time, #segments, #compliance, [data-chart]")).to_have_count(0)
    expect(page.locator("#split-table table")).to_be_visible()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_the_page_on_any_screen(
    open_page: Opener, healthy: str, broken: str, lang: str, scheme: str, complaints: list[str]
) -> None:
    page = open_page(f"{healthy}?lang={lang}", color_scheme=scheme)
    page.locator("#effect-1-drawing svg").wait_for()
    for details in page.locator("main details:not(.menu)").all():
        details.locator("> summary").click()
    assert axe_violations(page) == []
    page.set_viewport_size({"width": 320, "height": 700})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.goto(f"{broken}?lang={lang}")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert axe_violations(page) == []
    assert complaints == []


def test_segments_by_another_column_come_without_a_new_page(open_page: Opener, healthy: str) -> None:
    page = open_page(healthy)
    expect(page.locator("#segments tbody th")).to_have_text(["Segment 0", "Segment 1", "Segment 2"])
    page.locator("#segment-by").focus()
    page.locator("#segment-by").select_option("kind")
    expect(page.locator("#segments tbody th")).to_have_count(1)
    expect(page.locator("#segment-by")).to_be_focused()


def test_a_refresh_keeps_what_is_open_focused_and_drawn(open_page: Opener, healthy: str) -> None:
    page = open_page(healthy, reduced_motion="reduce")
    page.locator("#effect-1-drawing svg").wait_for()
    page.locator("#segment-by").select_option("kind")
    expect(page.locator("#segments tbody th")).to_have_count(1)
    page.locator("#more-1 > summary").click()
    page.locator("#split-table > summary").focus()
    page.locator("#health .health-figure").first.evaluate("one => { one.textContent = 'old'; }")
    page.locator("#effect-1-drawing svg").evaluate("one => { one.dataset.kept = 'yes'; }")
    page.evaluate("htmx.trigger('#results', 'refresh')")
    expect(page.locator("#health .health-figure").first).not_to_have_text("old")
    expect(page.locator("#more-1")).to_have_attribute("open", "")
    expect(page.locator("#split-table > summary")).to_be_focused()
    expect(page.locator("#effect-1-drawing svg[data-kept]")).to_have_count(1)
    expect(page.locator("#segments tbody th")).to_have_count(1)


def test_a_lost_connection_is_said(open_page: Opener, healthy: str) -> None:
    page = open_page(healthy)
    page.route("**/results/live", lambda route: route.abort())
    page.evaluate("htmx.trigger('#results', 'refresh')")
    expect(page.locator("#stale")).to_be_visible()
    page.unroute("**/results/live")
    page.evaluate("htmx.trigger('#results', 'refresh')")
    expect(page.locator("#stale")).to_be_hidden()


def test_a_campaign_is_paused_with_the_keyboard_after_a_question(
    open_page: Opener, running_service: RunningService
) -> None:
    page = open_page(make_campaign(running_service, "x-paused", status=Status.RUNNING))
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Pause “Lounge for travellers”?")
    expect(question).to_be_visible()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert httpx2.get(f"{running_service.url}/v1/campaigns/x-paused").json()["status"] == "running"
    page.keyboard.press("Enter")
    question.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_text("The campaign is paused.")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
