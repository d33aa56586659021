"""Appraisal: what is known in a contact, what each offer is worth now, and which are looked at closely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.domain.decision import Situation
from recsys.domain.facts import customer_facts
from recsys.domain.policy import Policy
from recsys.interactions.served_history import fold
from recsys.interactions.side_features import NOTHING_KNOWN, About
from recsys.interactions.weights import history_weights
from recsys.ranking.arbitration import (
    arrange,
    best_first,
    is_called_for,
    is_upset,
    is_worthwhile,
    net_value,
    priority,
)
from recsys.ranking.eligibility import Permission
from recsys.ranking.evidence import OfferEvidence
from recsys.ranking.exploration import drawn
from recsys.ranking.intents import Matches, match_intents
from recsys.ranking.propensity import (
    base_log_odds,
    declared_contributions,
    probability,
    recent_declines,
    total_log_odds,
)
from recsys.ranking.reasons import PropensityModel, RelevanceParts, TrainedParts
from recsys.ranking.signals import OfferSignals, Signal, shared_signals

INTENT_EVIDENCE = 0.5
WITHOUT_RANKING = frozenset({"random", "eligibility"})
"""Ways of arbitration that look at no score: sales come as they are drawn, or as the catalogue has them."""
Floats = NDArray[np.float64]
Columns = NDArray[np.intp]


class RelevanceModel(Protocol):
    """What the engine asks of a loaded model version (`recsys.models.bundle.Bundle` is one)."""

    @property
    def version(self) -> str: ...
    def score(self, history: Mapping[str, float], offer_ids: Sequence[str], about: About) -> NDArray[np.float32]: ...
    def popularity(self, offer_ids: Sequence[str]) -> NDArray[np.float32]: ...
    def contributions(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About
    ) -> list[list[tuple[str, float]]]: ...
    def explained(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About
    ) -> Sequence[RelevanceParts]: ...
    def evidence(self, offer_ids: Sequence[str]) -> Floats: ...
    @property
    def uses_facts(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Models:
    """The model versions that judge; without a trained propensity the policy's declared weights stand in."""

    relevance: RelevanceModel | None
    propensity: PropensityModel | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ranking may know: the situation without what was refused, the needs heard, history and facts.

    `history` is None for a customer who refuses profiling: nothing personal may shape the ranking.
    """

    situation: Situation
    matches: Matches
    history: Mapping[str, float] | None
    about: About


@dataclass(frozen=True, slots=True)
class Case:
    """One decision to make: what is known, what may be offered, and what judges it.

    Without `evidence`, as in decisions of before it was named, what the relevance model's bundle counted holds.
    """

    known: Known
    permission: Permission
    catalogue: Catalogue
    models: Models
    policy: Policy
    evidence: OfferEvidence | None = None

    @property
    def is_upset(self) -> bool:
        """Whether service must come before sales."""
        return is_upset(self.permission.has_complaint, self.known.situation.contact.sentiment, self.policy)

    @property
    def arbitration(self) -> str:
        """What decides which offers come first; nothing is tried out at random on a customer who is upset."""
        chosen = self.policy.arbitration
        return "value" if chosen == "random" and self.is_upset else chosen


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What each of the m offers is worth now, and the shortlist that was looked at closely.

    `is_open` tells which have a place in this contact, `is_worthwhile` which clear the thresholds of priority and
    propensity, where scores count at all. `declared` is what adds to the log-odds by the
    policy's weights, `trained` the same by a trained model.
    """

    is_open: NDArray[np.bool_]
    is_worthwhile: NDArray[np.bool_]
    relevance: NDArray[np.float32]
    signals: OfferSignals
    shared: Mapping[str, Signal]
    propensity: Floats
    net_value: Floats
    priority: Floats
    shortlist: Columns
    declared: Mapping[str, float | Floats]
    trained: TrainedParts | None


def take_in(situation: Situation, permission: Permission, catalogue: Catalogue) -> Known:
    """Return what may shape the ranking: history as evidence (this contact's intents included) and facts."""
    matches = match_intents(situation.intents, catalogue.table)
    if not permission.is_profiled:
        return Known(replace(situation, features={}, served=None, profile=None, own={}), matches, None, NOTHING_KNOWN)
    history, now = situation.history, situation.made_at
    weights = history_weights(history, now) if situation.served is None else fold(situation.served, history, now)
    if situation.intents:
        for column in np.flatnonzero(matches.found & permission.allowed).tolist():
            offer_id = catalogue.table.offer_ids[column]
            weights[offer_id] = weights.get(offer_id, 0.0) + INTENT_EVIDENCE * float(matches.confidence[column])
    facts = customer_facts(situation.customer) if situation.profile is None else situation.profile
    return Known(situation, matches, weights, About({**facts, **situation.own}, catalogue.facts))


