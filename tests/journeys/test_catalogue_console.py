"""A marketer's work on the catalogue, in a real browser against the real service."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import NARROW, Callers, axe_violations, browser, callers, complaints, open_page
from tests.journeys.service import RunningService, serving

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]

CATALOGUE = "/marketing/catalogue"
WORDS = {
    "en": {
        "review": "Review changes",
        "what_if": "What would this change?",
        "save": "Save",
        "place": "Line 2, column 5:",
        "first": "Suggested, place 1",
        "saved": "Saved. Catalogue",
        "everybody": "All 600 customers",
    },
    "zh": {
        "review": "检查更改",
        "what_if": "此更改的影响",
        "save": "保存",
        "place": "第 2 行第 5 列：",
        "first": "会推荐，第 1 位",
        "saved": "已保存。目录版本",
        "everybody": "覆盖全部 600 位客户",
    },
}


@pytest.fixture(scope="module")
def running_service(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A copy of the demo bank being served, whose offers these tests may change."""
    home = tmp_path_factory.mktemp("catalogue") / "home"
    shutil.copytree(demo_home, home, ignore=shutil.ignore_patterns("address", "pid", "*.sock"))
    with serving(home) as service:
        yield service


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def refusals_alone(complaints: list[str]) -> list[str]:
    """What the browser complained about beside the forms that were refused, as a browser notes each of them."""
    return [one for one in complaints if "status of 422" not in one and "status of 409" not in one]


@pytest.mark.parametrize(("language", "offer_id"), [("en", "home_insurance"), ("zh", "gold_saving")])
def test_an_offer_is_mended_previewed_tried_and_saved_and_the_next_decision_uses_it(
    language: str, offer_id: str, open_page: Opener, callers: Callers, complaints: list[str]
) -> None:
    words = WORDS[language]
    page = open_page(f"{CATALOGUE}/{offer_id}?lang={language}")
    title = f"Better {language}"
    page.locator("#title_en").fill(title)
    page.locator("#title_zh").fill(title)
    page.locator("#margin").fill(margin := {"en": "9000", "zh": "90000"}[language])
    page.locator("[name=repeatable]").check()
    page.locator("#eligibility").fill("age >= 18\nAND segmnt = 'mass'")
    expect(page.locator(".rule-bad")).to_contain_text(words["place"])
    press(page, words["review"])
    expect(page.locator(".verdict-bad")).to_contain_text(words["place"])
    expect(page.locator(".verdict-bad")).to_be_focused()
    expect(page.locator(".rule-line mark").first).to_have_text("segmnt")
    expect(page.locator("#title_en")).to_have_value(title)
    expect(page.locator("#margin")).to_have_value(margin)

    page.locator("#eligibility").fill("age >= 18")
    expect(page.locator(".rule-good")).to_be_visible()
    expect(page.locator("#preview-body .offer h3")).to_have_text(title)
    expect(page.locator("#preview-body")).to_contain_text(words["first"])
    press(page, words["what_if"])
    expect(page.locator(".what-if-answer")).to_contain_text(words["everybody"], timeout=60_000)
    expect(page.locator(".what-if-offers tbody tr").first).to_contain_text(title)
    expect(page.locator("[data-running]")).to_be_hidden()

    press(page, words["review"])
    expect(page.locator(".changes")).to_contain_text(f"¥{int(margin):,}")
    press(page, words["save"])
    expect(page.locator(".notice")).to_contain_text(words["saved"])
    contact = callers.call("balance", lambda decision: first_is(decision, offer_id))
    assert callers.view(contact)["decision"]["offers"][0]["title"] == title
    assert refusals_alone(complaints) == []


def first_is(decision: Any, offer_id: str) -> bool:
    return bool(decision["offers"]) and decision["offers"][0]["offer_id"] == offer_id


def test_the_preview_follows_what_is_typed_and_for_whom(open_page: Opener) -> None:
    page = open_page(f"{CATALOGUE}/travel_insurance")
    expect(page.locator("#preview-body .offer h3")).to_be_visible()
    page.locator("#disclosure_en").fill("This must be said.")
    expect(page.locator("#preview-body")).to_contain_text("This must be said.")
    page.locator("#eligibility").fill("age > 200")
    expect(page.locator("#preview-body")).to_contain_text("Held back: The customer does not meet the conditions")
    samples = page.locator("[data-sample]")
    samples.nth(1).click()
    expect(page.locator("#preview_customer")).to_have_value(samples.nth(1).get_attribute("data-sample") or "")
    expect(samples.nth(1)).to_have_attribute("aria-pressed", "true")
    page.locator("#preview_customer").fill("C00001")
    expect(page.locator("#preview-customers option")).to_have_count(10)
    expect(page.locator("#preview-body")).to_contain_text("No customer has this id")


def test_terms_are_added_marked_while_they_are_typed_and_removed(open_page: Opener) -> None:
    page = open_page(f"{CATALOGUE}/travel_insurance")
    rows = page.locator("[data-terms] [data-term]")
    count = rows.count()
    press(page, "Add a term")
    expect(rows).to_have_count(count + 1)
    added = rows.nth(count)
    expect(added.locator("[name=term_name]")).to_be_focused()
    added.locator("[name=term_name]").fill("extra_cny")
    added.locator("[name=term_rule]").fill("LEAST(5, agge)")
    expect(added.locator(".problem")).to_contain_text("Line 1, column 10: A name that is not known; the nearest is age")
    added.locator("[name=term_rule]").fill("LEAST(5, age)")
    expect(added.locator(".problem")).to_have_count(0)
    expect(page.locator("#preview-body .terms")).to_contain_text("Extra ¥5")
    added.locator("[data-remove-term]").click()
    expect(rows).to_have_count(count)
    expect(page.locator("#preview-body .terms")).not_to_contain_text("Extra")


