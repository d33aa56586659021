"""What the vocabulary's page shows: entries with what ships and what is the bank's own, and words nobody knows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.domain.channel import CHANNELS, Channel
from recsys.domain.vocabulary import FALSE_WORDS, NEEDS, TRUE_WORDS, Need, Vocabulary
from recsys.domain.words import fold
from recsys.storage.vocabulary_log import CHANNEL, UnknownWord
from serving.consoles.vocabulary_form import Words, own_spellings


@dataclass(frozen=True, slots=True)
class Spelling:
    """One word, and whether the bank added it."""

    word: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Row:
    """An entry in force; `is_own` ones do not ship, `is_changed` ones ship and the bank changed them."""

    name: str
    entry: Any
    spellings: tuple[Spelling, ...]
    is_own: bool
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word that nobody knows, and the name whose spelling is nearest."""

    part: str
    word: str
    times: int
    seen_at: datetime
    nearest: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the page lists."""

    channels: list[Row]
    reasons: list[Row]
    truths: Mapping[str, tuple[Spelling, ...]]
    unknown: list[Unknown]


def shown(words: Vocabulary, own: Words, unknown: Iterable[UnknownWord]) -> Shown:
    """Return the vocabulary in force beside the bank's own words; what is the bank's stands first."""
    truths = {"true": (TRUE_WORDS, words.true_words), "false": (FALSE_WORDS, words.false_words)}
    return Shown(
        channels=_rows(words.channels, CHANNELS, own, ("channels",)),
        reasons=_rows(words.needs, NEEDS, own, ("reasons", "intents")),
        truths={name: _spellings((*ships, *added), added) for name, (ships, added) in truths.items()},
        unknown=[Unknown(one.part, one.word, one.times, one.seen_at, _nearest(one, words)) for one in unknown],
    )


def shipped_spellings(part: str, name: str) -> tuple[Spelling, ...]:
    """Return the spellings that ship of a channel or a reason, none of one that is the bank's own."""
    shipped: Mapping[str, Channel | Need] = CHANNELS if part == "channels" else NEEDS
    return _spellings(shipped[name].spellings, ()) if name in shipped else ()


def _rows(
    in_force: Mapping[str, Channel] | Mapping[str, Need],
    shipped: Mapping[str, Any],
    own: Words,
    parts: tuple[str, ...],
) -> list[Row]:
    rows = []
    for name, entry in in_force.items():
        is_own, is_changed = name not in shipped, any(name in own.get(part, {}) for part in parts)
        spellings = _spellings(entry.spellings, own_spellings(own, parts, name))
        rows.append(Row(name, entry, spellings, is_own, is_changed and not is_own))
    return sorted(rows, key=lambda one: (not one.is_own, not one.is_changed))


def _spellings(words: Sequence[str], own: Iterable[str]) -> tuple[Spelling, ...]:
    added = set(map(fold, own))
    return tuple(Spelling(word, fold(word) in added) for word in words)


def _nearest(one: UnknownWord, words: Vocabulary) -> str | None:
    return words.nearest_channel(one.word) if one.part == CHANNEL else words.nearest_need(one.word)
