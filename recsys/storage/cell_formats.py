"""How one file writes moments and numbers, and what a cell so written says."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import cache

YEAR_FIRST = "year-month-day"
DAY_FIRST = "day-month-year"
MONTH_FIRST = "month-day-year"
EPOCH_SECONDS = "epoch-seconds"
EPOCH_MILLISECONDS = "epoch-milliseconds"
DATE_FORMATS = (YEAR_FIRST, DAY_FIRST, MONTH_FIRST, EPOCH_SECONDS, EPOCH_MILLISECONDS)
"""What a column of moments may be called in a mapping; anything with a `%` is a format of `strptime` instead."""

DEFAULT_NULLS = ("NULL", "N/A", "NA", "#N/A", "-", "--", "\\N", "nan", "NaT", "None", "<NA>", "无", "無", "空", "空值")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = (
    r"(?:[T\s]+(?P<half_before>上午|下午)?\s*(?P<hour>\d{1,2})[:时時](?P<minute>\d{1,2})"
    r"(?:[:分](?P<second>\d{1,2})秒?(?:[.,](?P<fraction>\d{1,9}))?)?分?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<offset>Z|z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?"
)
_PATTERNS = {
    YEAR_FIRST: re.compile(
        r"(?P<year>\d{4})(?:[-/.]|\s?年\s?)(?P<month>\d{1,2})(?:[-/.]|\s?月\s?)(?P<day>\d{1,2})(?:\s?日)?" + _TIME
    ),
    DAY_FIRST: re.compile(r"(?P<day>\d{1,2})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME),
    MONTH_FIRST: re.compile(r"(?P<month>\d{1,2})(?P<mark>[-/.])(?P<day>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME),
}
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
                      r"(?:[T\s]?(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2}))?")  # fmt: skip
_SECONDS = re.compile(r"\d{9,10}(\.\d+)?")
_MILLISECONDS = re.compile(r"\d{12,13}")


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as a cell says it: without a zone when the cell names none, and whether it is a day without a time."""

    at: datetime
    is_day: bool = False

    def begins(self, zone: tzinfo) -> datetime:
        """Return the moment in UTC; a day begins at its midnight in `zone`."""
        return (self.at if self.at.tzinfo else self.at.replace(tzinfo=zone)).astimezone(UTC)

    def ends(self, zone: tzinfo) -> datetime:
        """Return the moment in UTC; a day ends with the next midnight in `zone`."""
        if not self.is_day:
            return self.begins(zone)
        return Moment(self.at + timedelta(days=1), True).begins(zone)


MomentReader = Callable[[str], Moment]


@cache
def moment_reader(format_: str) -> MomentReader:
    """Return what reads a cell in this format (one of `DATE_FORMATS`, or a format of `strptime`) or raises ValueError.

    Raises ValueError itself, with the near names, for a format there is not.
    """
    if "%" in format_:
        return lambda text: _by_strptime(text, format_)
    if format_ not in DATE_FORMATS:
        near = get_close_matches(format_, DATE_FORMATS, n=1)
        raise ValueError(
            f"{format_!r} is no date format{f'; did you mean {near[0]}?' if near else ''} Use one of "
            f"{', '.join(DATE_FORMATS)}, or a pattern such as %d.%m.%Y"
        )
    if format_ == YEAR_FIRST:
        return _year_first
    if format_ == EPOCH_SECONDS:
        return lambda text: _since_epoch(text, 1.0)
    if format_ == EPOCH_MILLISECONDS:
        return lambda text: _since_epoch(text, 1000.0)
    return lambda text: _by_pattern(text, _PATTERNS[format_])


def date_formats_of(text: str) -> tuple[str, ...]:
    """Return the formats that a cell of this shape may be written in; none when it is no moment by its looks."""
    if _COMPACT.fullmatch(text) and 1900 <= int(text[:4]) < 2200:
        return (YEAR_FIRST,)
    if _SECONDS.fullmatch(text):
        return (EPOCH_SECONDS,)
    if _MILLISECONDS.fullmatch(text):
        return (EPOCH_MILLISECONDS,)
    found = [name for name, pattern in _PATTERNS.items() if pattern.fullmatch(text)]
    if not found:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return ()
        # Six digits are a time of day to some and YYMMDD to others: they must be declared.
        return () if text.isdigit() else (YEAR_FIRST,)
    return tuple(found)


