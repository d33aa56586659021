"""What the ranker's trees see of a customer and an offer: numbers learned as of one moment, made in one place."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import FeatureSpace
from recsys.interactions.timeline import log_shares
from recsys.models.base import Arrays, decayed_evidence, is_empty, require_shape
from recsys.models.blend import Blend
from recsys.models.data_shape import DataShape
from recsys.models.ease import Ease
from recsys.models.item_item import ItemItem

RECENT_DAYS, LONG_DAYS = 60.0, 365.0
_PSEUDO_CUSTOMERS = 25.0
_PSEUDO_STEPS = 20.0
_MOST_FOR_STEPS = 1_000
_MOST_FOR_EASE = 5_000
_LEAST_OPEN = 1e-3
_NO_BAND = -1.0
_SINGLE_VALUES = 8
"""A fact of no more values than that is also shown as it is, not only by what it says of an offer."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Facts:
    """How the encoded facts hang together: (f,) the fact of each column, and its band (−1: not a number)."""

    fact_of: NDArray[np.int32]
    band_of: NDArray[np.int32]

    @classmethod
    def of(cls, space: FeatureSpace) -> "Facts":
        """Return what the space says; facts are numbered in the order of `space.facts`."""
        fact_of, band_of = np.zeros(len(space), np.int32), np.full(len(space), -1, np.int32)
        for number, (name, places) in enumerate(space.facts.items()):
            fact_of[places] = number
            if name in space.bands:
                band_of[places] = [int(space.columns[place].partition("=")[2]) for place in places]
        return cls(fact_of, band_of)

    @property
    def count(self) -> int:
        """How many facts there are."""
        return int(self.fact_of.max()) + 1 if len(self.fact_of) else 0

    def columns(self, fact: int) -> NDArray[np.intp]:
        """Return the columns of a fact."""
        return np.flatnonzero(self.fact_of == fact)


