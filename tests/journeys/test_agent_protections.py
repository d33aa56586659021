"""What protects a customer, told by the agent with the keyboard alone; the cards follow at once, on every screen."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recsys.domain.protection import FLAGS, UNREADABLE, Statement
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
    tab_to,
    three_offers,
)
from tests.journeys.service import RunningService, serving

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]
THEN = datetime(2026, 1, 5, tzinfo=UTC)
SALES = ".offer:not(.offer-service)"
SAVED = {"en": "Saved. The list is decided anew.", "zh": "已保存，推荐已重新生成。"}


@pytest.fixture(scope="module")
def running_service(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A copy of the demo bank being served, whose customers these tests may protect."""
    home = tmp_path_factory.mktemp("protections") / "home"
    shutil.copytree(demo_home, home, ignore=shutil.ignore_patterns("address", "pid", "*.sock"))
    with serving(home) as service:
        yield service


@pytest.fixture
def unread(running_service: RunningService, callers: Callers) -> Callable[[], str]:
    """Opens a contact of a customer of whom the last import left something unread."""

    def opened() -> str:
        contact_id = callers.call("card_enquiry", three_offers)
        customer_id = str(callers.view(contact_id)["customer"]["customer_id"])
        database = open_database(Settings(home=running_service.home).event_log_url)
        with database.transaction(customer_id) as log:
            said = Statement(f"{UNREADABLE}/1", True, None, THEN, "customers.csv", why="arrears: “mabye”")
            log.add_statement(customer_id, said)
        database.close()
        callers.hear(contact_id, type="note", text="decide anew")
        return contact_id

    return opened


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_agent_ends_the_unreadable_and_sets_do_not_contact_by_keyboard_alone_and_the_cards_change(
    language: str, unread: Callable[[], str], open_page: Opener, callers: Callers, complaints: list[str]
) -> None:
    contact_id = unread()
    page = open_page(f"/agent/contacts/{contact_id}?lang={language}")
    other = open_page(f"/agent/contacts/{contact_id}?lang={language}")
    unreadable = page.locator("#flag-protection_unreadable")
    expect(unreadable).to_contain_text(FLAGS["protection_unreadable"].label[language == "zh"])
    expect(unreadable).to_contain_text("mabye")
    expect(page.locator(SALES)).to_have_count(0)

    tab_to(page, "[data-open=checked]")
    page.keyboard.press("Enter")
    tab_to(page, "#checked [name=found]")
    page.keyboard.press("Space")
    tab_to(page, "#checked-why")
    page.keyboard.press("Enter")  # without a reason nothing is sent
    expect(page.locator("#checked")).to_be_visible()
    page.keyboard.type("Their file has no mark")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text(SAVED[language])
    expect(unreadable).to_have_count(0)
    expect(page.locator(SALES).first).to_be_visible()
    expect(other.locator(SALES).first).to_be_visible()

    page.keyboard.press("f")
    expect(page.locator("#protect-statement")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Said so on the phone")
    page.keyboard.press("Enter")
    for screen in (page, other):
        expect(screen.locator("#flag-do_not_contact")).to_contain_text("Said so on the phone")
        expect(screen.locator("#sales-stop")).to_be_visible()
        expect(screen.locator(SALES)).to_have_count(0)
    assert callers.view(contact_id)["customer"]["do_not_contact"] is True
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_flags_and_their_dialogs_are_accessible_and_fit_320_pixels(
    language: str, theme: str, unread: Callable[[], str], open_page: Opener
) -> None:
    contact_id = unread()
    page = open_page(f"/agent/contacts/{contact_id}?lang={language}", viewport=NARROW, color_scheme=theme)
    page.keyboard.press("f")
    page.locator("#protect-statement").select_option("vulnerable true")
    page.locator("#protect-why").fill("Recently bereaved")
    page.keyboard.press("Enter")
    expect(page.locator("#flag-vulnerable")).to_be_visible()
    problems = axe_violations(page)
    for opener in ("#flag-vulnerable [data-open]", "[data-open=checked]"):
        page.locator(opener).click()
        problems += axe_violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
        page.keyboard.press("Escape")
    assert problems == []
    page.locator("#flag-vulnerable [data-open]").click()
    expect(page.locator("#protect-statement")).to_have_value("vulnerable false")
    expect(page.locator("#protect-why")).to_be_focused()


def test_what_was_typed_stays_when_it_cannot_be_saved(unread: Callable[[], str], open_page: Opener) -> None:
    page = open_page(f"/agent/contacts/{unread()}?lang=en")
    page.locator("[data-open=checked]").click()
    page.locator("#checked [value=something]").check()
    page.locator("#checked-why").fill("Looked it up")
    page.keyboard.press("Enter")
    expect(page.locator("#checked [role=alert]")).to_contain_text("Say what you found")
    expect(page.locator("#checked-why")).to_have_value("Looked it up")
    page.context.set_offline(True)
    page.locator("#checked [value=arrears]").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#checked [role=alert]")).to_contain_text("no connection")
    page.context.set_offline(False)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#flag-arrears")).to_contain_text("Looked it up")
    expect(page.locator("#flag-protection_unreadable")).to_have_count(0)
