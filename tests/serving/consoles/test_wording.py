"""The texts: both languages whole, none missing, none left over."""

import re
import string
from collections.abc import Iterable
from pathlib import Path

import pytest

from experiments.campaign import Status
from experiments.metrics import METRICS
from experiments.verdict import Decision
from recsys.domain.contact import Direction
from recsys.domain.outcome import Answer
from recsys.rules import ValueType
from serving import consoles
from serving.consoles.campaign_routes import NOTICES
from serving.consoles.catalogue_list import STATES
from serving.consoles.levers_form import NUMBERS
from serving.consoles.offer_form import RISK_LEVELS, TEXTS
from serving.consoles.plan_form import STEPS
from serving.consoles.treatment_form import KINDS, NEW_OFFER, WORDS
from serving.consoles.what_if_view import FIGURES
from serving.consoles.wording import PAGES, WORDING, speaker
from serving.decisions.record import LANGUAGES

FOLDER = Path(consoles.__file__).parent
SOURCES = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("*.py")]
COMPOSED = (
    *("keys_", "reason_", "fit_", "csat_", "mood_", "degraded_", "role_", "rule_type_"),
    *("do_", "ask_", "log_", "wanted_", "stage_", "status_", "verdict_", "moved_", "state_", "audit_"),
    *("step_", "next_", "metric_", "change_", "word_", "field_", "product_state_", "product_risk_"),
    *("preview_language_", "worth_", "policy_", "unknown_", "means_new_", "truth_"),
    *("card_", "gate_is_", "plot_", "notice_", "score_", "share_", "part_", "without_", "reading_"),
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


@pytest.mark.parametrize("value", [*Direction, *Answer])
def test_every_value_of_the_domain_that_a_page_shows_has_a_text(value: str) -> None:
    assert value in WORDING


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("status_", Status),
        ("audit_", set(Status) - {Status.DRAFT}),
        ("verdict_", Decision),
        ("metric_", METRICS),
        ("step_", STEPS),
        ("change_", KINDS),
        ("rule_type_", ValueType),
        ("word_", {*WORDS, *NEW_OFFER} - {"family", "margin"}),
        ("moved_", NOTICES),
        ("state_", ("good", "warn", "bad")),
        ("field_", {*TEXTS, "repeatable", "channels", "terms", "term_bounds"}),
        ("product_state_", STATES),
        ("product_risk_", RISK_LEVELS),
        ("preview_language_", LANGUAGES),
        ("worth_", FIGURES),
        ("policy_", NUMBERS),
    ],
)
def test_what_pages_show_by_name_has_exactly_these_texts(prefix: str, values: Iterable[str]) -> None:
    more = {"audit_": {"created", "plan", "weights", "title"}, "verdict_": {"split"}, "change_": {"this"}}
    said = {key.removeprefix(prefix) for key in WORDING if key.startswith(prefix)}
    assert said == {*values} | more.get(prefix, set())


@pytest.mark.parametrize("key", WORDING)
def test_every_text_is_said_somewhere(key: str) -> None:
    suffixes = ("_consent", "_effect", "_campaign", "_one")
    is_composed = key.startswith(COMPOSED) or key.endswith(suffixes) or key in {*Direction, *Answer}
    assert is_composed or re.search(rf"[\"']{key}[\"']", USED), f"{key} is not used"


def test_an_unknown_language_is_spoken_as_english() -> None:
    assert speaker("fr")("agent") == "Agent"
    assert speaker("zh")("agent") == "坐席"
