"""One real page in a headless browser, which notes when a decision has come to its screen."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

_NOTE_WHAT_IS_SHOWN = """() => {
  const shown = (window.shown = {});
  const note = () => {
    const [decision] = document.getElementById("suggestions").dataset.state.split("/");
    requestAnimationFrame(() => (shown[decision] ??= (performance.timeOrigin + performance.now()) / 1000));
  };
  const changes = { subtree: true, attributeFilter: ["data-state"] };
  new MutationObserver(note).observe(document.getElementById("live"), changes);
}"""


class Screen:
    """The page of one contact."""

    def __init__(self, page: "Page") -> None:
        self._page = page

    async def shown(self) -> dict[str, float]:
        """Return when each decision was drawn first, in seconds since the epoch, by its id."""
        times: dict[str, float] = await self._page.evaluate("shown")
        return times


@asynccontextmanager
async def open_screen(address: str) -> AsyncIterator[Screen | None]:
    """Yield the page at `address` in a headless Chromium; without playwright None, which standard error explains."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        sys.stderr.write("playwright is not installed: measured up to the client's receipt only\n")
        yield None
        return
    program = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(address)
        await page.locator("html[data-ready]").wait_for(state="attached")
        await page.evaluate(_NOTE_WHAT_IS_SHOWN)
        yield Screen(page)
        await browser.close()
