"""The texts: both languages whole, none missing, none left over."""

import re
import string
from pathlib import Path

import pytest

from recsys.domain.contact import Channel, Direction
from recsys.domain.outcome import Answer
from serving import consoles
from serving.consoles.wording import PAGES, WORDING, speaker

FOLDER = Path(consoles.__file__).parent
SOURCES = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("*.py")]
COMPOSED = (
    *("keys_", "reason_", "fit_", "flag_", "csat_", "mood_", "degraded_", "role_"),
    *("card_", "plot_", "verdict_", "notice_", "score_", "share_", "part_", "without_", "reading_"),
    *("by_week", "by_day", "by_hour", "one_week", "one_day", "one_hour", "relevance_models_", "propensity_models_"),
)
"""What keys begin with that pages put together from a value."""

USED = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_no_two_pages_say_a_text_of_the_same_key() -> None:
    assert sum(len(page) for page in PAGES) == len(WORDING)


@pytest.mark.parametrize("key", WORDING)
def test_both_languages_say_the_same_thing_with_the_same_values(key: str) -> None:
    english, chinese = WORDING[key]
    assert english
    assert chinese
    assert placeholders(english) == placeholders(chinese)


def test_every_text_that_a_page_says_exists() -> None:
    said = set(re.findall(r"""say\(\s*["'](\w+)["']""", USED))
    assert {key for key in said if not key.endswith("_")} - WORDING.keys() == set()


@pytest.mark.parametrize("value", [*Channel, *Direction, *Answer])
def test_every_value_of_the_domain_that_a_page_shows_has_a_text(value: str) -> None:
    assert value in WORDING


@pytest.mark.parametrize("key", WORDING)
def test_every_text_is_said_somewhere(key: str) -> None:
    is_composed = key.startswith(COMPOSED) or key.endswith("_consent") or key in {*Channel, *Direction, *Answer}
    assert is_composed or re.search(rf"[\"']{key}[\"']", USED), f"{key} is not used"


def test_an_unknown_language_is_spoken_as_english() -> None:
    assert speaker("fr")("agent") == "Agent"
    assert speaker("zh")("agent") == "坐席"
