"""How numbers, times and names read on the pages, in the reader's language."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from serving.consoles.names import NAMES_ZH
from serving.consoles.wording import Say

UNITS = {
    "cny": "¥{}",
    "percent": "{} %",
    "pct": "{} %",
    "rate": "{} %",
    "days": "{} d",
    "months": "{} mo",
    "years": "{} y",
    "minutes": "{} min",
    "gb": "{} GB",
}
UNITS_ZH = {"days": "{} 天", "months": "{} 个月", "years": "{} 年", "minutes": "{} 分钟"}


def number(value: float) -> str:
    """Return a number with thousands separators and at most two decimals, none where it is whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:,.2f}".rstrip("0")


def percent(value: float) -> str:
    """Return a share (0–1) in percent: one decimal below ten."""
    return f"{value * 100:.0f} %" if value >= 0.0995 else f"{value * 100:.1f} %"


def name(text: str | None, language: str) -> str:
    """Return an identifier such as `card_declined` as words; known ones also in Chinese."""
    if not text:
        return ""
    if language == "zh" and text in NAMES_ZH:
        return NAMES_ZH[text]
    words = text.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def quantity(key: str, value: object, language: str, say: Say) -> tuple[str, str]:
    """Return (label, value with its unit) of a term or attribute; the unit is the last word of its name."""
    stem, _, unit = key.rpartition("_")
    form = (UNITS_ZH if language == "zh" else {}).get(unit) or UNITS.get(unit)
    if isinstance(value, bool):
        return name(key, language), say("yes" if value else "no")
    if isinstance(value, int | float):
        if not stem or form is None:
            return name(key, language), number(value)
        return name(stem, language), form.format(number(value))
    return name(key, language), name(str(value), language)


def quantities(values: Mapping[str, object], language: str, say: Say) -> list[tuple[str, str]]:
    """Return every known value of `values` as (label, text)."""
    return [quantity(key, value, language, say) for key, value in values.items() if value not in (None, "")]


def duration(seconds: float, say: Say) -> str:
    """Return a length of time in its largest sensible unit."""
    for unit, length, limit in (("seconds", 1, 90), ("minutes", 60, 5400), ("hours", 3600, 172800)):
        if seconds < limit:
            return say(unit, n=round(max(seconds, 0) / length))
    return say("days", n=round(seconds / 86400))


def tenure(months: float, say: Say) -> str:
    """Return how long somebody has been a customer: in years, below two in months."""
    return say("with_us_years", n=int(months // 12)) if months >= 24 else say("with_us_months", n=int(months))


def ago(moment: datetime, now: datetime, say: Say) -> str:
    """Return how long ago `moment` was."""
    passed = now - moment
    if passed < timedelta(minutes=1):
        return say("ago_now")
    if passed < timedelta(hours=1):
        return say("ago_minutes", n=passed // timedelta(minutes=1))
    if passed < timedelta(days=2):
        return say("ago_hours", n=passed // timedelta(hours=1))
    return say("ago_days", n=passed.days)


def clock(seconds: float) -> str:
    """Return a running time as minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def initials(full_name: str | None) -> str:
    """Return up to two letters that stand for a name: one character of a Chinese name."""
    words = (full_name or "").split()
    if not words:
        return "–"
    if not words[0].isascii():
        return words[0][0]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