def appraise(case: Case) -> Appraisal:
    """Return what each offer is worth, and the shortlist, which the declared weights pick.

    A trained model then looks at the shortlist only, so that its cost does not grow with the catalogue.
    """
    table, known, policy, model = case.catalogue.table, case.known, case.policy, case.models.relevance
    relevance = score_offers(model, known, table.offer_ids)
    evidence = evidence_in(case)
    base = base_log_odds(table, evidence, policy)
    sentiment, declines = known.situation.contact.sentiment or 0.0, recent_declines(known.situation, policy)
    declared = declared_contributions(base, relevance, known.matches.confidence, sentiment, declines, policy)
    chance, value = probability(total_log_odds(declared, table.is_sale)), net_value(table, policy)
    worth = priority(chance, value, case.is_upset, table, policy)
    called_for = is_called_for(known.matches.found, case.permission.row.has_complaint, case.arbitration, table)
    is_open = case.permission.allowed & called_for[0]
    shortlist = pick(case, is_open, worth, evidence[:, 1])
    signals = OfferSignals(base, relevance, known.matches, table)
    if known.history is not None:
        signals.add_past_answers(known.situation, table)
    shared, trained = shared_signals(known.situation, known.history is not None, policy.words.channels), None
    if case.models.propensity is not None and len(shortlist):
        trained = TrainedParts.of(case.models.propensity, signals, shared, shortlist)
        chance[shortlist] = probability(case.models.propensity.log_odds(trained.signals))
        worth = priority(chance, value, case.is_upset, table, policy)
    is_ranked = case.arbitration not in WITHOUT_RANKING
    clears = is_worthwhile(chance, worth, policy) if is_ranked else np.ones(len(table), dtype=bool)
    return Appraisal(is_open, clears, relevance, signals, shared, chance, value, worth, shortlist, declared, trained)


def pick(case: Case, is_open: NDArray[np.bool_], worth: Floats, answers: Floats) -> Columns:
    """Return the shortlist: the best open offers, and as many of those with few `answers` (m,); else the list itself.

    The list itself is known before any offer is looked at closely where no score decides.
    """
    policy, ordered = case.policy, in_order(case, np.flatnonzero(is_open), worth)
    if case.arbitration in WITHOUT_RANKING:
        shown = arrange(ordered.tolist(), case.catalogue.table, policy.list_length, case.permission.sales_left)
        return np.array(sorted(shown), dtype=np.intp)
    exploring = ordered[answers[ordered] < policy.exploring_below_answers]
    is_listed = np.zeros(len(is_open), dtype=bool)
    is_listed[ordered[: policy.shortlist_length]] = is_listed[exploring[: policy.shortlist_length]] = True
    return np.flatnonzero(is_listed)


def in_order(case: Case, columns: Columns, worth: Floats) -> Columns:
    """Return `columns`, which rise, in the order in which they are offered: the best first by `worth` (m,).

    Where no score decides, service actions come before sales in the order of their draw or of the catalogue.
    """
    catalogue, way = case.catalogue, case.arbitration
    if way not in WITHOUT_RANKING:
        return best_first(columns, worth, case.is_upset, catalogue.table)
    is_sale = catalogue.table.is_sale[columns]
    service, sales = best_first(columns[~is_sale], worth, case.is_upset, catalogue.table), columns[is_sale]
    if way == "random":
        sales = drawn(sales, catalogue.offers, case.known.situation.contact.contact_id)
    return np.concatenate([service, sales])


def evidence_in(case: Case) -> Floats:
    """Return (m, 2): how often each offer was accepted, and answered at all."""
    table, model = case.catalogue.table, case.models.relevance
    if case.evidence is not None:
        return case.evidence.of(table.offer_ids)
    return model.evidence(table.offer_ids) if model else np.zeros((len(table), 2))


def score_offers(model: RelevanceModel | None, known: Known, offer_ids: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the standardised relevance of each offer, shape (len(offer_ids),)."""
    if model is None or not offer_ids:
        return np.zeros(len(offer_ids), dtype=np.float32)
    if known.history is None:
        return model.popularity(offer_ids)
    return model.score(known.history, offer_ids, known.about)
