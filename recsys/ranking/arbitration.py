"""Arbitration: what an offer is worth now, and which come first."""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.domain.decision import Reason
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Candidate:
    """An allowed offer with everything arbitration needs."""

    offer: Offer
    relevance: float
    propensity: float
    net_value: float
    priority: float
    reasons: tuple[Reason, ...]


def net_value(offer: Offer, policy: Policy) -> float:
    """Return what one acceptance is worth: margin (a service action: its service value) − agent's time."""
    if offer.is_sale:
        worth = policy.default_margin if offer.margin is None else offer.margin
    else:
        worth = policy.service_value + (offer.margin or 0.0)
    return worth - offer.handling_seconds * policy.cost_per_second


def priority(offer: Offer, propensity: float, value: float, is_upset: bool, policy: Policy) -> float:
    """Return propensity × net value × context weight, the order of the list."""
    weight = policy.upset_sales_weight if is_upset and offer.is_sale else 1.0
    return propensity * value * weight


def arbitrate(
    candidates: Sequence[Candidate], is_upset: bool, policy: Policy
) -> tuple[list[Candidate], list[Candidate]]:
    """Return (the list to show, best first; those not worth showing).

    Service actions come before sales when the customer is upset; a family appears at most once, so
    that the list gives a choice; ties go by offer id.
    """
    worthwhile = [candidate for candidate in candidates if candidate.priority > policy.minimum_priority]
    worthwhile.sort(key=lambda one: (is_upset and one.offer.is_sale, -one.priority, one.offer.offer_id))
    shown: list[Candidate] = []
    families: set[str] = set()
    for candidate in worthwhile:
        if len(shown) == policy.list_length:
            break
        family = candidate.offer.family
        if not family or family not in families:
            shown.append(candidate)
            families.add(family)
    chosen = {candidate.offer.offer_id for candidate in shown}
    return shown, [candidate for candidate in candidates if candidate.offer.offer_id not in chosen]
