"""The bank's day: which day a moment falls on where the bank is, and when a day begins and ends there."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class BankCalendar:
    """The days of a time zone, by its IANA name; days on which clocks change have 23 or 25 hours."""

    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Raise `ValueError` where there is no such zone."""
        _zone(self.zone)

    def day_of(self, moment: datetime) -> date:
        """Return the day on which an aware moment falls."""
        return moment.astimezone(_zone(self.zone)).date()

    def start_of(self, day: date) -> datetime:
        """Return the moment, in UTC, at which the day begins."""
        try:
            return datetime(day.year, day.month, day.day, tzinfo=_zone(self.zone)).astimezone(UTC)
        except OverflowError:  # the first or the last days of all that can be told
            return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def end_of(self, day: date) -> datetime:
        """Return the moment, in UTC, at which the day has ended: the next one's first."""
        return datetime.max.replace(tzinfo=UTC) if day == date.max else self.start_of(day + timedelta(days=1))


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{name[:60]!r} is no time zone; use an IANA name such as Asia/Shanghai") from None


UTC_DAYS = BankCalendar()
"""Days in UTC, where nothing else is set."""
