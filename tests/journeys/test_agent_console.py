"""An agent's day at the console, in a real browser against the real service."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import NARROW, Callers, axe_violations, browser, callers, complaints, open_page
from tests.journeys.service import RunningService

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]


def titles(page: Page) -> list[str]:
    return page.locator(".offer h3").all_inner_texts()


def three_offers(decision: Any) -> bool:
    return len(decision["offers"]) == 3


def three_offers_with_must_say_first(decision: Any) -> bool:
    return three_offers(decision) and bool(decision["offers"][0]["disclosure"])


def test_an_agent_picks_up_a_waiting_contact_with_the_keyboard(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page("/agent")
    mine = page.locator(f'form[action*="{contact_id}"] button')
    expect(page.locator("[data-queue-action]").first).to_be_focused()
    while not mine.evaluate("button => button === document.activeElement"):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".offer")).to_have_count(3)
    expect(page.locator("#customer-name")).not_to_be_empty()
    assert callers.view(contact_id)["contact"]["status"] == "live"


def test_an_intent_reaches_the_open_page_and_changes_the_list(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("balance", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}")
    before = titles(page)
    after = callers.hear_until_the_list_changes(contact_id)
    expect(page.locator("#heard")).to_contain_text("Travel")
    expect(page.locator(".offer h3")).to_have_text(after)
    assert before != after


def test_the_card_in_use_never_moves_and_a_pill_waits(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
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
    assert accepted not in titles(page)
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


def test_an_unsent_answer_survives_a_killed_service(
    callers: Callers, open_page: Opener, running_service: RunningService
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}")
    answered = titles(page)[0]
    running_service.kill()
    page.keyboard.press("1")
    page.keyboard.press("l")
    expect(page.locator("#connection")).to_contain_text("Waiting to be sent: 1")
    running_service.start()
    expect(page.locator("#notice")).to_have_text(f"Maybe later: {answered}. Saved.", timeout=15_000)
    expect(page.locator("#connection")).to_be_hidden()
    assert [one["answer"] for one in callers.view(contact_id)["customer"]["answers"][:1]] == ["later"]


def test_the_queue_says_when_it_may_be_old(open_page: Opener) -> None:
    page = open_page("/agent")
    page.route("**/agent/queue", lambda route: route.abort())
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    page.unroute("**/agent/queue")
    expect(page.locator("#connection")).to_be_hidden()


def test_an_unsent_answer_survives_a_reload(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}")
    answered = titles(page)[0]
    page.route("**/answers", lambda route: route.abort())
    page.keyboard.press("1")
    page.keyboard.press("l")
    expect(page.locator("#connection")).to_contain_text("Waiting to be sent: 1")
    page.unroute("**/answers")
    page.reload()
    expect(page.locator("#notice")).to_have_text(f"Maybe later: {answered}. Saved.")


def test_a_complaint_puts_service_first_and_says_why_sales_wait(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("complaint")
    page = open_page(f"/agent/contacts/{contact_id}")
    expect(page.locator("#sales-stop")).to_contain_text("Sales offers are held back")
    expect(page.locator(".offer").first).to_contain_text("Service")


def test_why_not_answers_for_any_offer(callers: Callers, open_page: Opener) -> None:
    page = open_page(f"/agent/contacts/{callers.call('complaint')}")
    page.keyboard.press("/")
    page.keyboard.type("mortgage")
    expect(page.locator(".why-not-list li").first).to_contain_text("A complaint is open")


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


def test_wrapping_up_closes_the_contact_and_returns_to_the_queue(callers: Callers, open_page: Opener) -> None:
    contact_id = callers.call("balance")
    page = open_page(f"/agent/contacts/{contact_id}")
    page.get_by_role("button", name="Wrap up").click()
    page.get_by_text("4 – Satisfied").check(force=True)
    page.get_by_label("Summary").fill("Explained the fee.")
    page.get_by_role("button", name="Close the contact").click()
    expect(page.get_by_role("status")).to_have_text("The contact is closed.")
    contact = callers.view(contact_id)["contact"]
    assert (contact["status"], contact["csat"]) == ("closed", 4)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pages_have_no_serious_accessibility_problem(
    theme: str, language: str, callers: Callers, open_page: Opener
) -> None:
    contact_id = callers.call("card_declined", three_offers)
    queue = open_page(f"/agent?lang={language}", color_scheme=theme)
    problems = axe_violations(queue)
    queue.goto(f"/agent/contacts/{contact_id}")
    queue.keyboard.press("1")
    assert problems + axe_violations(queue) == []


def test_the_contact_fits_a_crm_sidebar_of_320_pixels(callers: Callers, open_page: Opener) -> None:
    page = open_page(f"/agent/contacts/{callers.call('loan_enquiry', three_offers)}", viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert axe_violations(page) == []


@pytest.mark.parametrize("path", ["/", "/marketing", "/science"])
def test_every_console_opens_without_a_complaint_or_a_foreign_address(
    path: str, open_page: Opener, complaints: list[str], running_service: RunningService
) -> None:
    page = open_page("/agent")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(path)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    assert complaints == []
    assert [one for one in addresses if not one.startswith((running_service.url, "data:"))] == []
    assert axe_violations(page) == []


def test_the_api_reference_is_drawn_from_our_own_server_alone(
    open_page: Opener, complaints: list[str], running_service: RunningService
) -> None:
    page = open_page("/agent")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.goto("/docs")
    expect(page.get_by_text("/v1/outcomes").first).to_be_visible()
    assert complaints == []
    assert [one for one in addresses if not one.startswith((running_service.url, "data:"))] == []
