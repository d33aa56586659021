"""One cell of an offer row, from CSV text or a typed source, as the value its field needs.

Every reader takes a value that is not blank and raises `ValueError` with what to do about it.
"""

import json
import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.conventions import AS_SHIPPED, Conventions
from recsys.domain.vocabulary import Vocabulary

Choice = TypeVar("Choice", bound=StrEnum)

LONGEST_TEXT = 4000
LONGEST_NAME = 200
_YES = frozenset(("true", "yes", "y", "1"))
_NO = frozenset(("false", "no", "n", "0"))


def is_blank(value: object) -> bool:
    """Return whether a cell holds nothing: None, white space, or a data frame's NaN or NaT."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float | datetime) and value != value)


def text(value: object) -> str:
    """Return a text without surrounding white space, of at most 4,000 characters, all of them visible."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("must be a text")
    cleaned = str(value).strip()
    if len(cleaned) > LONGEST_TEXT:
        raise ValueError(f"must have at most {LONGEST_TEXT} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t" for character in cleaned):
        raise ValueError("must not hold control characters")
    return cleaned


def name(value: object) -> str:
    """Return an id or another name: a text of one line and at most 200 characters."""
    cleaned = text(value)
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable():
        raise ValueError(f"must be one line of 1 to {LONGEST_NAME} characters")
    return cleaned


def flag(value: object) -> bool:
    """Return a truth value."""
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise ValueError("must be true or false")
    return word in _YES


def number(value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number from `low` to `high`, both included."""
    try:
        parsed = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        parsed = math.nan
    if not math.isfinite(parsed):
        raise ValueError("must be a number")
    if not low <= parsed <= high:
        limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
        raise ValueError(f"must be a number {limits}")
    return parsed


def propensity(value: object) -> float:
    """Return a chance strictly between 0 and 1."""
    parsed = number(value)
    if not 0 < parsed < 1:
        raise ValueError("must lie between 0 and 1, both excluded")
    return parsed


def level(value: object) -> int:
    """Return a risk level from 1 to 5."""
    parsed = number(value, 1, 5)
    if parsed != int(parsed):
        raise ValueError("must be a whole number from 1 to 5")
    return int(parsed)


def moment(value: object) -> datetime:
    """Return a moment in UTC from ISO 8601 text, a date (its midnight) or a datetime; no zone means UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("must be a time as in 2026-01-31T09:00:00Z") from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError("must be a time as in 2026-01-31T09:00:00Z")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 1 and 9999") from None


def opening(value: object, calendar: BankCalendar = UTC_DAYS) -> datetime:
    """Return a moment as `moment` does, of a date without a time the beginning of that day."""
    day = _day(value)
    return moment(value) if day is None else calendar.start_of(day)


def closing(value: object, calendar: BankCalendar = UTC_DAYS) -> datetime:
    """Return a moment as `moment` does, of a date without a time the end of that day."""
    day = _day(value)
    return moment(value) if day is None else calendar.end_of(day)


def _day(value: object) -> date | None:
    """Return the day of a date without a time, None for anything else."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            return None
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def names(value: object) -> frozenset[str]:
    """Return a set of names from a list, or from text as in "a|b" or "a,b"."""
    parts = value.replace(",", "|").split("|") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple | set | frozenset):
        raise ValueError("must be a list, or text as in a|b")
    return frozenset(name(part) for part in parts if not is_blank(part))


def channels(value: object, reading: Conventions = AS_SHIPPED) -> frozenset[str]:
    """Return a set of the channels there are, by any word for them, or as they are written where these are kept."""
    words = reading.words
    if words is None:
        return names(value)
    return frozenset(_channel(part, words, keeps_unknown=reading.keeps_unknown) for part in names(value))


def _channel(word: str, words: Vocabulary, *, keeps_unknown: bool) -> str:
    known = words.channel(word) or (word if keeps_unknown else None)
    if known is None:
        near = words.nearest_channel(word)
        hint = f"; the nearest is {near}" if near else ""
        raise ValueError(f"must be one of {', '.join(words.channels)}{hint}")
    return known


def choice(value: object, kinds: type[Choice]) -> Choice:
    """Return the member of an enumeration that the text names, in any case."""
    word = str(value).strip().lower()
    try:
        return kinds(word)
    except ValueError:
        near = get_close_matches(word[:64], list(kinds), n=1)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise ValueError(f"must be one of {', '.join(kinds)}{hint}") from None


def rule_text(value: object) -> str:
    """Return the text of a rule; a bare number or truth value, as YAML and JSON give them, is a rule too."""
    return str(value).upper() if isinstance(value, bool) else text(value)


def count(value: object) -> int:
    """Return a whole number of at least 1."""
    parsed = number(value, 1, 1e12)
    if parsed != int(parsed):
        raise ValueError("must be a whole number")
    return int(parsed)


def bounds(value: object) -> dict[str, tuple[float, float]]:
    """Return (low, high) of each term by name, from a mapping of pairs or from JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError('must be a JSON object as in {"rate": [3.5, 6.0]}') from None
    if not isinstance(value, Mapping):
        raise ValueError("must map the name of each term to its lowest and highest value")
    found = {}
    for term, pair in value.items():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError("must map the name of each term to its lowest and highest value")
        low, high = number(pair[0]), number(pair[1])
        if low > high:
            raise ValueError("has a lowest value above the highest")
        found[name(term)] = (low, high)
    return found


def terms(value: object) -> dict[str, str]:
    """Return the rule text of each term by name, from a mapping or from JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError('must be a JSON object as in {"rate": "3.5"}') from None
    if not isinstance(value, Mapping):
        raise ValueError("must map the name of each term to its rule")
    return {name(term): rule_text(rule) for term, rule in value.items() if not is_blank(rule)}
