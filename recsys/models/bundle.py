"""The bundle: one trained model version in use, offers by id and scores on one scale."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.facts import Facts
from recsys.interactions.side_features import NOTHING_KNOWN, About, FeatureSpace
from recsys.models.base import RelevanceModel, fill_unknown, is_empty

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and standard deviation that make raw scores comparable between model versions."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, scores: NDArray[np.float32]) -> "Scale":
        """Return the scale of `scores`; deviation 1 where they are all the same."""
        return cls(float(scores.mean(dtype=np.float64)), float(scores.std(dtype=np.float64)) or 1.0)

    def standardise(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `scores` with mean 0 and deviation 1 over what the scale was taken of."""
        return np.asarray((scores - self.mean) / self.deviation, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What training found beside the model: which events it used (JSON values)."""

    window: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """m offers by which a model was asked: which it knows, their columns, the places of the new ones, evidence."""

    offer_ids: tuple[str, ...]
    known: NDArray[np.bool_]
    columns: NDArray[np.intp]
    new: list[int]
    evidence: Floats

    def spread(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores of the known offers as scores of all, 0 for the others."""
        if not self.new:
            return scores
        spread = np.zeros(len(self.known), dtype=np.float32)
        spread[self.known] = scores
        return spread


@dataclass(frozen=True, slots=True)
class Explained:
    """What adds to one relevance: each offer of the history, and each fact of the customer, by name.

    `mixes_facts` where facts of the customer count that the family does not take apart; an offer that training did not
    know is not `is_known`.
    """

    history: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    mixes_facts: bool = False
    is_known: bool = True


@dataclass(frozen=True)
class Bundle:
    """One model version in use: offers go by id, scores are standardised.

    An offer that training did not know is scored by its facts where the model can, else 0, the mean. `version`
    names the content: the same training data, parameters and seed give the same version.
    `answer_counts` is offer → (accepted, answered) up to the training's end, in bundles of versions that froze it;
    only decisions that name no evidence of their own are judged by it.
    """

    version: str
    model: RelevanceModel
    offer_ids: tuple[str, ...]
    scale: Scale
    popularity_scale: Scale
    answer_counts: Mapping[str, tuple[int, int]]
    manifest: Mapping[str, Any]
    customer_space: FeatureSpace = field(default_factory=FeatureSpace)
    offer_space: FeatureSpace = field(default_factory=FeatureSpace)
    _columns: dict[str, int] = field(init=False, repr=False)
    _latest: "_Asked" = field(init=False, repr=False)
    _no_history: csr_matrix = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_columns", {offer: column for column, offer in enumerate(self.offer_ids)})
        object.__setattr__(self, "_latest", self._look_up(()))
        object.__setattr__(self, "_no_history", csr_matrix((1, len(self.offer_ids)), dtype=np.float32))

    @property
    def model_name(self) -> str:
        """The family of the model, as `nbo train --model` names it."""
        return self.model.name

    @property
    def uses_facts(self) -> bool:
        """Whether the facts of a customer change their scores."""
        return self.model.uses_facts

    def score(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> NDArray[np.float32]:
        """Return the relevance (m,) of `offer_ids` for a customer with `history` (offer → weight).

        Mean 0 and deviation 1 over the training customers and all offers. Where nothing the model can use
        is known, neither of the history nor of the customer's facts, that is the popularity answer.
        """
        row, customer = self._row(history), self._customer(about)
        if row.nnz == 0 and (customer is None or customer.nnz == 0):
            return self.popularity(offer_ids)
        asked = self._ask(offer_ids)
        scores = asked.spread(self.scale.standardise(self.model.score(row, asked.columns, customer)[0]))
        new = [place for place in asked.new if offer_ids[place] in about.offers]
        if new:
            facts = self.offer_space.encode([about.offers[offer_ids[place]] for place in new])
            estimated = self.model.score_new(row, facts, customer)
            if estimated is not None:
                scores[new] = self.scale.standardise(estimated[0])
        return scores

    def score_many(
        self,
        histories: csr_matrix,
        offer_ids: Sequence[str],
        offers: Mapping[str, Facts],
        customers: csr_matrix | None = None,
    ) -> NDArray[np.float32]:
        """Return the relevance (n, m) of `offer_ids` for n customers: in every row what `score` gives for one.

        `histories` (n, offers of this bundle) comes from `histories_of`; `offers` is what is known of new ones;
        `customers` are encoded by `customer_space`, and None where the model does not use them.
        """
        asked = self._look_up(tuple(offer_ids))
        scores = np.zeros((histories.shape[0], len(offer_ids)), dtype=np.float32)
        scores[:, asked.known] = self.scale.standardise(self.model.score(histories, asked.columns, customers))
        new = [place for place in asked.new if offer_ids[place] in offers]
        if new:
            facts = self.offer_space.encode([offers[offer_ids[place]] for place in new])
            estimated = self.model.score_new(histories, facts, customers)
            if estimated is not None:
                scores[:, new] = self.scale.standardise(estimated)
        unknown = is_empty(histories) if customers is None else is_empty(histories) & is_empty(customers)
        return fill_unknown(scores, unknown, self.popularity(offer_ids))

    def histories_of(self, weights: csr_matrix, offer_ids: Sequence[str]) -> csr_matrix:
        """Return weights (n, len(offer_ids)) of evidence by the columns of this bundle, without what it does not know.

        Stored entries are positive; they come out sorted by column.
        """
        columns = np.array([self._columns.get(offer_id, -1) for offer_id in offer_ids], dtype=np.int32)
        entries = weights.tocoo()
        places = columns[entries.col]
        known = places >= 0
        values = entries.data[known].astype(np.float32)
        shape = (weights.shape[0], len(self.offer_ids))
        found = csr_matrix((values, (entries.row[known], places[known])), shape=shape)
        found.sort_indices()
        return found

    def popularity(self, offer_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the non-personalised relevance (m,): mean 0 and deviation 1 over all offers."""
        asked = self._ask(offer_ids)
        return asked.spread(self.popularity_scale.standardise(self.model.popularity[asked.columns]))

    def evidence(self, offer_ids: Sequence[str]) -> Floats:
        """Return (m, 2): what an older version froze of each offer: how often accepted, and answered at all; else 0."""
        return self._ask(offer_ids).evidence

    def contributions(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> list[list[tuple[str, float]]]:
        """Return, for each of `offer_ids`, history offer → its additive share of the score, the largest first.

        The rest of a score comes from the offer itself and the customer's facts; empty where popularity
        answers or training did not know the offer.
        """
        row, customer = self._row(history), self._customer(about)
        if row.nnz == 0:
            return [[] for _ in offer_ids]
        return [self._shares(row, self._columns.get(offer_id), customer) for offer_id in offer_ids]

    def explained(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> list["Explained"]:
        """Return, for each of `offer_ids`, what the history and each fact add to the score.

        The rest of a score comes from the offer itself, or is not taken apart by the family.
        """
        row, customer = self._row(history), self._customer(about)
        if row.nnz == 0 and (customer is None or customer.nnz == 0):
            return [Explained() for _ in offer_ids]
        return [self._explained(row, self._columns.get(offer_id), customer) for offer_id in offer_ids]

    def _explained(self, row: csr_matrix, column: int | None, customer: csr_matrix | None) -> "Explained":
        if column is None:
            return Explained(is_known=False)
        parts, names = self.model.contributions(row, column, customer), tuple(self.customer_space.facts)
        of_facts = {names[number]: part / self.scale.deviation for number, part in parts.facts.items()}
        of_history = {self.offer_ids[place]: part / self.scale.deviation for place, part in parts.shares.items()}
        return Explained(of_history, of_facts, mixes_facts=customer is not None and customer.nnz > 0 and not of_facts)

    def _shares(self, row: csr_matrix, column: int | None, customer: csr_matrix | None) -> list[tuple[str, float]]:
        if column is None:
            return []
        shares = self.model.contributions(row, column, customer).shares
        standardised = [(self.offer_ids[place], share / self.scale.deviation) for place, share in shares.items()]
        return sorted(standardised, key=lambda entry: (-abs(entry[1]), entry[0]))

    def _customer(self, about: About) -> csr_matrix | None:
        return self.customer_space.encode([about.customer]) if self.model.uses_facts else None

    def _row(self, history: Mapping[str, float]) -> csr_matrix:
        known = sorted((self._columns[o], weight) for o, weight in history.items() if weight > 0 and o in self._columns)
        row = copy(self._no_history)  # a new one is checked for longer than it is used
        row.indices = np.array([column for column, _ in known], dtype=np.int32)
        row.data = np.array([weight for _, weight in known], dtype=np.float32)
        row.indptr = np.array([0, len(known)], dtype=np.int32)
        return row

    def _ask(self, offer_ids: Sequence[str]) -> "_Asked":
        """Return what is known of these offers; a catalogue asks with the same tuple again and again."""
        asked = self._latest
        if asked.offer_ids is not offer_ids:
            asked = self._look_up(tuple(offer_ids))
            object.__setattr__(self, "_latest", asked)
        return asked

    def _look_up(self, offer_ids: tuple[str, ...]) -> "_Asked":
        columns = np.fromiter(map(self._columns.get, offer_ids, repeat(-1)), np.intp, len(offer_ids))
        known = columns >= 0
        counts = [self.answer_counts.get(offer_id, (0, 0)) for offer_id in offer_ids]
        evidence = np.array(counts, dtype=np.float64).reshape(-1, 2)
        return _Asked(offer_ids, known, columns[known], np.flatnonzero(~known).tolist(), evidence)
