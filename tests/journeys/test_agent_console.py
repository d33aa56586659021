"""An agent's day at the console, in a real browser against the real service."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

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
from tests.journeys.service import RunningService

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]


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
    page.keyboard.press("1")
    page.keyboard.press("d")
    expect(page.locator("[data-reasons]").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320


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
