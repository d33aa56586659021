"""Every page in both languages and themes: accessible, within its window, from our own server, without complaint."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.journeys.agent_page import NARROW, axe_violations, browser, callers, complaints, open_page
from tests.journeys.bank_pages import BankPages, bank_pages
from tests.journeys.service import RunningService

__all__ = ["bank_pages", "browser", "callers", "complaints", "open_page"]

Opener = Callable[..., Page]
NOT_FOUND = "Failed to load resource: the server responded with a status of 404 (Not Found)"
"""What the browser says of the one page that is not there."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_accessible_and_loads_nothing_from_elsewhere(
    theme: str, language: str, bank_pages: BankPages, open_page: Opener, complaints: list[str],
    running_service: RunningService,
) -> None:  # fmt: skip
    page = open_page(f"/sign-in?lang={language}", color_scheme=theme)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    found: dict[str, Any] = {}
    for name in bank_pages.paths:
        bank_pages.show(page, name)
        if problems := axe_violations(page):
            found[name] = problems
    assert found == {}
    assert [one for one in complaints if one != NOT_FOUND] == []
    assert [one for one in addresses if not one.startswith((running_service.url, "data:", "blob:"))] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_fits_a_window_of_320_pixels(language: str, bank_pages: BankPages, open_page: Opener) -> None:
    page = open_page(f"/sign-in?lang={language}", viewport=NARROW)
    wide = {}
    for name in bank_pages.paths:
        bank_pages.show(page, name)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width != NARROW["width"]:
            wide[name] = width
    assert wide == {}
