"""Relevance signals blended by a conditional logit, for small catalogues where no single model wins."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from recsys.interactions.timeline import Timeline, log_shares
from recsys.models.base import (
    Arrays,
    Contributions,
    Parameters,
    RelevanceModel,
    fill_unknown,
    is_empty,
    popularity_of,
    require_shape,
    shares_of,
)
from recsys.models.data_shape import DataShape

_BLOCK_DAYS = 30.0
_WARM_UP_DAYS = 120.0
_MOST_OF_SPAN = 0.25
"""Of a short log, a block takes at most this share, and the warm-up twice as much."""
_ONCE_BELOW = 0.9
_LEAST_OPEN = 1e-3
_MOST_ITERATIONS = 200
_MOST_EXAMPLES = 200_000
_MOST_NUMBERS = 20_000_000
_CLOSED = -1e9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Examples:
    """e purchases: what was known before (e, m), the log-odds without that, the offer chosen (e,), and its weight."""

    known: csr_matrix
    offsets: Floats
    chosen: NDArray[np.intp]
    weights: Floats


class Blend(RelevanceModel):
    """The log-odds of each offer among those open to the customer, a sum of signals (McFadden 1974).

    score = log recent popularity − log share of people it is open to + shift + Σ W[held, offer]. The first
    two turn "how often bought" into "how often bought by those who still can"; the shift is how people with
    known purchases choose differently; W, one weight a pair of offers, is what a purchase says of the next.
    W is fitted in time order: every example's offset is computed from earlier blocks of 30 days only, so
    that nothing learned at the first stage leaks into the second. Without times an offer is predicted from the
    customer's others; so it is from others of the same moment where next to nobody had taken anything before, as in
    a stock of one date.
    """

    name: ClassVar[str] = "blend"
    most_offers: ClassVar[int | None] = 1_000

    def __init__(
        self, half_life_days: float = 60.0, long_half_life_days: float = 180.0, regularization: float = 10.0
    ) -> None:
        if not half_life_days > 0 or not long_half_life_days > 0 or not regularization > 0:
            raise ValueError("half_life_days, long_half_life_days and regularization are positive")
        self.half_life_days, self.long_half_life_days = float(half_life_days), float(long_half_life_days)
        self.regularization = float(regularization)
        none = np.zeros(0, dtype=np.float32)
        self.popularity, self.level, self.shift, self.weights = none, none, none, np.zeros((0, 0), dtype=np.float32)

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`; raises ValueError for a catalogue of more than `most_offers`."""
        popularity_of(interactions)
        offers, share = len(interactions.offer_ids), interactions.open_share
        if self.most_offers is not None and offers > self.most_offers:
            raise ValueError(f"blend is for at most {self.most_offers} offers; there are {offers}")
        is_once = np.ones(offers, dtype=bool) if share is None else share < _ONCE_BELOW
        if interactions.events is None:
            recent, shift = log_shares(np.asarray(interactions.matrix.sum(axis=0)).ravel()), np.zeros(offers)
            examples = _each_from_the_others(interactions.matrix, recent, is_once, rng)
        else:
            timeline = Timeline(interactions.events, offers)
            recent, shift = self._prior(timeline, timeline.age >= 0, 0.0)
            examples = self._in_time_order(timeline, is_once, rng)
            if len(examples.chosen) < offers:  # hardly anybody bought anything before something else
                baskets = _each_from_the_others(timeline.baskets(), recent, is_once, rng)
                examples = _both(examples, baskets)
        level = recent if share is None else recent - np.log(np.maximum(share, _LEAST_OPEN))
        self.level, self.shift = level.astype(np.float32), shift.astype(np.float32)
        self.weights = _fit_weights(examples, self.regularization).astype(np.float32)
        self.popularity = np.exp(level - level.max()).astype(np.float32)
        return self

    def _prior(self, timeline: Timeline, before: NDArray[np.bool_], now: float) -> tuple[Floats, Floats]:
        """Return the log recent popularity and the shift of people with known purchases, from the events `before`."""
        recent = timeline.log_popularity(self.half_life_days, before, now)
        everybody = timeline.evidence(self.long_half_life_days, before, now)
        again = timeline.evidence(self.long_half_life_days, before & (timeline.earlier > 0), now)
        if again.sum() < len(again):  # where next to nobody comes back, those who do choose as everybody
            return recent, np.zeros(len(again))
        return recent, log_shares(again) - log_shares(everybody)

    def _in_time_order(self, timeline: Timeline, is_once: NDArray[np.bool_], rng: np.random.Generator) -> _Examples:
        age, offers = timeline.age, len(is_once)
        block_days = min(_BLOCK_DAYS, _MOST_OF_SPAN * float(age.max()))
        warm_up_days = min(_WARM_UP_DAYS, 2 * _MOST_OF_SPAN * float(age.max()))
        usable = np.flatnonzero((timeline.earlier > 0) & (age <= age.max() - warm_up_days))
        usable = _at_most(usable, offers, rng)
        offsets = np.zeros((len(usable), offers))
        begins = age.max() - np.floor((age.max() - age[usable]) / (block_days or 1.0)) * block_days
        for begin in np.unique(begins):
            offsets[begins == begin] = np.add(*self._prior(timeline, age > begin, begin))
        known, basket = timeline.known_before(usable), timeline.basket_of(usable)
        offsets[(known.toarray() > 0) & is_once & ~(basket.toarray() > 0)] = _CLOSED
        weights = timeline.events.weights[usable] * 0.5 ** (age[usable] / self.long_half_life_days)
        return _Examples(known, offsets, timeline.events.columns[usable], weights)

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: three tables of examples × offers, and what L-BFGS remembers of the weights."""
        examples = min(shape.events or shape.entries, _MOST_EXAMPLES, max(1, _MOST_NUMBERS // shape.offers))
        return 24 * examples * shape.offers + 8 * 25 * shape.offers**2

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`; a weight above 1 counts as 1: a purchase is known or not."""
        known = histories.astype(np.float32)
        known.data = np.minimum(known.data, 1.0)
        scores = np.asarray(known @ self.weights)[:, columns] + (self.level + self.shift)[columns]
        return fill_unknown(scores, is_empty(histories), self.popularity[columns])

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`: the W of every held offer; popularity and shift are the base."""
        if history.nnz == 0:
            return Contributions(float(self.popularity[column]), {})
        shares = np.minimum(history.data, 1.0) * self.weights[history.indices, column]
        return Contributions(float(self.level[column] + self.shift[column]), shares_of(history, shares))

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {
            "half_life_days": self.half_life_days,
            "long_half_life_days": self.long_half_life_days,
            "regularization": self.regularization,
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`; what is all zero is left out."""
        arrays = {"level": self.level, "shift": self.shift, "weights": self.weights, "popularity": self.popularity}
        return {name: array for name, array in arrays.items() if name in ("level", "popularity") or array.any()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        model.popularity, model.level = arrays["popularity"], arrays["level"]
        size = len(model.popularity)
        model.shift = arrays.get("shift", np.zeros(size, dtype=np.float32))
        model.weights = arrays.get("weights", np.zeros((size, size), dtype=np.float32))
        for name in ("popularity", "level", "shift"):
            require_shape(getattr(model, name), (size,), name)
        require_shape(model.weights, (size, size), "weights")
        return model


def _at_most(places: NDArray[np.intp], offers: int, rng: np.random.Generator) -> NDArray[np.intp]:
    most = min(_MOST_EXAMPLES, max(1, _MOST_NUMBERS // offers))
    return places if len(places) <= most else np.sort(rng.choice(places, most, replace=False))


def _each_from_the_others(
    matrix: csr_matrix, recent: Floats, is_once: NDArray[np.bool_], rng: np.random.Generator
) -> _Examples:
    """Return one example for each stored entry of customers with several: the others are what is known."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    places = _at_most(np.flatnonzero(np.diff(matrix.indptr)[rows] > 1), matrix.shape[1], rng)
    known = matrix[rows[places]].astype(np.float64)
    known.data[:] = 1.0
    chosen = matrix.indices[places].astype(np.intp)
    known = (known - csr_matrix((np.ones(len(places)), (np.arange(len(places)), chosen)), known.shape)).tocsr()
    known.eliminate_zeros()
    offsets = np.tile(recent, (len(places), 1))
    offsets[(known.toarray() > 0) & is_once] = _CLOSED
    return _Examples(known, offsets, chosen, np.ones(len(places)))


