"""Chance that can be looked at again: a number from 0 to 1 that a salt and a unit always give alike."""

import hashlib
from collections.abc import Callable
from struct import Struct

_FIRST_64_BITS = Struct(">Q").unpack_from
_RESOLUTION = 2.0**-64


def uniform(salt: str, unit: str) -> float:
    """Return a number in [0, 1), evenly spread over units and unrelated between salts.

    The first 64 bits of SHA-256("{salt}:{unit}") as a fraction, the same on every machine and in every language.
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def salted(salt: str) -> Callable[[bytes], float]:
    """Return `uniform` of this salt for units in UTF-8, for those who ask often."""
    begun = hashlib.sha256(f"{salt}:".encode()).copy

    def uniform_of(unit: bytes) -> float:
        hashed = begun()
        hashed.update(unit)
        bits: int = _FIRST_64_BITS(hashed.digest())[0]
        return bits * _RESOLUTION  # the same number as the division by 2⁶⁴, at a third of its time

    return uniform_of
