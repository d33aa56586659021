"""Purchases in time order: what each customer had taken before each of them, and how popular offers were then."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import EventSequence

Floats = NDArray[np.float64]


class Timeline:
    """Events by customer, oldest first.

    `age` (events,) is in days before the last event of all, `earlier` (events,) counts the customer's events before.
    """

    def __init__(self, events: EventSequence, offers: int) -> None:
        self.events, self.offers = events, offers
        self.age = events.age_days.astype(np.float64) - float(events.age_days.min())
        place = np.arange(len(events.rows))
        is_new_customer = np.diff(events.rows, prepend=-1) != 0
        is_new_basket = is_new_customer | (np.diff(events.age_days, prepend=-1.0) != 0)
        self._customer_start = np.maximum.accumulate(np.where(is_new_customer, place, 0))
        self._basket_start = np.maximum.accumulate(np.where(is_new_basket, place, 0))
        ends = np.append(place[is_new_basket][1:], len(place))
        self._basket_end = ends[np.cumsum(is_new_basket) - 1]
        self.earlier = self._basket_start - self._customer_start

    def log_popularity(self, half_life: float, chosen: NDArray[np.bool_], now: float) -> Floats:
        """Return (offers,) the log share of each offer among the chosen events, halved every half-life before `now`."""
        return log_shares(self.evidence(half_life, chosen, now))

    def evidence(self, half_life: float, chosen: NDArray[np.bool_], now: float) -> Floats:
        """Return (offers,) what the chosen events of each offer come to, halved every half-life before `now`."""
        decayed = self.events.weights[chosen] * 0.5 ** ((self.age[chosen] - now) / half_life)
        return np.bincount(self.events.columns[chosen], weights=decayed, minlength=self.offers).astype(np.float64)

    def baskets(self) -> csr_matrix:
        """Return 0/1 (baskets, offers): what a customer took at one moment."""
        firsts = np.unique(self._basket_start)
        return self._marks(firsts, self._basket_end[firsts])

    def known_before(self, places: NDArray[np.intp]) -> csr_matrix:
        """Return 0/1 (places, offers): what the customer of each event had taken before it."""
        return self._marks(self._customer_start[places], self._basket_start[places])

    def basket_of(self, places: NDArray[np.intp]) -> csr_matrix:
        """Return 0/1 (places, offers): what was taken together with each event, itself included."""
        return self._marks(self._basket_start[places], self._basket_end[places])

    def _marks(self, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> csr_matrix:
        pointers = np.concatenate([[0], np.cumsum(ends - starts)])
        inside = np.arange(pointers[-1]) - np.repeat(pointers[:-1], ends - starts)
        columns = self.events.columns[np.repeat(starts, ends - starts) + inside]
        marks = csr_matrix((np.ones(len(columns)), columns, pointers), shape=(len(starts), self.offers))
        marks.sum_duplicates()
        marks.data[:] = 1.0
        return marks


def log_shares(evidence: NDArray[Any]) -> Floats:
    """Return the log share of each offer, with one unit of evidence added to every one."""
    smoothed = evidence.astype(np.float64) + 1.0
    return np.asarray(np.log(smoothed / smoothed.sum()))