def _year_first(text: str) -> Moment:
    try:
        if len(text) > 10 or "-" in text:
            return Moment(datetime.fromisoformat(text), len(text) <= 10)
    except ValueError:
        pass
    return _by_pattern(text, _COMPACT if text[:8].isdigit() and len(text) >= 8 else _PATTERNS[YEAR_FIRST])


def _by_pattern(text: str, pattern: re.Pattern[str]) -> Moment:
    if (match := pattern.fullmatch(text)) is None:
        raise ValueError
    part = match.groupdict()
    day = int(part["year"]), int(part["month"]), int(part["day"])
    if part["hour"] is None:
        return Moment(datetime(*day), True)  # noqa: DTZ001 - the zone is put to it by whoever knows the bank's
    hour = int(part["hour"])
    half = (part.get("half") or part.get("half_before") or "").lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half in ("pm", "下午") else 0)
    micro = int((part.get("fraction") or "0").ljust(6, "0")[:6])
    at = datetime(*day, hour, int(part["minute"]), int(part["second"] or 0), micro)  # noqa: DTZ001
    return Moment(at.replace(tzinfo=_zone(part.get("offset"))))


def _zone(offset: str | None) -> tzinfo | None:
    if not offset:
        return None
    if offset in ("Z", "z", "UTC"):
        return UTC
    return datetime.strptime(offset if len(offset) > 3 else f"{offset}00", "%z").tzinfo


def _since_epoch(text: str, units: float) -> Moment:
    seconds = float(text) / units
    if not math.isfinite(seconds):
        raise ValueError
    return Moment(_EPOCH + timedelta(seconds=seconds))


def _by_strptime(text: str, format_: str) -> Moment:
    at = datetime.strptime(text, format_)  # noqa: DTZ007
    has_time = any(part in format_ for part in ("%H", "%I", "%M", "%S", "%c", "%X", "%T"))
    return Moment(at, not has_time)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The decimal mark of a number and the mark between its thousands ("" when there is none)."""

    decimal: str = "."
    thousands: str = ""

    def __str__(self) -> str:
        grouped = f", thousands {self.thousands!r}" if self.thousands else ""
        return f"decimal {self.decimal!r}{grouped}"


NUMBER_FORMATS = tuple(
    NumberFormat(*marks) for marks in ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"))
)
PLAIN = NUMBER_FORMATS[0]
_BLANKS_IN_NUMBERS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "’": "'"})
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)


@cache
def number_reader(format_: NumberFormat) -> Callable[[str], float]:
    """Return what reads a cell in this format or raises ValueError; thousands must stand in groups of three."""
    if format_ == PLAIN:
        return float
    pattern = _number_pattern(format_)

    def read(text: str) -> float:
        plain = text.translate(_BLANKS_IN_NUMBERS)
        if pattern.fullmatch(plain) is None:
            if _NOT_FINITE.fullmatch(text):
                return math.nan
            raise ValueError(text)
        if format_.thousands:
            plain = plain.replace(format_.thousands, "")
        return float(plain.replace(format_.decimal, "."))

    return read


def reads_number(text: str, format_: NumberFormat) -> float | None:
    """Return the number a cell says in this format, not finite ones as NaN, or None when it says none."""
    try:
        number = number_reader(format_)(text)
    except ValueError:
        return None
    return None if "_" in text else number


def _number_pattern(format_: NumberFormat) -> re.Pattern[str]:
    decimal, thousands = re.escape(format_.decimal), re.escape(format_.thousands)
    whole = rf"(?:\d{{1,3}}(?:{thousands}\d{{3}})+|\d+)" if format_.thousands else r"\d+"
    return re.compile(rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?")


def null_words(words: Sequence[str]) -> frozenset[str]:
    """Return the words that say "nothing", in the usual ways to spell them."""
    return frozenset(spelled for word in words for spelled in (word, word.lower(), word.upper(), word.capitalize()))
