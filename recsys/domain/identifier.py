"""Identifiers of customers, offers, contacts and agents: one normal form and one length at every door."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from recsys.domain.words import plain_letters

MAX_ID_LENGTH = 200
_WIDE = frozenset("FH")
_NUMBER = re.compile(r"(\d+)(?:[.,](\d*))?(?:e\+?(\d{1,3}))?")
_GROUPED = re.compile(r"(\d{1,3}(?:(?P<mark>[.,'’])\d{3})(?:(?P=mark)\d{3})*)(?:(?!(?P=mark))[.,]0*)?")
_AROUND_NUMBERS = frozenset('+="\u201c\u201d`')
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_LOOK_ALIKE = dict(zip("авекмнорстухіјѕһԁԛԝαβεζηικμνορτυχ", "abekmhopctyxijshdqwabezhikmnoptyx", strict=True))
"""Small letters of the Cyrillic and Greek alphabets, and the Latin ones that they, or their capitals, look like."""


def parse_identifier(text: str) -> str:
    """Return the identifier in its normal form; raises `ValueError` with what is wrong.

    Blanks around it (of any kind, the full-width one included) and invisible characters go, full-width letters and
    digits become half-width, blanks inside become one space. Case stays: some systems issue ids that differ by it.
    """
    narrow = "".join(map(_narrow, unicodedata.normalize("NFC", text)))
    visible = "".join(character for character in narrow if unicodedata.category(character) != "Cf")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co") for character in visible.strip()):
        raise ValueError("contains a character that cannot be printed")
    identifier = " ".join(visible.split())
    if not identifier:
        raise ValueError("is empty")
    if len(identifier) > MAX_ID_LENGTH:
        raise ValueError(f"is longer than {MAX_ID_LENGTH} characters")
    return identifier


def alike(identifier: str) -> str:
    """Return a key that is equal for identifiers which a person, or a spreadsheet, may take for the same one.

    They differ by case, width, accents, letters of another alphabet that look the same, digits of another script, by
    anything that is neither letter nor digit, or by zeros before a number; numbers also by a decimal part of zeros,
    thousands marks, or an exponent.
    """
    folded = "".join(map(_alike_letter, unicodedata.normalize("NFKC", identifier).casefold()))
    number = _as_number("".join(one for one in folded if not one.isspace() and one not in _AROUND_NUMBERS))
    key = number or "".join(one for one in folded if one.isalnum() or unicodedata.category(one).startswith("M"))
    return _LEADING_ZEROS.sub("", key) or folded


def _as_number(text: str) -> str | None:
    """Return the digits of a whole number, however a spreadsheet writes it; None for anything else."""
    if grouped := _GROUPED.fullmatch(text):
        return "".join(filter(str.isdigit, grouped[1]))
    if (match := _NUMBER.fullmatch(text)) is None:
        return None
    whole, part, exponent = match[1], match[2] or "", int(match[3] or 0)
    if len(part.rstrip("0")) > exponent or exponent > MAX_ID_LENGTH:
        return None
    return whole + part[:exponent].ljust(exponent, "0")


@lru_cache(maxsize=4096)
def _alike_letter(letter: str) -> str:
    digit = unicodedata.digit(letter, None)
    return str(digit) if digit is not None else _LOOK_ALIKE.get(one := plain_letters(letter), one)


def _narrow(character: str) -> str:
    if character.isascii() or unicodedata.east_asian_width(character) not in _WIDE:
        return character
    return unicodedata.normalize("NFKC", character)


def form_of(name: str) -> str:
    """Return the form by which the names of facts are compared: those that differ by their case alone are one."""
    return name.casefold()


def same_names(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Return those of the `names` that the others have too, by their forms, each with the other's way to write it."""
    forms = {form_of(other): other for other in others}
    return {name: forms[form_of(name)] for name in names if form_of(name) in forms}
