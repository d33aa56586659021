"""The greedy lists of many customers at once: shortlist, order, one offer a family, sales within the caps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NOTHING = -1


def best_of(chosen: Bools, priorities: Floats, length: int) -> Bools:
    """Return (n, m) the `length` best of the `chosen` in every row; ties go to the lower column."""
    many = np.flatnonzero(chosen.sum(axis=1) > length)
    if not len(many):
        return chosen
    worth = np.where(chosen[many], priorities[many], -np.inf)
    last = np.partition(worth, -length, axis=1)[:, -length][:, None]
    above, level = worth > last, worth == last
    left = length - above.sum(axis=1, keepdims=True)
    best = chosen.copy()
    best[many] = above | (level & (np.cumsum(level, axis=1) <= left))
    return best


def arrange_many(
    candidates: Bools, priorities: Floats, table: OfferTable, length: int, sales_left: NDArray[np.integer[Any]]
) -> NDArray[np.int32]:
    """Return (n, length) the columns on every list, NOTHING behind its end: `arbitration.arrange` for n customers.

    The best first, ties by column; a family at most once, and no more sales than `sales_left` (n,).
    """
    worth = np.where(candidates, priorities, -np.inf)
    family = table.family.astype(np.int32)
    left = sales_left.copy()
    rows = np.arange(len(worth))
    found = np.full((len(worth), length), NOTHING, dtype=np.int32)
    for place in range(length):
        picked = worth.argmax(axis=1)
        is_found = worth[rows, picked] > -np.inf
        if not is_found.any():
            break
        found[is_found, place] = picked[is_found]
        left -= table.is_sale[picked] & is_found
        np.copyto(worth, -np.inf, where=family[picked][:, None] == family)
        full = np.flatnonzero(left <= 0)
        if len(full):
            worth[np.ix_(full, table.is_sale)] = -np.inf
    return found


@dataclass(frozen=True, slots=True)
class Lists:
    """(n, length) what n customers are shown: columns (NOTHING behind the end), propensities and priorities."""

    columns: NDArray[np.int32]
    propensity: Floats
    priority: Floats

    @classmethod
    def of(cls, columns: NDArray[np.int32], propensity: Floats, priority: Floats) -> "Lists":
        """Return the lists with what (n, m) arrays say of their offers, 0 where there is none."""
        rows, shown = np.arange(len(columns))[:, None], columns != NOTHING
        return cls(columns, *(np.where(shown, values[rows, columns], 0.0) for values in (propensity, priority)))
