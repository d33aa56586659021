"""A decision, start to finish: what may be offered to this customer now, what fits best, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.domain.customer import AttributeValue
from recsys.domain.decision import Decision, HeldBack, RankedOffer, Reason, Situation
from recsys.domain.facts import customer_facts
from recsys.domain.interaction import held_offers
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy
from recsys.interactions.side_features import NOTHING_KNOWN, About
from recsys.interactions.weights import history_weights
from recsys.ranking.arbitration import Candidate, arbitrate, net_value, priority
from recsys.ranking.eligibility import has_open_complaint, is_profiled, permit, rule_facts
from recsys.ranking.propensity import AnswerCounts, context_reasons, matched_intent, propensity

NO_MODEL = "no_model"
INTENT_EVIDENCE = 0.5


class RelevanceModel(Protocol):
    """What the engine asks of a loaded model version (`recsys.models.bundle.Bundle` is one)."""

    @property
    def version(self) -> str: ...
    def score(self, history: Mapping[str, float], offer_ids: Sequence[str], about: About) -> NDArray[np.float32]: ...
    def popularity(self, offer_ids: Sequence[str]) -> NDArray[np.float32]: ...
    def contributions(self, history: Mapping[str, float], offer_id: str, about: About) -> list[tuple[str, float]]: ...
    @property
    def answer_counts(self) -> AnswerCounts: ...
    @property
    def uses_facts(self) -> bool: ...


def decide(situation: Situation, catalogue: Catalogue, model: RelevanceModel | None, policy: Policy) -> Decision:
    """Return the decision for this situation; the same arguments always give the same answer.

    `model` is the relevance model in service, or None where there is none: the list is then ordered
    without relevance and the decision says that it is degraded.
    """
    allowed, held_back = permit(situation, catalogue, policy)
    history = known_history(situation, allowed, policy)
    about = known_facts(situation, catalogue, policy)
    relevance = score_offers(model, history, allowed, about)
    answer_counts = model.answer_counts if model else {}
    upset = is_upset(situation, policy)
    candidates = [
        appraise(offer, float(score), situation, answer_counts, policy, upset)
        for offer, score in zip(allowed, relevance, strict=True)
    ]
    called_for = [candidate for candidate in candidates if is_called_for(candidate.offer, situation, policy)]
    shown, left_out = arbitrate(called_for, upset, policy)
    held_back += name_left_out(candidates, called_for, left_out, policy)
    facts = rule_facts(situation, catalogue)
    held = frozenset(filter(catalogue.is_sale, held_offers(situation.history)))
    return Decision(
        decision_id=situation.decision_id,
        made_at=situation.made_at,
        customer_id=situation.customer.customer_id,
        contact_id=situation.contact.contact_id,
        offers=tuple(
            present(one, position, catalogue, facts, explain_relevance(one, model, (history, about), policy, held))
            for position, one in enumerate(shown, start=1)
        ),
        held_back=tuple(held_back),
        model_version=model.version if model else "none",
        catalogue_version=catalogue.version,
        policy_version=policy.version,
        degraded_reasons=situation.degraded_reasons if model else (*situation.degraded_reasons, NO_MODEL),
        feature_age_seconds=situation.feature_age_seconds,
    )


def known_history(situation: Situation, allowed: Sequence[Offer], policy: Policy) -> dict[str, float] | None:
    """Return the evidence of what the customer wants (offer → weight), this contact's intents included.

    None stands for a customer who refuses profiling: nothing personal may shape the ranking.
    """
    if not is_profiled(situation, policy):
        return None
    weights = history_weights(situation.history, situation.made_at)
    for offer in allowed:
        intent = matched_intent(offer, situation.intents)
        if intent is not None:
            weights[offer.offer_id] = weights.get(offer.offer_id, 0.0) + INTENT_EVIDENCE * intent.confidence
    return weights


def known_facts(situation: Situation, catalogue: Catalogue, policy: Policy) -> About:
    """Return what models may know of the offers and, unless they refuse profiling, of the customer."""
    if not is_profiled(situation, policy):
        return NOTHING_KNOWN
    return About(customer_facts(situation.customer), catalogue.facts)


def score_offers(
    model: RelevanceModel | None, history: Mapping[str, float] | None, offers: Sequence[Offer], about: About
) -> NDArray[np.float32]:
    """Return the standardised relevance of each offer, shape (len(offers),)."""
    offer_ids = [offer.offer_id for offer in offers]
    if model is None or not offer_ids:
        return np.zeros(len(offer_ids), dtype=np.float32)
    return model.popularity(offer_ids) if history is None else model.score(history, offer_ids, about)


def appraise(
    offer: Offer, relevance: float, situation: Situation, answer_counts: AnswerCounts, policy: Policy, upset: bool
) -> Candidate:
    """Return the offer with its propensity, net value and priority."""
    reasons = context_reasons(offer, situation, answer_counts, policy, is_profiled(situation, policy))
    reasons.append(Reason("relevance", policy.relevance_weight * relevance))
    chance = propensity(reasons)
    value = net_value(offer, policy)
    return Candidate(offer, relevance, chance, value, priority(offer, chance, value, upset, policy), tuple(reasons))


def is_upset(situation: Situation, policy: Policy) -> bool:
    """Return whether service must come before sales: an open complaint or a bad mood."""
    sentiment = situation.contact.sentiment
    return has_open_complaint(situation, policy) or (sentiment is not None and sentiment < policy.upset_below)


def is_called_for(offer: Offer, situation: Situation, policy: Policy) -> bool:
    """Return whether the offer has a place in this contact: a service action needs a cause, a sale does not."""
    if offer.is_sale or matched_intent(offer, situation.intents) is not None:
        return True
    return has_open_complaint(situation, policy) and "complaint" in offer.intents


def name_left_out(
    candidates: Sequence[Candidate], called_for: Sequence[Candidate], left_out: Sequence[Candidate], policy: Policy
) -> list[HeldBack]:
    """Return why each allowed offer that is not on the list is not."""
    with_cause = {one.offer.offer_id for one in called_for}
    without = [one.offer.offer_id for one in candidates if one.offer.offer_id not in with_cause]
    return [HeldBack(offer_id, "not_called_for") for offer_id in without] + [
        HeldBack(one.offer.offer_id, "ranked_lower" if one.priority > policy.minimum_priority else "below_threshold")
        for one in left_out
    ]


def present(
    candidate: Candidate,
    position: int,
    catalogue: Catalogue,
    facts: Mapping[str, AttributeValue],
    reasons: tuple[Reason, ...],
) -> RankedOffer:
    """Return the candidate as it stands on the list, with the terms computed for this person."""
    terms = {name: rule.evaluate(facts) for name, rule in catalogue.terms(candidate.offer.offer_id).items()}
    return RankedOffer(
        offer_id=candidate.offer.offer_id,
        position=position,
        relevance=candidate.relevance,
        propensity=candidate.propensity,
        net_value=candidate.net_value,
        priority=candidate.priority,
        selection_probability=1.0,
        terms=terms,
        reasons=reasons,
    )


def explain_relevance(
    candidate: Candidate,
    model: RelevanceModel | None,
    known: tuple[Mapping[str, float] | None, About],
    policy: Policy,
    held: frozenset[str],
) -> tuple[Reason, ...]:
    """Return the candidate's reasons, its relevance split into what each product the customer holds contributes."""
    history, about = known
    by_facts = model is not None and model.uses_facts and bool(about.customer)
    if model is None or not history:
        named = "suits_profile" if by_facts else "popular"
        return _largest_first(tuple(_named(reason, named) for reason in candidate.reasons))
    shares = [
        Reason("chosen_with", policy.relevance_weight * share, {"offer_id": offer_id})
        for offer_id, share in model.contributions(history, candidate.offer.offer_id, about)
        if offer_id in held and offer_id != candidate.offer.offer_id
    ][:3]
    explained = sum(reason.contribution for reason in shares)
    reasons = [
        replace(reason, contribution=reason.contribution - explained) if reason.code == "relevance" else reason
        for reason in candidate.reasons
    ]
    if by_facts:
        reasons = [_named(reason, "suits_profile") for reason in reasons]
    return _largest_first((*reasons, *shares))


def _named(reason: Reason, code: str) -> Reason:
    """Return the reason, or what of the relevance no single product explains under the name of where it comes from."""
    return replace(reason, code=code) if reason.code == "relevance" else reason


def _largest_first(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda reason: -reason.contribution))
