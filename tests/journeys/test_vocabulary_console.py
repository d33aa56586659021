"""An approver's work on the vocabulary, in a real browser against the real service."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recsys.storage.database import open_database
from serving.settings import Settings
from tests.journeys.agent_page import (
    NARROW,
    Callers,
    axe_violations,
    browser,
    callers,
    complaints,
    open_page,
    three_offers,
)
from tests.journeys.service import RunningService, serving

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]
PAGE = "/marketing/vocabulary"
SALES = ".offer:not(.offer-service)"
SAVED = {"en": "Saved, in force from the next decision on.", "zh": "已保存，自下一次决策起生效。"}


@pytest.fixture(scope="module")
def running_service(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A copy of the demo bank being served, whose words these tests may change."""
    home = tmp_path_factory.mktemp("vocabulary") / "home"
    shutil.copytree(demo_home, home, ignore=shutil.ignore_patterns("address", "pid", "*.sock"))
    database = open_database(Settings(home=home).event_log_url)
    words = {("reason", "branch closed"): 412, ("reason", "网点关闭"): 90, ("channel", "telefone"): 7}
    with database.transaction() as log:
        log.note_unknown_words(words, datetime(2026, 1, 5, tzinfo=UTC))
    database.close()
    with serving(home) as service:
        yield service


@pytest.mark.parametrize(("language", "word"), [("en", "branch closed"), ("zh", "网点关闭")])
def test_a_word_that_an_approver_calls_a_complaint_stops_sales_in_the_next_contact(
    language: str, word: str, open_page: Opener, callers: Callers, complaints: list[str]
) -> None:
    before = open_page(f"/agent/contacts/{callers.call(word, three_offers)}?lang={language}")
    expect(before.locator(SALES).first).to_be_visible()
    page = open_page(f"{PAGE}?lang={language}")
    meaning = page.locator("li", has=page.locator(f'[name=word][value="{word}"]'))
    meaning.locator("[value=complaint][type=radio]").check()
    meaning.locator("[name=days]").fill("soon")
    meaning.locator("button").click()
    expect(meaning.get_by_role("alert")).to_contain_text("3650")
    expect(meaning.locator("[name=days]")).to_have_value("soon")
    meaning.locator("[name=days]").fill("60")
    meaning.locator("button").click()
    expect(page.get_by_role("status")).to_contain_text(SAVED[language])
    expect(meaning).to_have_count(0)
    after = open_page(f"/agent/contacts/{callers.call(word)}?lang={language}")
    expect(after.locator("#sales-stop")).to_be_visible()
    expect(after.locator(SALES)).to_have_count(0)
    assert [one for one in complaints if "status of 422" not in one] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_words_nobody_knows_are_accessible_and_fit_320_pixels(language: str, theme: str, open_page: Opener) -> None:
    page = open_page(f"{PAGE}?lang={language}", viewport=NARROW, color_scheme=theme)
    expect(page.locator('[name=word][value="telefone"]')).to_have_count(1)
    assert axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


def test_a_channel_that_an_approver_adds_can_be_chosen_for_offers_and_campaigns(
    open_page: Opener, running_service: RunningService
) -> None:
    page = open_page(f"{PAGE}?lang=en")
    page.get_by_role("link", name="Add a channel").click()
    page.get_by_label("Label, English").fill("Letter")
    page.get_by_label("Your bank's own spellings").fill("post\nphone")
    page.get_by_role("button", name="Save as a new policy version").click()
    expect(page.locator("#spellings-problem")).to_contain_text("phone")
    expect(page.get_by_label("Label, English")).to_have_value("Letter")
    page.get_by_label("Your bank's own spellings").fill("post")
    page.get_by_role("button", name="Save as a new policy version").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    page.goto("/marketing/catalogue/home_insurance")
    page.get_by_label("Letter", exact=True).check()
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".notice")).to_contain_text("Saved. Catalogue")
    page.goto("/marketing/catalogue?q=home_insurance")
    expect(page.locator("#offers")).to_contain_text("Letter")
