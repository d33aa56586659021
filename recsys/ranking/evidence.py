"""Evidence: how often offers were accepted and answered lately, under a name that is the digest of what it says."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Counts = Mapping[str, tuple[int, int]]
"""Offer → (accepted, answered); an offer that is not named was not answered."""

_NOBODY = (0, 0)


@dataclass(frozen=True)
class OfferEvidence:
    """What customers answered to offers; the same counts always have the same `version`."""

    counts: Counts
    version: str = field(init=False)
    _latest: tuple[Sequence[str], NDArray[np.float64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {offer: (int(took), int(said)) for offer, (took, said) in sorted(self.counts.items()) if said > 0}
        content = json.dumps(known, ensure_ascii=False, separators=(",", ":"))
        object.__setattr__(self, "counts", known)
        object.__setattr__(self, "version", f"e-{hashlib.sha256(content.encode()).hexdigest()[:16]}")
        object.__setattr__(self, "_latest", ((), np.zeros((0, 2))))

    def answered(self, offer_id: str) -> int:
        """Return how often the offer was answered."""
        return self.counts.get(offer_id, _NOBODY)[1]

    def of(self, offer_ids: Sequence[str]) -> NDArray[np.float64]:
        """Return (m, 2): how often each of `offer_ids` was accepted, and answered at all; not to be written to."""
        latest = self._latest
        if latest[0] is not offer_ids:  # a catalogue asks with the same tuple again and again
            counts = [self.counts.get(offer_id, _NOBODY) for offer_id in offer_ids]
            latest = offer_ids, np.array(counts, dtype=np.float64).reshape(-1, 2)
            object.__setattr__(self, "_latest", latest)
        return latest[1]
