"""Propensity: the chance that the customer says yes now, as additive log-odds."""

import math
from collections.abc import Mapping

from recsys.domain.contact import Intent
from recsys.domain.decision import Reason, Situation
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy

AnswerCounts = Mapping[str, tuple[int, int]]
"""By offer: how often it was accepted, and how often it was answered at all."""


def base_propensity(offer: Offer, counts: AnswerCounts, policy: Policy) -> float:
    """Return P(accepted) of the offer for nobody in particular.

    The mean of a Beta prior at the offer's `starting_propensity`, worth `starting_evidence` answers,
    updated by the answers seen so far (the beta-binomial conjugate; Gelman et al., BDA 3rd ed., eq. 2.9).
    """
    accepted, answered = counts.get(offer.offer_id, (0, 0))
    prior = policy.starting_evidence
    return (prior * offer.starting_propensity + accepted) / (prior + answered)


def matched_intent(offer: Offer, intents: tuple[Intent, ...]) -> Intent | None:
    """Return the surest intent of this contact that the offer answers, by its intents or its family."""
    matching = [i for i in intents if i.name in offer.intents or i.name in (offer.family, offer.offer_id)]
    return max(matching, key=lambda intent: intent.confidence, default=None)


def context_reasons(
    offer: Offer, situation: Situation, counts: AnswerCounts, policy: Policy, is_profiled: bool
) -> list[Reason]:
    """Return the log-odds contributions that do not come from the relevance model, base rate first."""
    base = base_propensity(offer, counts, policy)
    reasons = [Reason("offer_base", math.log(base / (1 - base)))]
    intent = matched_intent(offer, situation.intents)
    if intent is not None:
        reasons.append(Reason("asked_about", policy.intent_weight * intent.confidence, {"intent": intent.name}))
    if not offer.is_sale:
        return reasons
    sentiment = situation.contact.sentiment
    if sentiment:
        code = "good_mood" if sentiment > 0 else "bad_mood"
        reasons.append(Reason(code, policy.sentiment_weight * sentiment))
    declines = situation.features.get("declined_count_90d") if is_profiled else None
    if isinstance(declines, int | float) and declines > 0:
        counted = min(float(declines), policy.recent_declines_at_most)
        reasons.append(Reason("recent_declines", policy.recent_decline_weight * counted, {"count": f"{declines:.0f}"}))
    return reasons


def propensity(reasons: list[Reason]) -> float:
    """Return the probability (0–1) that the contributions' sum stands for."""
    return 1 / (1 + math.exp(-sum(reason.contribution for reason in reasons)))
