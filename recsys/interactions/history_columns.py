"""The histories of many customers as parallel arrays: the same evidence and holdings as of one, computed at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.interaction import InteractionKind
from recsys.interactions.weights import EVIDENCE, SIGNAL_CEILING, SIGNAL_HALF_LIFE_DAYS, SIGNALS

KINDS = tuple(InteractionKind)
"""What a number in `HistoryColumns.kinds` stands for."""

_EVIDENCE = np.array([EVIDENCE[kind] for kind in KINDS])
_IS_SIGNAL = np.array([kind in SIGNALS for kind in KINDS])
_CANCELLED = KINDS.index(InteractionKind.CANCELLED)
_DECLINED = KINDS.index(InteractionKind.DECLINED)
_CHANGES_HOLDING = np.array(
    [kind in (InteractionKind.HOLDING, InteractionKind.ACCEPTED, InteractionKind.CANCELLED) for kind in KINDS]
)
_MICROSECONDS_PER_DAY = 86_400_000_000
_LONG_AGO = np.iinfo(np.int64).min

Places = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class HistoryColumns:
    """k events by customer (`rows`) and then oldest first; `offers` are places in a list of `width` ids.

    `at` is microseconds since 1970.
    """

    rows: Places
    offers: Places
    at: NDArray[np.int64]
    kinds: NDArray[np.int8]
    weights: NDArray[np.float64]
    width: int

    @property
    def pairs(self) -> NDArray[np.int64]:
        """(k,) one number for each pair of customer and offer."""
        return self.rows * np.int64(max(self.width, 1)) + self.offers

    def of_customers(self, start: int, stop: int) -> "HistoryColumns":
        """Return the events of the customers from `start` to before `stop`, whose rows count from 0 again."""
        first, last = np.searchsorted(self.rows, [start, stop])
        return HistoryColumns(
            self.rows[first:last] - np.int32(start),
            self.offers[first:last],
            self.at[first:last],
            self.kinds[first:last],
            self.weights[first:last],
            self.width,
        )

    def where(self, chosen: NDArray[Any]) -> "HistoryColumns":
        """Return the chosen events."""
        return HistoryColumns(
            self.rows[chosen], self.offers[chosen], self.at[chosen], self.kinds[chosen], self.weights[chosen],
            self.width,
        )  # fmt: skip

    def held(self) -> tuple[Places, Places]:
        """Return rows and offers of what is held, as `recsys.domain.interaction.held_offers` has it, in order."""
        events = self.where(_CHANGES_HOLDING[self.kinds])
        pairs = events.pairs
        order = np.argsort(pairs, kind="stable")
        latest = order[_is_last(pairs[order])]
        held = latest[events.kinds[latest] != _CANCELLED]
        return events.rows[held], events.offers[held]

    def evidence(self, now: int, customers: int) -> csr_matrix:
        """Return the weights (customers, width) of `recsys.interactions.weights.history_weights` at the moment `now`.

        No event may be later than `now` (microseconds since 1970).
        """
        pairs, place = np.unique(self.pairs, return_inverse=True)
        is_cancelled = self.kinds == _CANCELLED
        cancelled_at = np.full(len(pairs), _LONG_AGO)
        np.maximum.at(cancelled_at, place[is_cancelled], self.at[is_cancelled])
        evidence = _EVIDENCE[self.kinds] * self.weights
        is_signal = _IS_SIGNAL[self.kinds]
        age_days = (now - self.at[is_signal]) / _MICROSECONDS_PER_DAY
        faded = evidence[is_signal] * 0.5 ** (age_days / SIGNAL_HALF_LIFE_DAYS)
        counts = ~is_signal & (self.at > cancelled_at[place])
        totals = np.bincount(place[counts], weights=evidence[counts], minlength=len(pairs))
        totals += np.minimum(np.bincount(place[is_signal], weights=faded, minlength=len(pairs)), SIGNAL_CEILING)
        known = np.flatnonzero(totals > 0)
        where = np.divmod(pairs[known], max(self.width, 1))
        return csr_matrix((totals[known], where), shape=(customers, self.width))

    def declines_since(self, moment: int, customers: int) -> NDArray[np.int64]:
        """Return (customers,) how often each declined something after `moment`."""
        counted = (self.kinds == _DECLINED) & (self.at > moment)
        return np.bincount(self.rows[counted], minlength=customers)


def _is_last(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (k,) whether an entry of sorted `numbers` is the last of its value."""
    return np.append(numbers[1:] != numbers[:-1], True)[: len(numbers)]
