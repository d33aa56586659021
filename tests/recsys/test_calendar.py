"""The bank's day: it begins and ends where the bank is, also when clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.calendar import UTC_DAYS, BankCalendar

ZONES = sorted(available_timezones() - {"localtime"})
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (date(2026, 7, 1), 24)])
def test_a_day_on_which_clocks_change_has_another_length(day: date, hours: int) -> None:
    berlin = BankCalendar("Europe/Berlin")
    assert berlin.end_of(day) - berlin.start_of(day) == timedelta(hours=hours)


@given(zone=st.sampled_from(ZONES), seconds=st.integers(600_000_000, 2_100_000_000))
def test_every_moment_lies_within_its_day_and_days_follow_each_other(zone: str, seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    calendar = BankCalendar(zone)
    day = calendar.day_of(moment)
    assert calendar.start_of(day) <= moment < calendar.end_of(day)
    assert calendar.end_of(day) == calendar.start_of(day + timedelta(days=1))
    assert calendar.start_of(day).tzinfo is UTC


def test_without_a_zone_days_are_those_of_utc() -> None:
    moment = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert UTC_DAYS.day_of(moment) == moment.date()
    assert BankCalendar("Asia/Shanghai").day_of(moment) == date(2026, 2, 1)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "Asia", "UTC+8", "\0"])
def test_a_zone_that_there_is_not_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        BankCalendar(zone)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_the_first_and_the_last_day_can_be_told(zone: str) -> None:
    calendar = BankCalendar(zone)
    assert calendar.start_of(date.min) < calendar.end_of(date.min) < calendar.end_of(date.max)
