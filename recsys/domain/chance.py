"""Chance that can be looked at again: a number from 0 to 1 that a salt and a unit always give alike."""

import hashlib
from collections.abc import Callable


def uniform(salt: str, unit: str) -> float:
    """Return a number in [0, 1), evenly spread over units and unrelated between salts.

    The first 64 bits of SHA-256("{salt}:{unit}") as a fraction, the same on every machine and in every language.
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def salted(salt: str) -> Callable[[bytes], float]:
    """Return `uniform` of this salt for units in UTF-8, for those who ask often."""
    salted_hash = hashlib.sha256(f"{salt}:".encode())

    def uniform_of(unit: bytes) -> float:
        digest = salted_hash.copy()
        digest.update(unit)
        return int.from_bytes(digest.digest()[:8], "big") / 2**64

    return uniform_of
