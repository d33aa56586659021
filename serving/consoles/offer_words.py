"""What differs between two versions of an offer, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.consoles import formats
from serving.consoles.called import Called
from serving.consoles.wording import Say
from serving.offers.schemas import DifferenceBody

LONG = ("eligibility", "terms", "talk_track_en", "talk_track_zh", "disclosure_en", "disclosure_zh")
_MOMENTS = ("valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class ChangeInWords:
    """One field with what stood in it and what stands in it now; `is_long` ones are told one below the other."""

    label: str
    before: str
    after: str
    is_long: bool


def in_words(differences: Sequence[DifferenceBody], called: Called, say: Say) -> list[ChangeInWords]:
    """Return each difference in the reader's language."""
    return [
        ChangeInWords(
            _label(one.field, called.language, say),
            _value(one.field, one.before, called, say),
            _value(one.field, one.after, called, say),
            one.field.partition(".")[0] in LONG,
        )
        for one in differences
    ]


def _label(field: str, language: str, say: Say) -> str:
    column, _, name = field.partition(".")
    label = say(f"field_{column}")
    return f"{label}: {formats.name(name, language)}" if name else label


def _value(field: str, value: Any, called: Called, say: Say) -> str:
    column = field.partition(".")[0]
    if value is None:
        return say("empty_value")
    if isinstance(value, bool):
        return say("yes" if value else "no")
    if column == "kind":
        return called.kind(value)
    if column == "starting_propensity":
        return f"{100 * value:.12g} %"
    if column == "margin":
        return f"¥{formats.number(value)}"
    if column in _MOMENTS:
        return moment(datetime.fromisoformat(value))
    if column == "term_bounds":
        return " – ".join(f"{one:.12g}" for one in value)
    if column == "channels":
        return say("list_comma").join(map(called.channel, value))
    if isinstance(value, list):
        return say("list_comma").join(map(called.need, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def moment(at: datetime) -> str:
    """Return a moment of the catalogue, midnight as the day alone."""
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%Y-%m-%d %H:%M} UTC"
