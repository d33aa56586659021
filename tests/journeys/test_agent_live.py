"""What arrives while the agent works: at once where nobody is busy, behind a pill where somebody is."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import Callers, browser, callers, complaints, open_page, titles

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]


def test_an_intent_reaches_the_open_page_and_changes_the_list(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call_for_a_list_that_can_change("balance")
    page = open_page(f"/agent/contacts/{contact_id}")
    before = titles(page)
    after = callers.hear_until_the_list_changes(contact_id)
    expect(page.locator("#heard")).to_contain_text("Travel")
    expect(page.locator(".offer h3")).to_have_text(after)
    assert before != after


def test_the_card_in_use_never_moves_and_a_pill_waits(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call_for_a_list_that_can_change("loan_enquiry")
    page = open_page(f"/agent/contacts/{contact_id}")
    before, place = titles(page), page.locator(".offer").first.bounding_box()
    page.keyboard.press("1")
    callers.hear(contact_id, type="sentiment", sentiment=0.9)
    after = callers.hear_until_the_list_changes(contact_id)
    expect(page.locator("#pill")).to_be_visible()
    expect(page.locator(".mood")).to_contain_text("Glad")
    assert (titles(page), page.locator(".offer").first.bounding_box()) == (before, place)
    page.keyboard.press("n")
    expect(page.locator(".offer h3")).to_have_text(after)
    expect(page.locator("#pill")).to_be_hidden()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_reason_half_chosen_keeps_its_focus_while_suggestions_arrive(
    locale: str, callers: Callers, open_page: Opener
) -> None:
    contact_id = callers.call_for_a_list_that_can_change("loan_enquiry")
    page = open_page(f"/agent/contacts/{contact_id}", locale=locale)
    declined = callers.view(contact_id)["decision"]["offers"][1]["offer_id"]
    page.keyboard.press("2")
    page.keyboard.press("d")
    page.keyboard.press("Tab")
    second = page.locator('.offer[data-position="2"] [name="reason"]').nth(1)
    expect(second).to_be_focused()
    callers.hear_until_the_list_changes(contact_id)
    expect(page.locator("#pill")).to_be_visible()
    expect(page.locator("#heard .chip").first).to_be_visible()
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_be_visible()
    expect(page.locator("#pill")).to_be_hidden()
    answer = callers.view(contact_id)["customer"]["answers"][0]
    assert (answer["offer_id"], answer["answer"]) == (declined, "declined")
