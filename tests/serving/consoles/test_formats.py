"""How numbers, times and names read."""

from datetime import timedelta

import pytest

from serving.consoles import formats
from serving.consoles.wording import speaker
from tests.builders import NOW

SAY, SAY_ZH = speaker("en"), speaker("zh")


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("limit_cny", 120000.0, ("Limit", "¥120,000")),
        ("annual_rate_percent", 3.15, ("Annual rate", "3.15 %")),
        ("free_transfers", 10, ("Free transfers", "10")),
        ("months", 6, ("Months", "6")),
        ("has_app", True, ("Has app", "yes")),
        ("city", "Beijing", ("City", "Beijing")),
    ],
)
def test_a_term_is_said_with_its_unit(key: str, value: object, shown: tuple[str, str]) -> None:
    assert formats.quantity(key, value, "en", SAY) == shown


def test_a_term_is_said_in_chinese() -> None:
    assert formats.quantity("limit_cny", 8000, "zh", SAY_ZH) == ("额度", "¥8,000")


def test_what_is_unknown_is_left_out() -> None:
    assert formats.quantities({"a": None, "b": "", "c": 0}, "en", SAY) == [("C", "0")]


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=2), "2 d ago"),
    ],
)
def test_the_past_is_said_in_its_largest_sensible_unit(passed: timedelta, shown: str) -> None:
    assert formats.ago(NOW - passed, NOW, SAY) == shown


@pytest.mark.parametrize(("share", "shown"), [(0.312, "31 %"), (0.0996, "10 %"), (0.0321, "3.2 %"), (0.0, "0.0 %")])
def test_a_share_shows_a_decimal_only_below_ten_percent(share: float, shown: str) -> None:
    assert formats.percent(share) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(5, "00:05"), (252, "04:12"), (3661, "1:01:01"), (-3, "00:00")])
def test_a_running_time_reads_like_a_clock(seconds: float, shown: str) -> None:
    assert formats.clock(seconds) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("Maria Lindqvist", "ML"), ("刘伟", "刘"), ("Cher", "C"), (None, "–"), (" ", "–")]
)
def test_initials_stand_for_a_name(name: str | None, shown: str) -> None:
    assert formats.initials(name) == shown


def test_an_identifier_nobody_translated_is_shown_as_words() -> None:
    assert formats.name("wealth_review", "zh") == "Wealth review"
    assert formats.name(None, "zh") == ""
