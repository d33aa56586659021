"""The bank's own words: its channels, reasons, intents and truth values, checked and laid over what ships."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from recsys.domain.channel import CHANNELS, Channel
from recsys.domain.errors import PolicyInvalid
from recsys.domain.identifier import MAX_ID_LENGTH
from recsys.domain.stems import names_complaint
from recsys.domain.vocabulary import COMPLAINT, NEEDS, SHIPPED, Need, Vocabulary
from recsys.domain.words import fold

_PARTS = ("channels", "reasons", "intents", "truth")
_LONGEST_DAYS = 3650
_MOST_WORDS = 10_000
_FLAGS_OF_CHANNEL = {
    "live": "is_live", "inbound": "inbound", "outbound": "outbound", "self_service": "is_self_service"
}  # fmt: skip


def canonical_words(document: object) -> str:
    """Return the checked document as JSON text that is the same for equal documents, "" for an empty one.

    Raises `PolicyInvalid` that names the part, the entry and what is wrong.
    """
    if isinstance(document, str):
        try:
            document = json.loads(document) if document.strip() else {}
        except ValueError:
            raise PolicyInvalid("vocabulary", "is not a JSON object") from None
    if not isinstance(document, Mapping):
        raise PolicyInvalid("vocabulary", f"must be an object with {', '.join(_PARTS)}")
    for part in document:
        if part not in _PARTS:
            raise PolicyInvalid(f"vocabulary.{part}"[:100], f"is not a part of it; there are {', '.join(_PARTS)}")
    kept = {part: entries for part, entries in document.items() if entries}
    if not kept:
        return ""
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False)
    words_of(text)
    for part, shipped in (("channels", CHANNELS), ("reasons", NEEDS), ("intents", NEEDS)):
        _check_meanings(part, kept.get(part, {}), shipped)
    return text


def lost_words(before: str, after: str) -> list[str]:
    """Return the words that protect by the canonical words `before` and would not by those `after`.

    They are words of complaints, unless their new name says `complaint: false`, and words for true and false. Where
    nothing is left at all, all of the bank's own words are lost.
    """
    if before and not after:
        return [f"{part} {name}" for part, entries in json.loads(before).items() for name in entries]
    old, new, named = words_of(before), words_of(after), _said_to_be_none(json.loads(after or "{}"))
    complaints = (w for name, one in old.needs.items() if one.is_complaint for w in (name, *one.spellings, *one.label))
    lost = [word for word in complaints if not new.is_complaint(word) and fold(new.need(word)) not in named]
    lost += [word for word in (*old.true_words, *old.false_words) if _truth_of(new, word) is not old.truth(word)]
    return list({fold(word): word for word in reversed(lost)}.values())[::-1]


def _truth_of(words: Vocabulary, word: str) -> bool | None:
    try:
        return words.truth(word)
    except ValueError:
        return None


def _said_to_be_none(document: Mapping[str, Any]) -> set[str]:
    """Return the needs that a document says to be no complaints, folded."""
    entries = [entry for part in ("reasons", "intents") for entry in document.get(part, {}).items()]
    return {fold(name) for name, one in entries if isinstance(one, Mapping) and one.get("complaint") is False}


def _check_meanings(part: str, entries: Mapping[str, Any], shipped: Mapping[str, Any]) -> None:
    """Refuse names, labels and spellings that take a word from another name, or from complaints unless said so."""
    taken: dict[str, str] = {}
    names = {fold(name): name for name in (*shipped, *entries)}
    none = _said_to_be_none({part: entries})
    for name, entry in entries.items():
        given: Mapping[str, Any] = {"spellings": entry} if isinstance(entry, list | tuple) else entry
        ships = shipped.get(name)
        before = {fold(word) for word in (*ships.spellings, *ships.label)} if ships else set()
        for word in (name, *given.get("spellings", ()), *given.get("label", {}).values()):
            if (folded := fold(word)) in before:
                continue
            if taken.setdefault(folded, name) != name:
                raise PolicyInvalid("vocabulary", f"gives “{folded}” to both {taken[folded]} and {name}")
            if names.get(folded, name) != name:
                raise PolicyInvalid("vocabulary", f"gives “{folded}”, which is a name itself, to {name}")
            is_complaint = (
                given.get("complaint", ships.is_complaint if ships else False) if part != "channels" else True
            )
            if not is_complaint and fold(name) not in none and _ships_as_complaint(word):
                raise PolicyInvalid(
                    "vocabulary",
                    f"gives “{folded}”, a word of complaints, to {name}; if it is none there, say complaint: false",
                )


def _ships_as_complaint(word: str) -> bool:
    return SHIPPED.need(word) == COMPLAINT or names_complaint(word)


@lru_cache(maxsize=64)
def words_of(text: str) -> Vocabulary:
    """Return the vocabulary in force with the bank's canonical words; raises `PolicyInvalid`."""
    if not text:
        return SHIPPED
    document = json.loads(text)
    truth = _entries(document, "truth")
    reasons, intents = _entries(document, "reasons"), _entries(document, "intents")
    return Vocabulary(
        channels=_over(CHANNELS, {name: _channel(name, one) for name, one in _entries(document, "channels").items()}),
        needs=_over(
            NEEDS,
            {name: _need(f"intents.{name}", name, one, {}) for name, one in intents.items()}
            | {name: _need(f"reasons.{name}", name, one, intents.get(name, {})) for name, one in reasons.items()},
        ),
        true_words=_words("truth.true", truth.get("true", ())),
        false_words=_words("truth.false", truth.get("false", ())),
    )


