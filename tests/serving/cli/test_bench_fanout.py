"""`nbo bench fanout` at a small size, and where there is no browser to look at."""

import asyncio
import sys
from pathlib import Path

import pytest

from serving.cli.bench.screen import open_screen
from tests.journeys.agent_page import CHROMIUM
from tests.journeys.service import nbo_json


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_way_to_the_consoles_and_to_the_screen_is_measured_and_nothing_missed(tmp_path: Path) -> None:
    sizes = ("--consoles", "6", "--contacts", "3", "--events", "10")
    document = nbo_json(tmp_path, "bench", "fanout", *sizes)
    assert (document["consoles"], document["events"], document["missed"]) == (6, 10, 0)
    for name in ("event_to_receipt_ms", "event_to_screen_ms"):
        assert 0 < document[name]["p50"] <= document[name]["p99"] <= document[name]["max"]


def test_without_playwright_there_is_no_screen_and_standard_error_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)

    async def look() -> bool:
        async with open_screen("http://127.0.0.1:9/") as screen:
            return screen is None

    assert asyncio.run(look())
    assert "playwright is not installed" in capsys.readouterr().err
