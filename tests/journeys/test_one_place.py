"""A flag, a channel and a kind of offer are added in one place each, and every door, page and decision has them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("recsys", "features", "training", "experiments", "serving", "tests", "feature_store.yaml", "pyproject.toml")
ADDED = {
    "recsys/domain/protection.py": (
        '    "vulnerable": Flag(',
        '    "deceased": Flag(("Deceased", "已故"), ("The customer has died", "客户已故"), ("is_deceased",)),\n'
        '    "vulnerable": Flag(',
    ),
    "recsys/domain/channel.py": (
        '    "sms": Channel(',
        '    "metaverse": Channel(("Metaverse", "元宇宙"), ("vr", "vr glasses")),\n    "sms": Channel(',
    ),
    "recsys/domain/offer.py": (
        '    SERVICE = "service"\n', '    SERVICE = "service"\n    CROSS = "cross"\n',
        "_KINDS = {\n", '_KINDS = {\n    OfferKind.CROSS: _Kind(("Cross offer", "交叉产品")),\n',
    ),
}  # fmt: skip
"""File → text and what stands in its place."""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the walk through a copy with the three additions found."""
    copy = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__", "docs")
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignore)
        else:
            shutil.copy(source, copy / name)
    for file, texts in ADDED.items():
        text = (copy / file).read_text(encoding="utf-8")
        for old, new in zip(texts[::2], texts[1::2], strict=True):
            assert text.count(old) == 1, (file, old)
            text = text.replace(old, new)
        (copy / file).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tests.journeys.one_place_walk", str(copy / "walk")]
    environment = {**os.environ, "PYTHONPATH": str(copy), "NBO_HOME": str(copy / "walk" / "home")}
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return found


def test_a_new_flag_is_imported_exported_named_by_rules_and_stops_every_sale(walked: dict[str, Any]) -> None:
    assert walked["held_back"]["d1"] == ["deceased"]
    assert walked["offered"] == {"d1": [], "d2": ["bundle", "loan"]}
    assert walked["exported"] == {"d1": True, "d2": True}, "the second was told live"
    assert (walked["rule"]["valid"], walked["rule"]["audience"]) == (True, 2), "one by a file, one live"
    assert walked["customer"] is True


def test_a_new_flag_is_set_live_and_holds_from_the_next_decision_on(walked: dict[str, Any]) -> None:
    assert (walked["set_live"], walked["after"]) == ([201, True], [])


def test_a_new_channel_is_known_by_its_spellings_at_every_door(walked: dict[str, Any]) -> None:
    assert (walked["channel"], walked["answers"]) == ("metaverse", ["metaverse"])


def test_a_new_kind_of_offer_is_imported_and_decided_for(walked: dict[str, Any]) -> None:
    assert walked["kinds"] == ["cross", "product"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_shows_them_by_their_labels(walked: dict[str, Any], language: str) -> None:
    labels = {"en": ("Deceased", "Metaverse", "Cross offer"), "zh": ("已故", "元宇宙", "交叉产品")}
    flag, channel, kind = labels[language]
    pages = walked["pages"][language]
    assert {status for status, _ in pages.values()} == {200}
    assert {flag, channel} <= set(pages["/agent/contacts/ID"][1])
    assert {channel, kind} <= set(pages["/marketing/catalogue/new"][1])
    assert channel in pages["/marketing/vocabulary"][1]
