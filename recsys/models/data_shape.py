"""How much there is to learn from: what parameters suit it, and how much memory a fit needs, depend on it."""

from dataclasses import dataclass
from math import ceil
from typing import Self

from recsys.interactions.matrix import InteractionMatrix


@dataclass(frozen=True, slots=True)
class DataShape:
    """A matrix of `customers` × `offers` with `entries` stored pairs, and the single `events` behind them (or 0)."""

    customers: int
    offers: int
    entries: int
    events: int = 0

    @classmethod
    def of(cls, interactions: InteractionMatrix) -> Self:
        """Return the shape of `interactions`."""
        customers, offers = interactions.matrix.shape
        events = 0 if interactions.events is None else len(interactions.events.rows)
        return cls(customers, offers, int(interactions.matrix.nnz), events)

    @property
    def density(self) -> float:
        """The share (0–1) of all pairs of a customer and an offer that are stored."""
        return self.entries / max(self.customers * self.offers, 1)

    def grown(self, times: float) -> "DataShape":
        """Return the shape of so many times the customers and what is known of them, over the same offers."""
        return DataShape(
            ceil(self.customers * times), self.offers, ceil(self.entries * times), ceil(self.events * times)
        )