def _both(some: _Examples, others: _Examples) -> _Examples:
    return _Examples(
        vstack([some.known, others.known], format="csr"),
        np.concatenate([some.offsets, others.offsets]),
        np.concatenate([some.chosen, others.chosen]),
        np.concatenate([some.weights, others.weights]),
    )


def _fit_weights(examples: _Examples, penalty: float) -> Floats:
    """Return W (m, m) that minimises −Σ w log P(chosen | known) + penalty Σ W², by L-BFGS."""
    from scipy.optimize import minimize

    offers = examples.offsets.shape[1]
    number = np.arange(len(examples.chosen))
    known, transposed = examples.known, examples.known.T.tocsr()
    if len(number) == 0:
        return np.zeros((offers, offers))

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(offers, offers)
        chances = examples.offsets + known @ weights
        chances -= chances.max(axis=1, keepdims=True)
        np.exp(chances, out=chances)
        chances /= chances.sum(axis=1, keepdims=True)
        value = -float(examples.weights @ np.log(chances[number, examples.chosen])) + penalty * float(flat @ flat)
        chances *= examples.weights[:, None]
        chances[number, examples.chosen] -= examples.weights
        return value, (transposed @ chances).ravel() + 2 * penalty * flat

    found = minimize(
        loss, np.zeros(offers * offers), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_ITERATIONS}
    )
    return np.asarray(found.x.reshape(offers, offers))