@dataclass(frozen=True)
class Signals:
    """What was learned as of a moment; `sources` are collaborative families fitted then, the base first.

    `recent`, `long` and `open_share` (offers,) are log popularities and to how many each offer is open, `lift` (f,
    offers) is how much more often people with a value took an offer, `steps` (offers, offers) how much more often an
    offer came straight after another, both log ratios drawn towards 0.
    """

    sources: tuple[Blend | Ease | ItemItem, ...]
    recent: Floats
    long: Floats
    open_share: Floats
    lift: Floats
    steps: Floats
    facts: Facts

    @classmethod
    def learn(
        cls, interactions: InteractionMatrix, customers: csr_matrix | None, facts: Facts, rng: np.random.Generator
    ) -> "Signals":
        """Return what `interactions` and the encoded facts of its customers (rows, f) say.

        Raises ValueError when there is nothing to learn from.
        """
        offers = len(interactions.offer_ids)
        share = interactions.open_share
        return cls(
            tuple(family.fit(interactions, rng=rng) for family in _families(offers)),
            _popularity(interactions, RECENT_DAYS),
            _popularity(interactions, LONG_DAYS),
            np.log(np.maximum(np.ones(offers) if share is None else share, _LEAST_OPEN)).astype(np.float32),
            _lift(interactions.matrix, customers, len(facts.fact_of)),
            _steps(interactions),
            facts,
        )

    @property
    def level(self) -> Floats:
        """How often each offer is bought by those who still can (offers,), log."""
        return self.recent - self.open_share

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The trees' columns in order; what they are about comes before the colon."""
        sources = [f"history:{source.name}" for source in self.sources]
        steps = ["history:step", "history:best step"] if self.steps.size else []
        general = ["general:recent", "general:long", "general:open"]
        of_facts = [f"fact {fact}:{part}" for fact in range(self.facts.count) for part in self._parts(fact)]
        return (*sources, *steps, "history:own", "history:size", *general, *of_facts)

    @cached_property
    def monotone(self) -> tuple[int, ...]:
        """What may only raise (1) the score: whatever says by itself that the offer is the likelier."""
        raising = {"step", "best step", "lift", *(source.name for source in self.sources)}
        return tuple(int(name.partition(":")[2] in raising) for name in self.names)

    def base(self, histories: csr_matrix) -> Floats:
        """Return (2, n, offers): the score of the first source, and the level, from which the trees start."""
        scores = self._source(self.sources[0], histories)
        return np.stack([scores, np.broadcast_to(self.level, scores.shape)])

    def columns(self, histories: csr_matrix, customers: csr_matrix | None, first: Floats) -> list[Floats]:
        """Return the trees' columns in the order of `names`, each to be spread over (n, offers).

        `first` is what `base` gave for the first source. A fact that is not known lifts nothing (0), and is in band −1.
        """
        n = histories.shape[0]
        taken = histories.astype(np.float32)
        taken.data = np.minimum(taken.data, np.float32(1))
        size = np.asarray(taken.sum(axis=1), dtype=np.float32)
        found: list[NDArray[Any]] = [first, *(self._source(source, histories) for source in self.sources[1:])]
        if self.steps.size:
            mean = np.asarray(taken @ self.steps, dtype=np.float32) / np.maximum(size, np.float32(1))
            found += [np.asarray(mean, dtype=np.float32), self._best_step(taken)]
        found += [taken.toarray(), size]
        found += [self.recent[None], self.long[None], self.open_share[None]]
        width = len(self.facts.fact_of)
        known = np.zeros((n, width), np.float32) if customers is None else customers.toarray()
        for fact in range(self.facts.count):
            found += self._of_fact(fact, known)
        return [np.asarray(column, dtype=np.float32) for column in found]

    def _source(self, source: Blend | Ease | ItemItem, histories: csr_matrix) -> Floats:
        scores = source.score(histories, np.arange(len(self.recent)))
        nobody = is_empty(histories)
        if nobody.any():
            scores[nobody] = source.level if isinstance(source, Blend) else 0.0
        return scores

    def _best_step(self, taken: csr_matrix) -> Floats:
        """Return (n, offers) the largest step from anything a customer took; 0 for who took nothing."""
        best = np.zeros(taken.shape, dtype=np.float32)
        starts, counts = taken.indptr[:-1], np.diff(taken.indptr)
        some = np.flatnonzero(counts)
        if len(some):
            best[some] = np.maximum.reduceat(self.steps[taken.indices], starts[some], axis=0)
        return best

    def _parts(self, fact: int) -> list[str]:
        places, bands = self._places[fact]
        if bands is not None:
            return ["lift", "value"]
        return ["lift", *(f"value {place}" for place in range(len(places)) if len(places) <= _SINGLE_VALUES)]

    def _of_fact(self, fact: int, known: Floats) -> list[Floats]:
        places, bands = self._places[fact]
        mine = known[:, places]
        lift = mine @ self.lift[places]
        if bands is not None:
            value = (mine @ (bands - _NO_BAND) + _NO_BAND).reshape(-1, 1)  # a person has one band, or none
            return [lift, value]
        return [lift, *(mine[:, [place]] for place in range(len(places)) if len(places) <= _SINGLE_VALUES)]

    @cached_property
    def _places(self) -> list[tuple[NDArray[np.intp], Floats | None]]:
        """Return for each fact its columns, and their bands where it is a number."""
        found = []
        for fact in range(self.facts.count):
            places = self.facts.columns(fact)
            bands = self.facts.band_of[places].astype(np.float32)
            found.append((places, bands if (bands >= 0).any() else None))
        return found

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned; what is all zero is left out."""
        own = {
            "recent": self.recent, "long": self.long, "open_share": self.open_share, "lift": self.lift,
            "steps": self.steps, "fact_of": self.facts.fact_of, "band_of": self.facts.band_of,
        }  # fmt: skip
        kept = {name: array for name, array in own.items() if array.dtype.kind == "i" or array.any()}
        for source in self.sources:
            kept |= {f"{source.name}.{name}": array for name, array in source.to_arrays().items()}
        return kept

    @classmethod
    def from_arrays(cls, arrays: Arrays, offers: int) -> "Signals":
        """Return the signals of `to_arrays`; raises KeyError or ValueError when they do not fit."""
        facts = Facts(arrays["fact_of"], arrays["band_of"])
        width = len(facts.fact_of)
        require_shape(facts.band_of, (width,), "band_of")
        if width and not 0 <= int(facts.fact_of.min()) <= int(facts.fact_of.max()) < width:
            raise ValueError("a column is of a fact that is not there")
        sources = []
        for family in _families(offers):
            prefix = f"{family.name}."
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            source = type(family).from_arrays(own, family.parameters())
            require_shape(source.popularity, (offers,), f"popularity of {family.name}")
            sources.append(source)
        of_offers = {name: arrays.get(name, np.zeros(offers, np.float32)) for name in ("recent", "long", "open_share")}
        for name, array in of_offers.items():
            require_shape(array, (offers,), name)
        lift = arrays.get("lift", np.zeros((width, offers), np.float32))
        require_shape(lift, (width, offers), "lift")
        steps = arrays.get("steps", np.zeros((0, 0), np.float32))
        if steps.size:
            require_shape(steps, (offers, offers), "steps")
        return cls(tuple(sources), of_offers["recent"], of_offers["long"], of_offers["open_share"], lift, steps, facts)


def signals_need(shape: DataShape) -> int:
    """Return about how many bytes learning the signals has in memory at its peak, beside the data."""
    return max(family.needs(shape) for family in _families(shape.offers))


def _families(offers: int) -> list[Blend | Ease | ItemItem]:
    """Return the unfitted sources for so many offers, the base first."""
    if offers <= _MOST_FOR_STEPS:
        return [Blend(), Ease()]
    return [Ease()] if offers <= _MOST_FOR_EASE else [ItemItem(weighting="tfidf", neighbours=100)]


def _popularity(interactions: InteractionMatrix, half_life_days: float) -> Floats:
    evidence = decayed_evidence(interactions, half_life_days)
    offers = len(interactions.offer_ids)
    return log_shares(np.bincount(interactions.matrix.indices, weights=evidence, minlength=offers)).astype(np.float32)


def _lift(matrix: csr_matrix, customers: csr_matrix | None, width: int) -> Floats:
    """Return (f, offers) log of how much more often those with a value took an offer, with 25 average people added."""
    if customers is None or width == 0:
        return np.zeros((width, matrix.shape[1]), dtype=np.float32)
    taken = matrix.astype(np.float32)
    taken.data = np.minimum(taken.data, np.float32(1))
    share = np.asarray(taken.sum(axis=0), dtype=np.float64).ravel() / max(1, matrix.shape[0])
    by_value = np.asarray((customers.T @ taken).todense(), dtype=np.float64)
    people = np.asarray(customers.sum(axis=0), dtype=np.float64).reshape(-1, 1)
    due = (people + _PSEUDO_CUSTOMERS) * share
    return np.asarray(np.log((by_value + _PSEUDO_CUSTOMERS * share + 0.1) / (due + 0.1)), dtype=np.float32)


def _steps(interactions: InteractionMatrix) -> Floats:
    """Return (offers, offers) log of how much more often an offer came straight after another than it comes at all."""
    events, offers = interactions.events, len(interactions.offer_ids)
    if events is None or offers > _MOST_FOR_STEPS:
        return np.zeros((0, 0), dtype=np.float32)
    follows = (events.rows[1:] == events.rows[:-1]) & (events.age_days[1:] < events.age_days[:-1])
    counted = np.bincount(events.columns[:-1][follows] * offers + events.columns[1:][follows], minlength=offers**2)
    counts = counted.reshape(offers, offers).astype(np.float64)
    share = (counts.sum(axis=0) + 1.0) / (counts.sum() + offers)
    due = (counts.sum(axis=1, keepdims=True) + _PSEUDO_STEPS) * share
    return np.asarray(np.log((counts + _PSEUDO_STEPS * share) / due), dtype=np.float32)
