"""The console by keyboard alone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import (
    Callers,
    browser,
    callers,
    complaints,
    open_page,
    three_offers,
    three_offers_with_must_say_first,
    titles,
)

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]


def test_an_agent_picks_up_a_waiting_contact_with_the_keyboard(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page("/agent")
    walk_to(page, contact_id)
    page.keyboard.press("Enter")
    expect(page.locator(".offer")).to_have_count(3)
    expect(page.locator("#customer-name")).not_to_be_empty()
    assert callers.view(contact_id)["contact"]["status"] == "live"


def test_accepting_needs_the_must_say_text_to_be_read_out(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers_with_must_say_first)
    page = open_page(f"/agent/contacts/{contact_id}")
    accepted = titles(page)[0]
    page.keyboard.press("1")
    page.keyboard.press("a")
    expect(page.locator(".answer-state").first).to_contain_text("Read the must-say text")
    page.keyboard.press("r")
    page.keyboard.press("a")
    expect(page.locator("#notice")).to_have_text(f"Accepted: {accepted}. Saved.")
    answer = callers.view(contact_id)["customer"]["answers"][0]
    assert (answer["title"], answer["answer"]) == (accepted, "accepted")


def test_declining_takes_two_keys_and_says_what_it_changes(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}")
    declined = titles(page)[1]
    page.keyboard.press("2")
    page.keyboard.press("d")
    reasons = page.locator('.offer[data-position="2"] [data-reasons]')
    expect(reasons).to_be_visible()
    expect(reasons).to_contain_text("It will not be suggested to this customer for 30 days.")
    page.keyboard.press("1")
    expect(page.locator("#notice")).to_have_text(f"Declined: {declined}. Saved.")
    assert declined not in titles(page)


def test_letter_keys_can_be_switched_off(callers: Callers, open_page: Opener) -> None:
    page = open_page(f"/agent/contacts/{callers.call('loan_enquiry', three_offers)}")
    page.keyboard.press("?")
    page.get_by_label("Single-letter keys are on").uncheck()
    page.get_by_role("button", name="Close", exact=True).click()
    page.locator(".offer").first.focus()
    page.keyboard.press("l")
    page.keyboard.press("d")
    expect(page.locator("[data-reasons]").first).to_be_hidden()
    expect(page.locator("#notice")).to_be_hidden()


def test_letter_keys_act_only_with_focus_in_a_card(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    before = callers.view(contact_id)["customer"]["answers"]
    page = open_page(f"/agent/contacts/{contact_id}")
    for key in "aldprnw":
        page.keyboard.press(key)
    page.locator("#why-not-query").focus()
    page.keyboard.type("aldprw")
    expect(page.locator("#why-not-query")).to_have_value("aldprw")
    expect(page.locator("#wrap-up")).to_be_hidden()
    expect(page.locator("[data-reasons]").first).to_be_hidden()
    expect(page.locator('[aria-pressed="true"]')).to_have_count(0)
    assert callers.view(contact_id)["customer"]["answers"] == before


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en-GB", ("Accepted", "Maybe later", "Declined", "The contact is closed.")),
        ("zh-CN", ("接受", "以后再说", "拒绝", "联系已结束。")),
    ],
)
def test_three_contacts_are_answered_and_wrapped_up_by_keyboard_alone(
    locale: str, said: tuple[str, ...], callers: Callers, open_page: Opener
) -> None:
    *answers, closed = said
    contacts = [callers.call("loan_enquiry", three_offers) for _ in answers]
    page = open_page("/agent", locale=locale)
    for contact_id, answer, keys in zip(contacts, answers, ("ra", "l", "d3"), strict=True):
        walk_to(page, contact_id)
        page.keyboard.press("Enter")
        page.locator("html[data-ready]").wait_for(state="attached")
        page.keyboard.press("1")
        for key in keys:
            page.keyboard.press(key)
        expect(page.locator("#notice")).to_contain_text(f"{answer}")
        page.keyboard.press("w")
        page.keyboard.press("5")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text=closed)).to_be_visible()
        contact = callers.view(contact_id)["contact"]
        assert (contact["status"], contact["csat"]) == ("closed", 5)
    given = [callers.view(one)["customer"]["answers"][0]["answer"] for one in contacts]
    assert given == ["accepted", "later", "declined"]


def walk_to(page: Page, contact_id: str) -> None:
    """Press the arrow until the contact's row has the focus."""
    mine = page.locator(f'form[action*="{contact_id}"] button')
    expect(page.locator("[data-queue-action]").first).to_be_focused()
    while not mine.evaluate("button => button === document.activeElement"):
        page.keyboard.press("ArrowDown")
