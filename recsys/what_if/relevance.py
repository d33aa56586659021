"""Relevance of many customers at once, scored once for all the rulebooks that are compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.facts import Facts
from recsys.domain.protection import FLAGS
from recsys.interactions.side_features import FeatureSpace
from recsys.ranking.evidence import OfferEvidence
from recsys.ranking.permission import is_profiled
from recsys.ranking.reasons import PropensityModel
from recsys.what_if.audience import Audience
from recsys.what_if.lists import Floats
from recsys.what_if.rulebook import Rulebook


class RelevanceModel(Protocol):
    """What a batch asks of a loaded model version (`recsys.models.bundle.Bundle` is one)."""

    @property
    def version(self) -> str: ...
    @property
    def offer_ids(self) -> tuple[str, ...]: ...
    @property
    def uses_facts(self) -> bool: ...
    @property
    def customer_space(self) -> FeatureSpace: ...
    def score_many(
        self,
        histories: csr_matrix,
        offer_ids: Sequence[str],
        offers: Mapping[str, Facts],
        customers: csr_matrix | None = None,
    ) -> NDArray[np.float32]: ...
    def histories_of(self, weights: csr_matrix, offer_ids: Sequence[str]) -> csr_matrix: ...
    def popularity(self, offer_ids: Sequence[str]) -> NDArray[np.float32]: ...
    def evidence(self, offer_ids: Sequence[str]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Models:
    """The model versions that judge; without a trained propensity the policy's declared weights stand in.

    `evidence` is what customers answered lately; without it the relevance model's own counts hold, as in the engine.
    """

    relevance: RelevanceModel | None
    propensity: PropensityModel | None = None
    evidence: OfferEvidence | None = None

    def evidence_of(self, offer_ids: Sequence[str]) -> Floats:
        """Return (m, 2): how often each offer was accepted, and answered at all."""
        if self.evidence is not None:
            return self.evidence.of(offer_ids)
        return self.relevance.evidence(offer_ids) if self.relevance else np.zeros((len(offer_ids), 2))


Scores = NDArray[np.float32]


class RelevancePlan:
    """Which offers are scored in which call, so that each is scored once however many rulebooks have it.

    An offer that training did not know is scored by its facts: where these differ between rulebooks, it counts
    as another offer.
    """

    def __init__(self, model: RelevanceModel | None, rulebooks: Sequence[Rulebook]) -> None:
        self._model, self._policies = model, [rulebook.policy for rulebook in rulebooks]
        known = frozenset(model.offer_ids) if model else frozenset()
        self._calls: list[dict[str, Facts]] = []
        places: dict[tuple[str, str], tuple[int, int]] = {}
        chosen = []
        for rulebook in rulebooks:
            facts = rulebook.catalogue.facts
            keys = [(one, "" if one in known else _text(facts[one])) for one in rulebook.catalogue.table.offer_ids]
            chosen.append([places[key] if key in places else self._place(key, facts, places) for key in keys])
        starts = np.cumsum([0, *map(len, self._calls)])
        self._columns = [np.array([starts[call] + at for call, at in one], dtype=np.intp) for one in chosen]

    def _place(
        self, key: tuple[str, str], facts: Mapping[str, Facts], places: dict[tuple[str, str], tuple[int, int]]
    ) -> tuple[int, int]:
        call = next((number for number, one in enumerate(self._calls) if key[0] not in one), len(self._calls))
        if call == len(self._calls):
            self._calls.append({})
        places[key] = call, len(self._calls[call])
        self._calls[call][key[0]] = facts[key[0]]
        return places[key]

    def score(self, audience: Audience) -> list[Scores]:
        """Return the relevance (n, m) of each rulebook's offers; popularity answers for who refuses profiling."""
        model = self._model
        if model is None or not self._calls:
            return [np.zeros((len(audience), len(columns)), dtype=np.float32) for columns in self._columns]
        weights = audience.history.evidence(audience.occasion.microseconds, len(audience))
        histories, customers = model.histories_of(weights, audience.offer_ids), encoded(audience, model)
        personal = np.hstack([model.score_many(histories, list(one), one, customers) for one in self._calls])
        popular = np.concatenate([model.popularity(list(one)) for one in self._calls])
        found = []
        for policy, columns in zip(self._policies, self._columns, strict=True):
            scores = personal[:, columns]
            scores[~is_profiled(audience.protection, policy)] = popular[columns]
            found.append(scores)
        return found


def encoded(audience: Audience, model: RelevanceModel) -> csr_matrix | None:
    """Return the facts of the audience as the model reads them, None where it uses none."""
    if not model.uses_facts:
        return None
    names = [name for name in audience.facts.column_names if name not in FLAGS]
    facts = {name: audience.facts[name].to_numpy() for name in names}
    return model.customer_space.encode_columns(facts, len(audience))


def _text(facts: Facts) -> str:
    return json.dumps(facts, sort_keys=True, default=sorted)
