"""What was seen and what was mentioned, logged apart from what was decided and answered."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.agent_page import Callers, browser, callers, complaints, open_page, three_offers
from tests.journeys.service import RunningService

__all__ = ["browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]
Exposed = Callable[[str], dict[tuple[str, str], datetime]]
TALL, LOW = {"width": 1280, "height": 1800}, {"width": 1280, "height": 420}


@pytest.fixture
def exposed(running_service: RunningService) -> Exposed:
    """When each offer of the contact reached a stage, as the event log has it: (offer, stage) → moment."""

    def of(contact_id: str) -> dict[tuple[str, str], datetime]:
        query = (
            "SELECT e.offer_id, e.stage, e.exposed_at FROM exposures e JOIN decisions d USING (decision_id)"
            " WHERE d.contact_id = ?"
        )
        with closing(sqlite3.connect(running_service.home / "nbo.db")) as log:
            rows = log.execute(query, (contact_id,)).fetchall()
        return {(offer, stage): datetime.fromisoformat(at) for offer, stage, at in rows}

    return of


def offers(callers: Callers, contact_id: str) -> list[str]:
    return [one["offer_id"] for one in callers.view(contact_id)["decision"]["offers"]]


def posts(page: Page) -> list[str]:
    """The exposures that the page posts from now on."""
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.post_data or "") if one.url.endswith("/exposures") else None)
    return sent


def test_cards_in_view_are_seen_after_a_second_and_once(callers: Callers, open_page: Opener, exposed: Exposed) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page("/agent", viewport=TALL)
    sent = posts(page)
    page.goto(f"/agent/contacts/{contact_id}")
    page.locator(".offer").nth(2).wait_for()
    page.wait_for_timeout(600)
    assert (sent, exposed(contact_id)) == ([], {})
    page.wait_for_timeout(1500)
    callers.hear(contact_id, type="sentiment", sentiment=0.1)
    page.wait_for_timeout(500)
    first = {(offer, "seen") for offer in offers(callers, contact_id)}
    assert first <= exposed(contact_id).keys()
    assert len(sent) == len(set(sent))


def test_a_card_below_the_fold_is_seen_only_when_it_is_scrolled_to(
    callers: Callers, open_page: Opener, exposed: Exposed
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}", viewport=LOW)
    first, _, last = offers(callers, contact_id)
    page.wait_for_timeout(2000)
    assert (first, "seen") in exposed(contact_id)
    assert (last, "seen") not in exposed(contact_id)
    page.locator(".offer").nth(2).scroll_into_view_if_needed()
    page.wait_for_timeout(2000)
    assert (last, "seen") in exposed(contact_id)


def test_what_is_in_view_for_less_than_a_second_is_not_seen(
    callers: Callers, open_page: Opener, exposed: Exposed
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}", viewport=LOW)
    last = offers(callers, contact_id)[2]
    page.locator(".offer").nth(2).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    assert (last, "seen") not in exposed(contact_id)


def test_deciding_alone_is_not_an_exposure(callers: Callers, exposed: Exposed) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    callers.hear(contact_id, type="intent", intent="travel", confidence=0.9)
    assert exposed(contact_id) == {}


@pytest.mark.parametrize(("locale", "label"), [("en-GB", "Mentioned"), ("zh-CN", "已提及")])
def test_an_offer_is_pitched_when_the_agent_says_so(
    locale: str, label: str, callers: Callers, open_page: Opener, exposed: Exposed
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}", locale=locale)
    second = offers(callers, contact_id)[1]
    page.keyboard.press("2")
    page.keyboard.press("p")
    toggle = page.locator('.offer[data-position="2"]').get_by_role("button", name=label)
    expect(toggle).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(300)
    assert {offer for offer, stage in exposed(contact_id) if stage == "pitched"} == {second}
    page.reload()
    expect(toggle).to_have_attribute("aria-pressed", "true")


def test_an_answer_says_that_the_offer_was_mentioned(callers: Callers, open_page: Opener, exposed: Exposed) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page(f"/agent/contacts/{contact_id}")
    first = offers(callers, contact_id)[0]
    page.keyboard.press("1")
    page.keyboard.press("l")
    expect(page.locator("#notice")).to_contain_text("Maybe later")
    assert (first, "pitched") in exposed(contact_id)


def test_exposures_survive_a_lost_connection_and_come_before_the_answer(
    callers: Callers, open_page: Opener, exposed: Exposed
) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    page = open_page("/agent")
    page.route("**/exposures", lambda route: route.abort())
    page.goto(f"/agent/contacts/{contact_id}")
    first, second, _ = offers(callers, contact_id)
    page.keyboard.press("2")
    page.keyboard.press("p")
    page.wait_for_timeout(1500)
    page.keyboard.press("1")
    page.keyboard.press("l")
    expect(page.locator("#connection")).to_contain_text("Waiting to be sent: 1")
    page.reload()
    expect(page.locator("#connection")).to_contain_text("Waiting to be sent: 1")
    assert exposed(contact_id) == {}
    page.unroute("**/exposures")
    expect(page.locator("#notice")).to_contain_text("Maybe later", timeout=10_000)
    known = exposed(contact_id)
    assert {(second, "pitched"), (first, "seen"), (first, "pitched")} <= known.keys()
    assert known[first, "seen"] < known[first, "pitched"]
