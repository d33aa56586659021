"""Words that other systems spell their own way: the normal form in which they are compared, and tables of spellings."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache

_LEAST_SIMILAR = 0.6


def fold(text: str) -> str:
    """Return the form in which words are compared: case, width, blanks and punctuation do not count.

    Whatever is neither letter nor digit becomes one "_" between words: "Web Chat", "WEB-chat" and "web_chat" agree.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    marks = "".join(character if _is_letter(character) else " " for character in plain)
    return "_".join(marks.split())


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def visible_text(text: str) -> str:
    """Return the text at half width without blanks around it and without invisible characters."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(one for one in plain if unicodedata.category(one) not in ("Cf", "Cc")).strip()


def is_blank(text: str) -> bool:
    """Return whether nothing visible stands there: blanks of any kind and invisible characters do not count."""
    return not visible_text(text)


def holds_word(folded: str, word: str) -> bool:
    """Return whether a folded text names a folded word: as words of their own, or within text without blanks.

    Words of one script with blanks between words (all ASCII here) must stand alone, others may stand anywhere. Of
    ASCII words with at least seven letters, one with a letter too many, too few, changed or swapped counts as well.
    """
    if not word.isascii():
        return word.replace("_", "") in folded.replace("_", "")
    plain = without_accents(folded)
    if f"_{word}_" in f"_{plain}_":
        return True
    return len(word) >= _LONG and any(is_misspelled(one, word) for one in plain.split("_"))


_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "\u0131": "i", "ħ": "h", "æ": "ae", "œ": "oe", "ς": "σ"}
)


@lru_cache(maxsize=1024)
def without_accents(text: str) -> str:
    """Return the text without the marks over and below its letters."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def plain_letters(text: str) -> str:
    """Return the text with plain letters of alphabets that put marks on them; other scripts are not taken apart."""
    return "".join(map(_plain_letter, text))


@lru_cache(maxsize=4096)
def _plain_letter(letter: str) -> str:
    bare = without_accents(letter)
    return (bare if len(bare) == 1 and bare.isalpha() and bare < "\u0590" else letter).translate(_PLAIN)


_LONG = 7


def is_misspelled(one: str, word: str) -> bool:
    """Return whether `one` is one letter away from `word`: added, left out, changed, or swapped with its neighbour."""
    if abs(len(one) - len(word)) > 1:
        return False
    start = next((place for place, (a, b) in enumerate(zip(one, word, strict=False)) if a != b), len(word))
    here, there = one[start:], word[start:]
    swapped = there[1:2] + there[:1] + there[2:]
    return here[1:] == there or here == there[1:] or here[1:] == there[1:] or here == swapped


@dataclass(frozen=True)
class WordTable:
    """Names with the spellings that stand for each; a name always stands for itself."""

    spellings: Mapping[str, Iterable[str]]
    _names: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = {fold(word): name for name, words in self.spellings.items() for word in words}
        object.__setattr__(self, "_names", found | {fold(name): name for name in self.spellings})

    def find(self, text: str) -> str | None:
        """Return the name that the text stands for, or None."""
        return self._names.get(fold(text))

    def nearest(self, text: str) -> str | None:
        """Return the name whose spelling is nearest to the text, or None where none is near."""
        close = get_close_matches(fold(text)[:64], list(self._names), n=1, cutoff=_LEAST_SIMILAR)
        return self._names[close[0]] if close else None
