"""Connections lost and services killed while an agent works."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import Callers, browser, callers, complaints, open_page, three_offers, titles
from tests.journeys.service import RunningService

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]


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


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_killed_service_costs_neither_the_answer_nor_an_event(
    locale: str, callers: Callers, open_page: Opener, running_service: RunningService
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}", locale=locale)
    before = callers.view(contact_id)["customer"]["answers"]
    running_service.kill()
    page.keyboard.press("1")
    page.keyboard.press("l")
    expect(page.locator("#connection [data-unsent]")).to_contain_text("1")
    running_service.start()
    for intent in ("travel", "mortgage", "insurance"):
        callers.hear(contact_id, type="intent", intent=intent, confidence=0.9)
    expect(page.locator("#heard .chip")).to_have_count(3, timeout=15_000)
    saved = "Maybe later" if locale == "en-GB" else "以后再说"
    expect(page.locator("#notice")).to_contain_text(saved, timeout=15_000)
    expect(page.locator("#connection")).to_be_hidden()
    view = callers.view(contact_id)
    new, *old = view["customer"]["answers"]
    assert new["answer"] == "later"
    assert old == before[: len(old)]
    assert [one["intent"] for one in view["events"] if one["intent"]] == ["travel", "mortgage", "insurance"]


def test_an_answer_given_after_the_session_ended_is_sent_once_the_agent_is_back(
    callers: Callers, open_page: Opener
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page("/sign-in")
    page.get_by_role("button", name="anna").click()
    page.goto(f"/agent/contacts/{contact_id}")
    page.locator("html[data-ready]").wait_for(state="attached")
    answered = titles(page)[0]
    page.context.add_cookies([{"name": "nbo-session", "value": "ended", "domain": "127.0.0.1", "path": "/"}])
    page.keyboard.press("1")
    page.keyboard.press("l")
    page.get_by_role("button", name="anna").click()
    expect(page.locator("#notice")).to_have_text(f"Maybe later: {answered}. Saved.")
    assert callers.view(contact_id)["customer"]["answers"][0]["answer"] == "later"
