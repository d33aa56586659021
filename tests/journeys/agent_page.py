"""The agent's page in a real browser, and the customers who come to it."""

import csv
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.journeys.service import RunningService

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 700}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Callers:
    """Opens waiting contacts for customers who may be sold to, each time for another one."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        with (service.home / "import" / "customers.csv").open(encoding="utf-8") as file:
            self._customers = [row["customer_id"] for row in csv.DictReader(file) if _may_be_sold_to(row)]

    def call_for_a_list_that_can_change(self, reason: str) -> str:
        """Return the id of a new waiting contact with a full list behind which many permitted offers wait."""
        return self.call(reason, lambda decision: three_offers(decision) and self._ranked_lower(decision) >= 8)

    def call(self, reason: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> str:
        """Return the id of a new waiting contact whose first decision is `wanted` (the others are closed)."""
        while self._customers:
            request = {"customer_id": self._customers.pop(), "channel": "phone", "reason": reason}
            opened = httpx2.post(f"{self._service.url}/v1/contacts", json=request).json()
            contact_id = str(opened["contact"]["contact_id"])
            if wanted(opened["decision"]):
                return contact_id
            httpx2.post(f"{self._service.url}/v1/contacts/{contact_id}/close", json={})
        raise AssertionError("no customer of the demo bank gets such a decision")

    def _ranked_lower(self, decision: dict[str, Any]) -> int:
        """Count the offers that are permitted too, and not on the list."""
        stored = httpx2.get(f"{self._service.url}/v1/decisions/{decision['decision_id']}").json()
        return sum(held["code"] == "ranked_lower" for held in stored["held_back"])

    def hear(self, contact_id: str, **event: object) -> None:
        """Tell the service what was heard in the contact."""
        answer = httpx2.post(f"{self._service.url}/v1/contacts/{contact_id}/events", json=event)
        assert answer.status_code == 200

    def hear_until_the_list_changes(self, contact_id: str) -> list[str]:
        """Let the customer ask about one thing after the other; return the titles once other offers are suggested."""
        before = self._titles(contact_id)
        for intent in (
            "travel",
            "insurance",
            "saving",
            "card",
            "loan",
            "fund",
            "telecom",
            "account",
            "mortgage",
            "complaint",
        ):
            self.hear(contact_id, type="intent", intent=intent, confidence=0.95)
            if self._titles(contact_id) != before:
                return self._titles(contact_id)
        raise AssertionError("nothing the customer asks about changes the list")

    def _titles(self, contact_id: str) -> list[str]:
        return [offer["title"] for offer in self.view(contact_id)["decision"]["offers"]]

    def view(self, contact_id: str) -> Any:
        """Return the contact as the API shows it."""
        return httpx2.get(f"{self._service.url}/v1/contacts/{contact_id}", headers={"Accept-Language": "en"}).json()


def _may_be_sold_to(row: dict[str, str]) -> bool:
    flags = (row["vulnerable"], row["arrears"], row["do_not_contact"])
    return row["consent_marketing"] == "true" and row["consent_profiling"] == "true" and "true" not in flags


@pytest.fixture(scope="module")
def callers(running_service: RunningService) -> Callers:
    """Customers of the demo bank who call in."""
    return Callers(running_service)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; the tests that need it are skipped, visibly, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about: script errors, refused content, failed requests."""
    return []


@pytest.fixture
def open_page(
    browser: Browser, running_service: RunningService, complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Open pages of the service in a window of their own: `open_page(path, **context_options)`."""
    contexts = []

    def opened(path: str, **options: Any) -> Page:
        context = browser.new_context(
            **{
                "viewport": WIDE,
                "locale": "en-GB",
                "base_url": running_service.url,
                "reduced_motion": "reduce",  # colours half-way between two states have no contrast to measure
                **options,
            }
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: _note(message, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        if path.startswith("/agent/contacts/"):
            page.locator("html[data-ready]").wait_for(state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()


def _note(message: ConsoleMessage, complaints: list[str]) -> None:
    if message.type in ("error", "warning"):
        complaints.append(message.text)


def three_offers(decision: Any) -> bool:
    """Tell whether a decision fills the list."""
    return len(decision["offers"]) == 3


def three_offers_with_must_say_first(decision: Any) -> bool:
    """Tell whether it does, and its first offer has a text that must be read out."""
    return three_offers(decision) and bool(decision["offers"][0]["disclosure"])


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what `selector` finds has the focus."""
    for _ in range(100):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no Tab leads to {selector}")


def titles(page: Page) -> list[str]:
    """Return the titles of the cards on the page."""
    return page.locator(".offer h3").all_inner_texts()


def axe_violations(page: Page) -> list[str]:
    """Return the serious and critical accessibility problems that axe-core finds on the page."""
    page.add_script_tag(url="/static/vendor/dev/axe.min.js")
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
