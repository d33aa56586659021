"""Which offers answer the needs heard in this contact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.contact import Intent


@dataclass(frozen=True, slots=True)
class Matches:
    """(m,) of each offer the surest intent it answers, as a place in `intents` (−1: none), and its confidence."""

    intents: Sequence[Intent]
    place: NDArray[np.intp]
    confidence: NDArray[np.float64]

    @property
    def found(self) -> NDArray[np.bool_]:
        """(m,) which offers answer an intent at all."""
        return self.place >= 0

    def name(self, column: int) -> str | None:
        """Return the name of the intent that the offer answers, or None."""
        place = int(self.place[column])
        return None if place < 0 else self.intents[place].name


def match_intents(intents: Sequence[Intent], table: OfferTable) -> Matches:
    """Return the surest of `intents` that each offer answers, by its intents, its family or its own name."""
    place = np.full(len(table), -1, dtype=np.intp)
    confidence = np.zeros(len(table))
    for number, intent in enumerate(intents):
        columns = table.of_intent.get(intent.name)
        if columns is not None:
            surer = columns[(intent.confidence > confidence[columns]) | (place[columns] < 0)]
            place[surer], confidence[surer] = number, intent.confidence
    return Matches(intents, place, confidence)
