"""Propensity by declared weights: the chance that the customer says yes now, as additive log-odds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.decision import Situation
from recsys.domain.policy import Policy

Floats = NDArray[np.float64]
Evidence = NDArray[np.float64]
"""(m, 2): how often each offer was accepted, and how often it was answered at all."""


def base_log_odds(table: OfferTable, evidence: Evidence, policy: Policy) -> Floats:
    """Return (m,) the log-odds that each offer is accepted by nobody in particular.

    The mean of a Beta prior at the offer's `starting_propensity`, worth `starting_evidence` answers,
    updated by the answers seen so far (the beta-binomial conjugate; Gelman et al., BDA 3rd ed., eq. 2.9).
    """
    prior = policy.starting_evidence
    accepted, answered = evidence[:, 0], evidence[:, 1]
    mean = (prior * table.starting_propensity + accepted) / (prior + answered)
    return np.asarray(np.log(mean / (1 - mean)))


def recent_declines(situation: Situation, policy: Policy) -> float:
    """Return how many refusals of the last months count, 0 where the situation has no features."""
    declines = situation.features.get("declined_count_90d")
    counted = min(float(declines), policy.recent_declines_at_most) if isinstance(declines, int | float) else 0.0
    return max(counted, 0.0)


def declared_contributions(
    base: Floats,
    relevance: NDArray[np.floating[Any]],
    confidence: Floats,
    sentiment: float,
    declines: float | Floats,
    policy: Policy,
) -> dict[str, float | Floats]:
    """Return what adds to the log-odds by reason code: (…, m) where it differs between offers.

    `confidence` (m,) is that of the intents which the offers answer, `declines` what `recent_declines` counts,
    (n, 1) for several customers at once. `sentiment` and `recent_declines` hold for sales only. Nothing personal
    but `relevance` is looked at unless the situation has features; leave them out of it for who refuses profiling.
    """
    return {
        "offer_base": base,
        "relevance": policy.relevance_weight * relevance.astype(np.float64),
        "asked_about": policy.intent_weight * confidence,
        "sentiment": policy.sentiment_weight * sentiment,
        "recent_declines": policy.recent_decline_weight * declines,
    }


def total_log_odds(contributions: Mapping[str, float | Floats], is_sale: NDArray[np.bool_]) -> Floats:
    """Return (…, m) the sum; what the mood and earlier refusals say counts for sales only."""
    shared = contributions["sentiment"] + contributions["recent_declines"]
    own = contributions["offer_base"] + contributions["relevance"] + contributions["asked_about"]
    return np.asarray(own + np.where(is_sale, shared, 0.0))


def probability(log_odds: Floats) -> Floats:
    """Return the probabilities (0–1) that log-odds stand for."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))
