"""A marketer's campaign, from an empty form to a running split, in a real browser against the real service."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import NARROW, Callers, axe_violations, browser, callers, complaints, open_page
from tests.journeys.service import RunningService

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]
NEW = "/marketing/campaigns/new"
STEPS = ("goal", "audience", "arms", "power", "launch")
WITHIN_SECONDS = 120
TEXTS = {
    "en": (
        "Lounge for travellers",
        "Mentioning the lounge sells more travel cards.",
        "Every airport lounge is open to you.",
    ),
    "zh": ("出行客户贵宾厅", "提到贵宾厅会有更多客户办理旅行卡。", "持卡可进入所有机场贵宾厅。"),
}


def next_step(page: Page, step: str) -> None:
    page.locator("[data-next]").click()
    page.wait_for_url(f"**/edit?step={step}")


def a_draft(page: Page, language: str = "en") -> str:
    """Fill in the first step; return the id of the draft, whose audience is being asked for."""
    name, hypothesis, _ = TEXTS[language]
    page.goto(NEW)
    page.locator("#name").fill(name)
    page.locator("#hypothesis").fill(hypothesis)
    next_step(page, "audience")
    return page.url.split("/")[5]


def say_differently(page: Page, language: str = "en") -> None:
    """Let the second arm say something else about the travel card."""
    page.locator('button[value="add:1:words"]').click()
    page.locator("#arm-1-change-0-first").select_option("credit_card_travel")
    page.locator(f"#arm-1-change-0-talk_track_{language}").fill(TEXTS[language][2])


def campaign(service: RunningService, campaign_id: str, more: str = "") -> Any:
    return httpx2.get(f"{service.url}/v1/campaigns/{campaign_id}{more}").json()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_split_runs_within_two_minutes_of_an_empty_form(
    language: str, open_page: Opener, callers: Callers, running_service: RunningService
) -> None:
    page = open_page("/marketing", locale={"en": "en-GB", "zh": "zh-CN"}[language])
    began = time.monotonic()
    page.locator(f'a[href="{NEW}"]').first.click()
    page.wait_for_url(f"**{NEW}")
    campaign_id = a_draft(page, language)
    next_step(page, "arms")
    say_differently(page, language)
    next_step(page, "power")
    next_step(page, "launch")
    page.locator("#launch").click()
    page.wait_for_url(f"**/marketing/campaigns/{campaign_id}/results")
    assert time.monotonic() - began < WITHIN_SECONDS
    found = campaign(running_service, campaign_id)
    assert (found["status"], found["name"]) == ("running", TEXTS[language][0])
    assert found["epochs"][0]["weights"] == {arm["name"]: 0.5 for arm in found["plan"]["arms"]}
    changed = {"offer_id": "credit_card_travel", f"talk_track_{language}": TEXTS[language][2]}
    assert found["plan"]["arms"][1]["treatment"] == {"offers": [changed]}
    callers.call("balance")
    assert campaign(running_service, campaign_id, "/results")["units"]["assigned"] >= 1


@pytest.mark.parametrize(
    ("language", "everybody", "place", "reason", "of_all", "sample"),
    [
        ("en", "Everybody.", "Line 2, column 3:", "the nearest is segment", "of all 600", "Segment Affluent"),
        ("zh", "全部客户。", "第 2 行第 3 列：", "最接近的是 segment", "占全部 600 位", "客群 富裕"),
    ],
)
def test_a_broken_rule_is_shown_under_the_cursor_and_its_audience_once_it_is_mended(
    open_page: Opener, language: str, everybody: str, place: str, reason: str, of_all: str, sample: str
) -> None:  # fmt: skip
    page = open_page(f"/marketing?lang={language}")
    a_draft(page, language)
    rule, check = page.locator("#audience"), page.locator("#audience-check")
    expect(check).to_contain_text(everybody)
    rule.fill("age >= 25 AND\n  segmnt = 'affluent'")
    expect(check).to_contain_text(place)
    expect(check).to_contain_text(reason)
    expect(check.locator(".rule-line mark")).to_have_text("segmnt")
    expect(rule).to_have_attribute("aria-invalid", "true")
    assert rule.get_attribute("aria-describedby") == "audience-check"
    marked = page.locator("[data-mirror] mark").bounding_box()
    caret = rule.evaluate(
        """text => { const box = text.getBoundingClientRect(), style = getComputedStyle(text);
        const letter = document.createElement("canvas").getContext("2d");
        letter.font = `${style.fontSize} ${style.fontFamily}`;
        return { left: box.left + parseFloat(style.borderLeftWidth) + parseFloat(style.paddingLeft),
                 top: box.top + parseFloat(style.borderTopWidth) + parseFloat(style.paddingTop),
                 line: parseFloat(style.lineHeight), letter: letter.measureText("x").width }; }"""
    )
    assert marked is not None
    assert marked["x"] == pytest.approx(caret["left"] + 2 * caret["letter"], abs=2)  # after two letters
    assert caret["top"] + caret["line"] <= marked["y"] + marked["height"] / 2 <= caret["top"] + 2 * caret["line"]
    rule.fill("age >= 25 AND\n  segment = 'affluent'")
    expect(check).to_contain_text(of_all)
    expect(check.locator(".rule-samples li")).to_have_count(3)
    expect(check.locator(".rule-samples li").first).to_contain_text(sample)
    expect(rule).to_have_attribute("aria-invalid", "false")


def test_names_are_inserted_into_the_rule(open_page: Opener) -> None:
    page = open_page("/marketing")
    a_draft(page)
    page.locator(".rule-names summary").click()
    page.locator('[data-insert="age"]').click()
    page.keyboard.type("30")
    page.locator('[data-insert="segment"]').click()
    page.keyboard.type("private")
    page.keyboard.press("End")
    page.locator('[data-insert="vulnerable"]').click()
    expect(page.locator("#audience")).to_have_value("age >= 30 AND segment = 'private' AND vulnerable")
    expect(page.locator("#audience-check")).to_contain_text("0 customers")
    assert page.locator('[data-insert="channel"]').count() == 0  # no customer has one by itself


def test_a_reload_in_the_middle_loses_nothing(open_page: Opener, running_service: RunningService) -> None:
    page = open_page(NEW)
    page.locator("#name").fill("Half a name")
    page.locator('[name="primary"][value="value"]').check()
    page.reload()
    expect(page.locator("#name")).to_have_value("Half a name")
    expect(page.locator('[name="primary"][value="value"]')).to_be_checked()
    campaign_id = a_draft(page)
    page.locator("#audience").fill("age > 40")
    page.reload()
    expect(page.locator("#audience")).to_have_value("age > 40")
    next_step(page, "arms")
    say_differently(page)
    page.locator('button[value="add-arm"]').click()
    expect(page.locator("#arm-2-name")).to_be_focused()
    page.reload()
    expect(page.locator("#arm-1-change-0-talk_track_en")).to_have_value(TEXTS["en"][2])
    expect(page.locator(".arm")).to_have_count(3)
    next_step(page, "power")
    plan = campaign(running_service, campaign_id)["plan"]
    assert (plan["audience"], len(plan["arms"])) == ("age > 40", 3)
    page.goto(NEW)
    expect(page.locator("#name")).to_have_value("")


def test_a_refused_step_keeps_what_was_typed_through_a_reload(open_page: Opener) -> None:
    page = open_page("/marketing")
    a_draft(page)
    page.locator("#audience").fill("agee > 40")
    page.locator("[data-next]").click()
    expect(page.locator("#problems")).to_be_visible()
    expect(page.locator("#audience")).to_have_value("agee > 40")
    page.goto(page.url)
    expect(page.locator("#audience")).to_have_value("agee > 40")


def test_the_agents_view_and_the_split_follow_what_is_typed(open_page: Opener) -> None:
    page = open_page("/marketing")
    a_draft(page)
    next_step(page, "arms")
    say_differently(page)
    expect(page.locator(".sees-card")).to_contain_text(TEXTS["en"][2])
    page.locator("#arm-0-weight").fill("80")
    expect(page.locator("[data-total]")).to_have_text("130 %")
    page.get_by_role("button", name="Equal split").click()
    expect(page.locator("#arm-0-weight")).to_have_value("50")
    expect(page.locator("#arm-1-change-0-talk_track_en")).to_have_value(TEXTS["en"][2])


def test_another_length_is_sized_at_once_and_drawn(open_page: Opener, running_service: RunningService) -> None:
    page = open_page("/marketing")
    campaign_id = a_draft(page)
    next_step(page, "arms")
    say_differently(page)
    next_step(page, "power")
    expect(page.locator("#underpowered")).to_contain_text("you want 1 point.")
    expect(page.locator("#power svg").first).to_be_visible()
    page.locator("#smallest_effect").fill("90")
    page.locator("#smallest_effect").blur()
    expect(page.locator(".banner-good")).to_contain_text("Large enough")
    page.get_by_label("12 weeks").check()
    expect(page.locator(".duration:has(:checked)")).to_contain_text("12 weeks")
    wanted = int(page.get_by_label("12 weeks").get_attribute("value") or 0)
    next_step(page, "launch")
    plan = campaign(running_service, campaign_id)["plan"]
    assert (plan["smallest_effect"], plan["planned_units"]) == (0.9, wanted)


def test_a_running_campaign_is_paused_from_the_list_after_a_question(
    open_page: Opener, running_service: RunningService
) -> None:
    page = open_page("/marketing")
    campaign_id = a_draft(page)
    for action in ("approve", "start"):
        assert httpx2.post(f"{running_service.url}/v1/campaigns/{campaign_id}/{action}").status_code == 200
    page.goto("/marketing")
    row = page.locator(f"#row-{campaign_id}")
    expect(row.locator("progress")).to_be_visible()
    row.get_by_role("button", name="Pause").first.click()
    dialog = page.locator(f"#pause-{campaign_id}")
    expect(dialog).to_contain_text("It takes in nobody")
    page.keyboard.press("Escape")
    assert campaign(running_service, campaign_id)["status"] == "running"
    row.get_by_role("button", name="Pause").first.click()
    dialog.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").first).to_contain_text("Paused.")
    assert campaign(running_service, campaign_id)["status"] == "paused"


def test_an_approver_starts_what_a_marketer_drafted(open_page: Opener, running_service: RunningService) -> None:
    mei, ines = open_page("/sign-in?next=/marketing"), open_page("/sign-in?next=/marketing")
    mei.get_by_role("button", name="Mei").click()
    campaign_id = a_draft(mei)
    mei.goto(f"/marketing/campaigns/{campaign_id}/edit?step=launch")
    expect(mei.locator("#second-person")).to_contain_text("Waiting for a second person.")
    expect(mei.locator("#launch")).to_have_count(0)
    link = mei.locator(".share-link input").input_value()
    ines.get_by_role("button", name="Ines").click()
    expect(ines.get_by_role("link", name="New campaign")).to_have_count(0)
    ines.goto(link)
    ines.get_by_role("button", name="Approve and start").click()
    ines.wait_for_url("**/results")
    found = campaign(running_service, campaign_id)
    assert (found["author"], found["approver"], found["status"]) == ("mei", "ines", "running")


def test_a_row_says_when_its_results_cannot_be_had(open_page: Opener, running_service: RunningService) -> None:
    page = open_page("/marketing")
    campaign_id = a_draft(page)
    for action in ("approve", "start"):
        httpx2.post(f"{running_service.url}/v1/campaigns/{campaign_id}/{action}")
    page.route("**/health", lambda route: route.abort())
    page.goto("/marketing")
    expect(page.locator(f"#row-{campaign_id}")).to_contain_text("Results cannot be read now")


def test_the_first_step_needs_no_pointer(open_page: Opener) -> None:
    page = open_page(NEW)
    page.keyboard.type(TEXTS["en"][0])
    page.keyboard.press("Tab")
    page.keyboard.type(TEXTS["en"][1])
    page.locator("#name").press("Enter")
    page.wait_for_url("**/edit?step=audience")
    expect(page.locator("h1")).to_have_text(TEXTS["en"][0])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_of_campaigns_has_a_serious_accessibility_problem(
    theme: str, language: str, open_page: Opener, complaints: list[str]
) -> None:
    page = open_page(f"/marketing?lang={language}", color_scheme=theme)
    problems = axe_violations(page)
    page.goto(NEW)
    problems += axe_violations(page)
    campaign_id = a_draft(page, language)
    page.locator("#audience").fill("agee > 1")
    expect(page.locator("[data-fault]")).to_be_visible()
    problems += axe_violations(page)
    page.goto(f"/marketing/campaigns/{campaign_id}/edit?step=arms")
    say_differently(page, language)
    for count, kind in enumerate(("lever", "add", "terms", "remove"), 2):
        page.locator(f'button[value="add:1:{kind}"]').click()
        expect(page.locator(".change")).to_have_count(count)
    problems += axe_violations(page)
    for path in ("/edit?step=power", "/edit?step=launch", ""):
        page.goto(f"/marketing/campaigns/{campaign_id}{path}")
        problems += axe_violations(page)
    assert problems == []
    assert complaints == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_of_campaigns_fits_320_pixels(language: str, open_page: Opener) -> None:
    page = open_page(f"/marketing?lang={language}", viewport=NARROW)
    campaign_id = a_draft(page, language)
    paths = ["/marketing", NEW, *(f"/marketing/campaigns/{campaign_id}/edit?step={step}" for step in STEPS)]
    widths = {}
    for path in [*paths, f"/marketing/campaigns/{campaign_id}"]:
        page.goto(path)
        if path.endswith("step=arms"):
            say_differently(page, language)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    assert set(widths.values()) == {320}, widths
