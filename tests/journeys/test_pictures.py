"""The documentation's pictures, taken from a living bank: `make pictures` writes them to docs/images."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.journeys.agent_page import browser, callers, complaints, open_page
from tests.journeys.bank_pages import BankPages, bank_pages
from tests.journeys.service import RunningService, nbo, serving

__all__ = ["bank_pages", "browser", "callers", "complaints", "open_page"]

FOLDER = os.environ.get("NBO_PICTURES")
HEIGHTS = {320: 760, 1280: 860, 1920: 1080}
WHOLE = {"campaign-results", "monitoring"}
"""Pages whose picture goes on below the window, at 1280 pixels."""
PAGES = (
    *("agent-queue", "agent-contact", "campaigns", "campaign-audience", "campaign-power", "campaign-results"),
    *("catalogue", "offer", "models", "monitoring", "decision", "controls", "sign-in"),
)
VARIANTS = (
    *((page, 1280, "light", "en") for page in PAGES),
    *((page, 320, "light", "en") for page in ("agent-contact", "campaign-results", "offer", "models")),
    *((page, 1920, "light", "en") for page in ("agent-contact", "campaign-results", "monitoring")),
    *((page, 1280, "dark", "en") for page in ("agent-contact", "campaign-results")),
    *((page, 1280, "light", "zh") for page in ("agent-contact", "campaign-results", "campaign-audience")),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A bank of its own being served: of the demo's size where the pictures are kept, else a small one."""
    home = tmp_path_factory.mktemp("pictured") / "home"
    size = () if FOLDER else ("--customers", "600", "--months", "6")
    nbo(home, "demo", "--no-serve", *size)
    with serving(home) as service:
        yield service


def picture(page: str, width: int, theme: str, language: str) -> str:
    return "-".join([page, str(width), *(["dark"] if theme == "dark" else []), *(["zh"] if language == "zh" else [])])


@pytest.mark.parametrize(("page", "width", "theme", "language"), VARIANTS, ids=[picture(*one) for one in VARIANTS])
def test_a_picture_is_as_wide_as_its_window(
    page: str, width: int, theme: str, language: str, bank_pages: BankPages, open_page: Callable[..., Page],
    tmp_path: Path,
) -> None:  # fmt: skip
    window = {"width": width, "height": HEIGHTS[width]}
    tab = open_page(f"/sign-in?lang={language}", viewport=window, color_scheme=theme, reduced_motion="reduce")
    bank_pages.show(tab, page)
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    file = Path(FOLDER or tmp_path) / f"{picture(page, width, theme, language)}.png"
    tab.screenshot(path=file, full_page=width == 1280 and page in WHOLE)
    assert file.stat().st_size > 5_000
