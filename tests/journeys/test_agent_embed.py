"""The suggestions in a frame of the bank's own desktop, on another site and another port."""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from recsys.domain.clock import system_clock
from serving.cli.bench.server import free_port
from serving.contacts.embed_token import EmbedGrant, sign
from serving.settings import Settings
from tests.journeys.agent_page import Callers, axe_violations, browser, complaints, open_page, three_offers
from tests.journeys.service import RunningService

__all__ = ["browser", "complaints", "open_page"]

Opener = Callable[..., Page]


class Desktop:
    """The bank's desktop: one page that frames an address, the same under both names of this machine."""

    def __init__(self) -> None:
        self.framed = ""
        desktop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = f'<!doctype html><title>CRM</title><iframe src="{desktop.framed}" width="340" height="680">'
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.allowed = f"http://localhost:{self.server.server_port}"
        self.stranger = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    """The bank's desktop, being served."""
    served = Desktop()
    thread = threading.Thread(target=served.server.serve_forever)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


@pytest.fixture(scope="module")
def running_service(
    demo_home: Path, desktop: Desktop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A demo bank whose suggestions may stand in the desktop's frames, under one of its names."""
    home = tmp_path_factory.mktemp("embedding") / "home"
    shutil.copytree(demo_home, home, ignore=shutil.ignore_patterns("redis"))
    service = RunningService(home, free_port(), environment={"NBO_EMBED_ANCESTORS": desktop.allowed})
    service.start(mode="degraded")
    yield service
    service.stop()


@pytest.fixture(scope="module")
def callers(running_service: RunningService) -> Callers:
    """Customers of this bank who call in."""
    return Callers(running_service)


def embed_address(service: RunningService, contact_id: str, **more: object) -> str:
    asked = {"agent_id": "li", **more}
    answer = httpx2.post(f"{service.url}/v1/contacts/{contact_id}/embed-token", json=asked)
    return service.url + str(answer.json()["address"])


def cards(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


@pytest.mark.parametrize(("language", "saved"), [("en", "Maybe later"), ("zh", "以后再说")])
def test_an_agent_answers_by_keyboard_in_a_frame_of_another_site(
    language: str,
    saved: str,
    callers: Callers,
    desktop: Desktop,
    open_page: Opener,
    complaints: list[str],
    running_service: RunningService,
) -> None:
    contact_id = callers.call_for_a_list_that_can_change("loan_enquiry")
    desktop.framed = embed_address(running_service, contact_id, language=language)
    page = open_page(desktop.allowed)
    frame = cards(page)
    frame.locator("html[data-ready]").wait_for(state="attached")
    frame.locator("#suggestions-title").focus()
    page.keyboard.press("1")
    page.keyboard.press("p")
    page.keyboard.press("l")
    expect(frame.locator("#notice")).to_contain_text(saved)
    callers.hear(contact_id, type="sentiment", sentiment=0.9)
    callers.hear_until_the_list_changes(contact_id)
    expect(frame.locator(".offer h3")).to_have_count(3)
    assert callers.view(contact_id)["customer"]["answers"][0]["answer"] == "later"
    assert complaints == []


def test_a_site_that_is_not_named_cannot_frame_them(
    callers: Callers, desktop: Desktop, open_page: Opener, complaints: list[str], running_service: RunningService
) -> None:
    desktop.framed = embed_address(running_service, callers.call("loan_enquiry", three_offers))
    page = open_page(desktop.stranger)
    page.wait_for_timeout(1000)
    expect(cards(page).locator(".offer")).to_have_count(0)
    assert any("frame-ancestors" in one for one in complaints)


def test_the_rest_of_the_console_cannot_be_framed_at_all(
    desktop: Desktop, open_page: Opener, complaints: list[str], running_service: RunningService
) -> None:
    desktop.framed = f"{running_service.url}/agent"
    page = open_page(desktop.allowed)
    page.wait_for_timeout(1000)
    expect(cards(page).locator("#queue")).to_have_count(0)
    assert any("frame-ancestors 'none'" in one for one in complaints)


def test_a_wrong_token_is_explained_in_the_frame(
    desktop: Desktop, open_page: Opener, running_service: RunningService
) -> None:
    desktop.framed = f"{running_service.url}/agent/embed?token=wrong"
    page = open_page(desktop.allowed)
    expect(cards(page).locator("h1")).to_have_text("These suggestions cannot be opened")


def test_cards_go_when_their_time_is_over(callers: Callers, open_page: Opener, running_service: RunningService) -> None:
    contact_id = callers.call("loan_enquiry", three_offers)
    soon = system_clock() + timedelta(seconds=6)
    token = sign(EmbedGrant(contact_id, "li", soon, "en"), Settings(home=running_service.home))
    page = open_page(f"/agent/embed?token={token}")
    expect(page.locator(".offer")).to_have_count(3)
    expect(page.locator("h1")).to_have_text("These suggestions cannot be opened", timeout=20_000)
    expect(page.locator(".offer")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_cards_fit_320_pixels_without_a_serious_accessibility_problem(
    theme: str, callers: Callers, open_page: Opener, running_service: RunningService
) -> None:
    address = embed_address(running_service, callers.call("loan_enquiry", three_offers))
    page = open_page(address, viewport={"width": 320, "height": 700}, color_scheme=theme)
    expect(page.locator("#customer")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert axe_violations(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#customer")).to_be_visible()
