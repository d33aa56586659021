"""Earlier moments of a log: what was known at each, and what turned out to be bought after it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import EventSequence, InteractionMatrix, matrix_of


@dataclass(frozen=True, slots=True)
class Past:
    """What was known at an earlier moment, and n customers who then bought what they did not hold.

    `known` is the evidence of then over the offers of now, `customers` (its rows, f) the encoded facts of then. Of the
    n customers `histories`, `relevant` (what they bought) and `excluded` (what they held) are sparse (n, offers), and
    `facts` (n, f) as they were known at that moment.
    """

    known: InteractionMatrix
    customers: csr_matrix | None
    customer_ids: tuple[str, ...]
    histories: csr_matrix
    relevant: csr_matrix
    excluded: csr_matrix
    facts: csr_matrix | None

    def of(self, customer_ids: frozenset[str]) -> "Past":
        """Return the same of these customers alone."""
        rows = np.flatnonzero([name in customer_ids for name in self.known.customer_ids])
        asked = np.flatnonzero([name in customer_ids for name in self.customer_ids])
        return Past(
            self.known.of_rows(rows),
            None if self.customers is None else self.customers[rows],
            tuple(self.customer_ids[place] for place in asked.tolist()),
            self.histories[asked],
            self.relevant[asked],
            self.excluded[asked],
            None if self.facts is None else self.facts[asked],
        )


class Earlier(Protocol):
    """Goes back from the moment of a matrix to earlier ones."""

    def __call__(self, ages: Sequence[float], window: float) -> list[Past]:
        """Return the past of each age (days before now), and what was bought in the `window` days after it.

        Moments at which nothing was known, or after which nobody bought anything, are left out.
        """


def earlier_from_events(interactions: InteractionMatrix, customers: csr_matrix | None) -> Earlier:
    """Return the pasts that the single purchases tell; the facts (rows, f) are those of now."""

    def go_back(ages: Sequence[float], window: float) -> list[Past]:
        found = (_past_of_events(interactions, customers, age, window) for age in ages)
        return [past for past in found if past is not None]

    return go_back


def _past_of_events(
    interactions: InteractionMatrix, customers: csr_matrix | None, age: float, window: float
) -> Past | None:
    events, names = interactions.events, np.array(interactions.customer_ids, dtype=object)
    if events is None:
        return None
    is_known = events.age_days >= age
    is_next = ~is_known & (events.age_days >= age - window)
    if not is_known.any() or not is_next.any():
        return None
    shape = interactions.matrix.shape
    ones = np.ones(int(is_next.sum()), dtype=np.float32)
    bought = csr_matrix((ones, (events.rows[is_next], events.columns[is_next])), shape=shape)
    then = events.where(is_known)
    matrix = csr_matrix((then.weights, (then.rows, then.columns)), shape=shape)
    relevant = (bought - bought.multiply(matrix > 0)).tocsr()
    relevant.eliminate_zeros()
    asked = np.flatnonzero(np.diff(relevant.indptr))
    if len(asked) == 0:
        return None
    rows = np.flatnonzero(np.diff(matrix.indptr))
    return Past(
        _known(then, age, rows, interactions),
        None if customers is None else customers[rows],
        tuple(names[asked].tolist()),
        matrix[asked],
        _marks(relevant[asked]),
        _marks(matrix[asked]),
        None if customers is None else customers[asked],
    )


def _known(then: EventSequence, age: float, rows: NDArray[np.intp], now: InteractionMatrix) -> InteractionMatrix:
    """Return the matrix of the events of then, its rows those of `rows`, all offers of now as columns."""
    place = np.full(now.matrix.shape[0], -1)
    place[rows] = np.arange(len(rows))
    names = [now.customer_ids[row] for row in rows.tolist()]
    places = (place[then.rows], then.columns)
    built = matrix_of(places, then.weights, then.age_days - np.float32(age), tuple(names), now.offer_ids)
    share = now.open_share if now.open_share is None else _open_share(built.matrix, now.open_share)
    return replace(built, open_share=share)


def _open_share(matrix: csr_matrix, now: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return to how many an offer was open then; what is open to everybody now was so then."""
    held = np.bincount(matrix.indices, minlength=matrix.shape[1]) / max(1, matrix.shape[0])
    return np.where(now >= 1.0, 1.0, 1.0 - held)


def left_out(
    interactions: InteractionMatrix, customers: csr_matrix | None, folds: int, rng: np.random.Generator
) -> list[Past]:
    """Return `folds` parts of the customers, each held against what the others tell, for a log without time.

    Of every customer with two offers or more one is hidden, drawn at random: it is what was bought.
    """
    matrix = interactions.matrix
    fold_of = rng.integers(0, folds, matrix.shape[0])
    names = np.array(interactions.customer_ids, dtype=object)
    found = []
    for fold in range(folds):
        others, asked = (
            np.flatnonzero(fold_of != fold),
            np.flatnonzero((fold_of == fold) & (np.diff(matrix.indptr) > 1)),
        )
        if len(others) == 0 or len(asked) == 0:
            continue
        mine = matrix[asked]
        starts, counts = mine.indptr[:-1], np.diff(mine.indptr)
        hidden = starts + (rng.random(len(asked)) * counts).astype(np.intp)
        is_left = np.ones(mine.nnz, dtype=bool)
        is_left[hidden] = False
        shape = mine.shape
        relevant = csr_matrix((np.ones(len(asked), np.float32), mine.indices[hidden], np.arange(len(asked) + 1)), shape)
        pointers = np.concatenate([[0], np.cumsum(counts - 1)])
        histories = csr_matrix((mine.data[is_left], mine.indices[is_left], pointers), shape)
        known = replace(interactions.of_rows(others), earlier=None)
        of_others = None if customers is None else customers[others]
        facts = None if customers is None else customers[asked]
        found.append(
            Past(known, of_others, tuple(names[asked].tolist()), histories, relevant, _marks(histories), facts)
        )
    return found


def _marks(matrix: csr_matrix) -> csr_matrix:
    marks = matrix.astype(np.float32)
    marks.data = np.ones_like(marks.data)
    return marks
