"""How much a browser loads before the agent's pages are there."""

from collections import defaultdict
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.agent_page import Callers, browser, callers, three_offers
from tests.journeys.service import RunningService

__all__ = ["browser", "callers"]

MOST_BYTES = 150 * 1024
Loaded = Callable[[str], dict[str, float]]


@pytest.fixture
def loaded(browser: Browser, running_service: RunningService) -> Loaded:
    """Load a page with an empty cache; the bytes that came over the wire, by address."""

    def load(path: str) -> dict[str, float]:
        page: Page = browser.new_context(base_url=running_service.url, locale="en-GB").new_page()
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        addresses: dict[str, str] = {}
        sizes: dict[str, float] = defaultdict(float)
        wire.on("Network.requestWillBeSent", lambda one: addresses.update({one["requestId"]: one["request"]["url"]}))
        wire.on("Network.responseReceived", lambda one: note(one, one["response"]["encodedDataLength"]))
        wire.on("Network.loadingFinished", lambda one: finish(one))

        def note(one: dict[str, str], size: float) -> None:
            sizes[addresses[one["requestId"]]] = size

        def finish(one: dict[str, float]) -> None:
            sizes[addresses[str(one["requestId"])]] = one["encodedDataLength"]

        page.goto(path)
        expect(page.locator("h1").first).to_be_visible()
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(1500)
        page.context.close()
        return dict(sizes)

    return load


def check(sizes: dict[str, float], service: RunningService) -> None:
    names = {address.removeprefix(service.url).partition("?")[0] for address in sizes}
    assert {"/static/console.css", "/static/vendor/htmx.min.js", "/static/vendor/inter-latin.woff2"} <= names
    assert 20_000 < sum(sizes.values()) <= MOST_BYTES, sizes


def test_the_queue_is_there_after_150_kilobytes(loaded: Loaded, running_service: RunningService) -> None:
    check(loaded("/agent"), running_service)


def test_a_live_contact_is_there_after_150_kilobytes(
    loaded: Loaded, callers: Callers, running_service: RunningService
) -> None:
    sizes = loaded(f"/agent/contacts/{callers.call('loan_enquiry', three_offers)}")
    check(sizes, running_service)
    assert f"{running_service.url}/static/outbox.js" in sizes
