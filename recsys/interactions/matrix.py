"""The sparse customer × offer matrix that every model learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from recsys.interactions.past import Earlier, Past

Texts = Sequence[str] | NDArray[np.str_]
Numbers = Sequence[float] | NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class EventSequence:
    """k single events in the rows and columns of a matrix, by row and then oldest first; one basket has one age."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    age_days: NDArray[np.float32]
    weights: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> "EventSequence":
        """Return only the chosen events (k,)."""
        return EventSequence(self.rows[chosen], self.columns[chosen], self.age_days[chosen], self.weights[chosen])


@dataclass(frozen=True, slots=True)
class InteractionMatrix:
    """Evidence weights, float32 (customers, offers), with the id of every row and column.

    Where they are known, `age_days` (stored entries,) says how long ago the latest event behind each
    stored entry of `matrix` was, `events` are the single events, and `open_share` (offers,), 0–1, says to
    how many people an offer is still open to buy.
    """

    matrix: csr_matrix
    customer_ids: tuple[str, ...]
    offer_ids: tuple[str, ...]
    age_days: NDArray[np.float32] | None = None
    events: EventSequence | None = None
    open_share: NDArray[np.float64] | None = None
    earlier: "Earlier | None" = None

    def __post_init__(self) -> None:
        if self.matrix.shape != (len(self.customer_ids), len(self.offer_ids)):
            raise ValueError(f"ids do not fit a matrix of shape {self.matrix.shape}")
        if self.age_days is not None and self.age_days.shape != (self.matrix.nnz,):
            raise ValueError(f"{self.age_days.shape} ages do not fit {self.matrix.nnz} stored entries")
        if self.open_share is not None and self.open_share.shape != (len(self.offer_ids),):
            raise ValueError(f"{self.open_share.shape} open shares do not fit {len(self.offer_ids)} offers")

    def of_rows(self, rows: NDArray[np.intp]) -> "InteractionMatrix":
        """Return only the given rows, which are in ascending order, and all columns."""
        is_kept = np.zeros(self.matrix.shape[0], dtype=bool)
        is_kept[rows] = True
        ages = None if self.age_days is None else self.age_days[np.repeat(is_kept, np.diff(self.matrix.indptr))]
        events = None
        if self.events is not None:
            place = np.cumsum(is_kept) - 1
            kept = self.events.where(is_kept[self.events.rows])
            events = replace(kept, rows=place[kept.rows])
        names = tuple(self.customer_ids[row] for row in rows.tolist())
        earlier = None if self.earlier is None else _of_customers(self.earlier, frozenset(names))
        return replace(
            self, matrix=self.matrix[rows], customer_ids=names, age_days=ages, events=events, earlier=earlier
        )

    def without_entries(self, places: NDArray[np.intp]) -> "InteractionMatrix":
        """Return the same rows and columns without the stored entries at `places` and the events behind them."""
        matrix, width = self.matrix, len(self.offer_ids)
        is_left = np.ones(matrix.nnz, dtype=bool)
        is_left[places] = False
        starts = np.concatenate([[0], np.cumsum(is_left)])[matrix.indptr].astype(matrix.indptr.dtype)
        kept = csr_matrix((matrix.data[is_left], matrix.indices[is_left], starts), shape=matrix.shape)
        ages = None if self.age_days is None else self.age_days[is_left]
        events = None
        if self.events is not None:
            rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[places]
            gone = rows * np.int64(width) + matrix.indices[places]
            events = self.events.where(~np.isin(self.events.rows * np.int64(width) + self.events.columns, gone))
        return replace(self, matrix=kept, age_days=ages, events=events, earlier=None)


def _of_customers(earlier: "Earlier", names: frozenset[str]) -> "Earlier":
    def go_back(ages: Sequence[float], window: float) -> "list[Past]":
        return [past.of(names) for past in earlier(ages, window)]

    return go_back


def build_matrix(
    customers: Texts,
    offers: Texts,
    weights: Numbers | None = None,
    age_days: Numbers | None = None,
    catalogue: Texts = (),
) -> InteractionMatrix:
    """Return the matrix of parallel event columns: repeated pairs add up, the latest age of a pair stays.

    `catalogue` adds offers that no event names, as empty columns. Rows and columns are in id order, so
    that the same events in another order give the same matrix.
    """
    customer_ids, rows = np.unique(np.asarray(customers, dtype=str), return_inverse=True)
    offer_ids = np.unique(np.concatenate([np.asarray(offers, dtype=str), np.asarray(catalogue, dtype=str)]))
    columns = np.searchsorted(offer_ids, np.asarray(offers, dtype=str))
    evidence = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    ages = None if age_days is None else np.asarray(age_days, dtype=np.float32)
    return matrix_of((rows, columns), evidence, ages, tuple(customer_ids.tolist()), tuple(offer_ids.tolist()))


def matrix_of(
    places: tuple[NDArray[np.intp], NDArray[np.intp]],
    evidence: NDArray[np.floating[Any]],
    age_days: NDArray[np.float32] | None,
    customer_ids: tuple[str, ...],
    offer_ids: tuple[str, ...],
) -> InteractionMatrix:
    """Return the matrix of events at `places` (rows, columns), with its single events where their ages are known."""
    rows, columns = places
    width = max(len(offer_ids), 1)
    pairs, pair_of = np.unique(rows * np.int64(width) + columns, return_inverse=True)
    data = np.bincount(pair_of, weights=evidence, minlength=len(pairs)).astype(np.float32)
    matrix = csr_matrix((data, np.divmod(pairs, width)), shape=(len(customer_ids), len(offer_ids)))
    if age_days is None:
        return InteractionMatrix(matrix, customer_ids, offer_ids)
    ages = np.full(len(pairs), np.inf, dtype=np.float32)
    np.minimum.at(ages, pair_of, age_days)
    order = np.lexsort((columns, -age_days, rows))
    weights = evidence[order].astype(np.float32)
    events = EventSequence(rows[order], columns[order], age_days[order], weights)
    return InteractionMatrix(matrix, customer_ids, offer_ids, ages, events)