def _entries(document: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    entries = document.get(part, {})
    if not isinstance(entries, Mapping):
        raise PolicyInvalid(f"vocabulary.{part}", "must map each name to its spellings")
    if part == "truth" and set(entries) - {"true", "false"}:
        raise PolicyInvalid("vocabulary.truth", "may have true and false, nothing else")
    for name in entries:
        if not name.strip() or len(name) > MAX_ID_LENGTH or not name.isprintable() or not fold(name):
            raise PolicyInvalid(f"vocabulary.{part}", "has a name that is empty, too long or not printable")
    if part == "channels":
        _check_new_names(entries)
    return entries


def _check_new_names(channels: Mapping[str, Any]) -> None:
    for name in channels:
        if name not in CHANNELS and fold(name) != name:
            where = f"vocabulary.channels.{name}"
            raise PolicyInvalid(where, f"a new channel needs a plain name, such as {fold(name)}")


def _channel(name: str, entry: Any) -> Channel:
    where = f"channels.{name}"
    given = _fields(where, entry, ("spellings", "label", "icon", *_FLAGS_OF_CHANNEL))
    start = CHANNELS.get(name) or Channel((name.replace("_", " ").capitalize(),) * 2)
    for field, attribute in _FLAGS_OF_CHANNEL.items():
        if field in given:
            start = replace(start, **{attribute: _truth(f"{where}.{field}", given[field])})  # type: ignore[arg-type]
    if "icon" in given:
        start = replace(start, icon=_words(f"{where}.icon", [given["icon"]])[0])
    spellings = (*start.spellings, *_words(f"{where}.spellings", given.get("spellings", ())))
    return replace(start, label=_label(where, given, start.label), spellings=spellings)


def _need(where: str, name: str, entry: Any, also: Any) -> Need:
    given = _fields(where, entry, ("spellings", "label", "complaint", "days"))
    others = _fields(where, also, ("spellings", "label", "complaint", "days"))
    start = NEEDS.get(name) or Need((name.replace("_", " "),) * 2)
    is_complaint = _truth(f"{where}.complaint", given.get("complaint", start.is_complaint))
    if name == COMPLAINT and not is_complaint:
        raise PolicyInvalid(f"vocabulary.{where}", "is always a complaint; give its other meaning another name")
    days = given.get("days", start.complaint_days)
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _LONGEST_DAYS):
        raise PolicyInvalid(f"vocabulary.{where}.days", f"must be a whole number from 1 to {_LONGEST_DAYS}")
    if days is not None and not is_complaint:
        raise PolicyInvalid(f"vocabulary.{where}.days", "has a meaning for complaints only; add complaint: true")
    words = [*given.get("spellings", ()), *others.get("spellings", ())]
    spellings = (*start.spellings, *_words(f"{where}.spellings", words))
    return Need(_label(where, given, start.label), spellings, is_complaint, days)


def _fields(where: str, entry: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    if isinstance(entry, list | tuple):
        return {"spellings": entry}
    if not isinstance(entry, Mapping):
        raise PolicyInvalid(f"vocabulary.{where}", "must be a list of spellings, or an object")
    for field in entry:
        if field not in known:
            raise PolicyInvalid(f"vocabulary.{where}.{field}"[:200], f"is not known; there are {', '.join(known)}")
    return entry


def _label(where: str, given: Mapping[str, Any], start: tuple[str, str]) -> tuple[str, str]:
    label = given.get("label", {})
    if not isinstance(label, Mapping) or set(label) - {"en", "zh"}:
        raise PolicyInvalid(f"vocabulary.{where}.label", "may have en and zh, nothing else")
    english, chinese = _words(f"{where}.label", [label.get("en", start[0]), label.get("zh", start[1])])
    return english, chinese


def _words(where: str, words: Any) -> tuple[str, ...]:
    if not isinstance(words, list | tuple) or len(words) > _MOST_WORDS:
        raise PolicyInvalid(f"vocabulary.{where}", "must be a list of words")
    for word in words:
        if not isinstance(word, str) or not word.strip() or len(word) > MAX_ID_LENGTH or "\0" in word:
            raise PolicyInvalid(f"vocabulary.{where}", f"must be words of 1 to {MAX_ID_LENGTH} characters")
    return tuple(words)


def _truth(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise PolicyInvalid(f"vocabulary.{where}", "must be true or false")
    return value


def _over(shipped: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ships with the bank's entries over it: a word that the bank gives a name loses its shipped one."""
    claimed: dict[str, str] = {}
    for name, entry in own.items():
        before = set(map(fold, shipped[name].spellings)) if name in shipped else set()
        for word in {fold(spelling) for spelling in (name, *entry.spellings)} - before:
            if claimed.setdefault(word, name) != name:
                raise PolicyInvalid("vocabulary", f"gives “{word}” to both {claimed[word]} and {name}")
            if word in shipped and word != name:
                raise PolicyInvalid("vocabulary", f"gives “{word}”, which is a name itself, to {name}")
    merged = {**shipped, **own}
    for name, words in [(name, _left(name, merged[name].spellings, claimed)) for name in merged]:
        merged[name] = replace(merged[name], spellings=words)
    return merged


def _left(name: str, spellings: Iterable[str], claimed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for word in spellings if claimed.get(fold(word), name) == name)