def test_two_marketers_do_not_overwrite_each_other(open_page: Opener) -> None:
    mine, theirs = open_page(f"{CATALOGUE}/car_loan"), open_page(f"{CATALOGUE}/car_loan")
    mine.locator("#margin").fill("801")
    theirs.locator("#family").fill("vehicles")
    press(theirs, "Review changes")
    press(theirs, "Save")
    expect(theirs.locator(".notice")).to_contain_text("Saved.")
    press(mine, "Review changes")
    expect(mine.locator(".verdict-warn")).to_contain_text("Somebody else changed this offer meanwhile")
    expect(mine.locator(".verdict-warn .changes")).to_contain_text("vehicles")
    expect(mine.locator("#margin")).to_have_value("801")


def test_a_review_is_none_any_more_once_something_else_is_typed(open_page: Opener) -> None:
    page = open_page(f"{CATALOGUE}/car_loan")
    page.locator("#margin").fill("802")
    press(page, "Review changes")
    expect(page.locator("[data-review]")).to_contain_text("¥802")
    page.locator("#margin").fill("803")
    expect(page.locator("[data-review]")).to_have_count(0)


def test_offers_are_found_while_typing_and_the_address_keeps_it(open_page: Opener) -> None:
    page = open_page(CATALOGUE)
    page.locator("[name=q]").fill("mortgage")
    expect(page.locator(".filter-found")).to_contain_text("of")
    for title in page.locator(".offer-link").all_inner_texts():
        assert "ortgage" in title or "home" in title.lower()
    page.locator("select[name=kind]").select_option("retention")
    expect(page.locator(".offer-link")).to_have_text(["Mortgage rate review"])
    page.reload()
    expect(page.locator(".offer-link")).to_have_text(["Mortgage rate review"])
    page.locator(".offer-link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mortgage rate review")


def test_the_page_says_when_the_service_does_not_answer_a_what_if(open_page: Opener) -> None:
    page = open_page(f"{CATALOGUE}/car_loan")
    page.route("**/what-if", lambda route: route.abort())
    press(page, "What would this change?")
    expect(page.locator("[data-what-if-failed]")).to_contain_text("The answer did not come")
    expect(page.locator("[data-running]")).to_be_hidden()
    page.unroute("**/what-if")
    press(page, "What would this change?")
    expect(page.locator(".what-if-answer")).to_contain_text("Nobody would see another list.", timeout=60_000)
    expect(page.locator("[data-what-if-failed]")).to_be_hidden()


def test_levers_and_limits_are_tried_from_a_page_of_their_own(open_page: Opener, complaints: list[str]) -> None:
    page = open_page(f"{CATALOGUE}/levers")
    page.get_by_label("Loan", exact=True).fill("0")
    press(page, "What would this change?")
    expect(page.locator(".what-if-answer")).to_contain_text("of customers would see another list", timeout=60_000)
    expect(page.locator("#what-if-chart svg").first).to_be_visible()
    expect(page.locator(".what-if-offers tbody tr").first).to_contain_text("loan")
    assert axe_violations(page) == []
    assert refusals_alone(complaints) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pages_have_no_serious_accessibility_problem(
    theme: str, language: str, open_page: Opener, complaints: list[str]
) -> None:
    words = WORDS[language]
    page = open_page(f"{CATALOGUE}?lang={language}", color_scheme=theme)
    problems = axe_violations(page)
    page.goto(f"{CATALOGUE}/new")
    problems += axe_violations(page)
    page.goto(f"{CATALOGUE}/personal_loan")
    page.locator("#margin").fill("many")
    page.locator("[name=term_rule]").first.fill("agge")
    press(page, words["review"])
    expect(page.locator(".problem").first).to_be_visible()
    problems += axe_violations(page)
    page.locator("#margin").fill("5")
    page.locator("[name=term_rule]").first.fill("1")
    expect(page.locator("#preview-body .offer")).to_be_visible()
    press(page, words["what_if"])
    expect(page.locator(".what-if-answer")).to_be_visible(timeout=60_000)
    problems += axe_violations(page)
    press(page, words["review"])
    expect(page.locator("[data-review]")).to_be_visible()
    assert problems + axe_violations(page) == []
    assert refusals_alone(complaints) == []


def width(page: Page) -> int:
    """How wide the page is once its style sheets are there."""
    page.wait_for_load_state("load")
    return int(page.evaluate("document.documentElement.scrollWidth"))


def test_the_pages_fit_320_pixels(open_page: Opener) -> None:
    page = open_page(CATALOGUE, viewport=NARROW)
    widths = [width(page)]
    page.goto(f"{CATALOGUE}/levers")
    widths.append(width(page))
    page.goto(f"{CATALOGUE}/personal_loan")
    page.locator("#margin").fill("5")
    press(page, "What would this change?")
    expect(page.locator(".what-if-answer")).to_be_visible(timeout=60_000)
    widths.append(width(page))
    press(page, "Review changes")
    expect(page.locator("[data-review]")).to_be_visible()
    widths.append(width(page))
    assert widths == [320] * 4


def test_saving_works_without_script(open_page: Opener, running_service: RunningService) -> None:
    page = open_page(f"{CATALOGUE}/roaming_data", java_script_enabled=False)
    page.locator("#margin").fill("41")
    press(page, "Review changes")
    press(page, "Save")
    expect(page.locator(".notice")).to_contain_text("Saved.")
    offers = httpx2.get(f"{running_service.url}/v1/offers").json()["offers"]
    assert next(one["margin"] for one in offers if one["offer_id"] == "roaming_data") == 41
