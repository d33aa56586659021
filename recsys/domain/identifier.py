"""Identifiers of customers, offers, contacts and agents: one normal form and one length at every door."""

import re
import unicodedata

MAX_ID_LENGTH = 200
_WIDE = frozenset("FH")
_NUMBER = re.compile(r"0*(\d+?)(?:\.0+)?")
_JOINING = frozenset("-_,'\u2010\u2011\u2012\u2013\u2014\u2212")


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
    """Return a key that is equal for identifiers which a person may take for the same one.

    They differ by case, width, accents' encoding, or by blanks, hyphens and underscores alone; numbers also by zeros
    before them, a decimal part of zeros, or thousands marks.
    """
    folded = unicodedata.normalize("NFKC", identifier).casefold()
    key = "".join(character for character in folded if not (character.isspace() or character in _JOINING))
    number = _NUMBER.fullmatch(key)
    return number[1] if number else key


def _narrow(character: str) -> str:
    if character.isascii() or unicodedata.east_asian_width(character) not in _WIDE:
        return character
    return unicodedata.normalize("NFKC", character)
