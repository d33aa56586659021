"""What each kind of interaction is worth as evidence of interest, and a customer's history as weights."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from recsys.domain.interaction import Interaction, InteractionKind

EVIDENCE: Mapping[InteractionKind, float] = MappingProxyType(
    {
        InteractionKind.HOLDING: 1.0,
        InteractionKind.ACCEPTED: 1.0,
        InteractionKind.INQUIRY: 0.5,
        InteractionKind.VIEW: 0.2,
        InteractionKind.DECLINED: 0.0,
        InteractionKind.CANCELLED: 0.0,
    }
)
SIGNALS = frozenset({InteractionKind.INQUIRY, InteractionKind.VIEW})
"""Kinds that show interest without a purchase: they fade, and together never outweigh one holding."""

SIGNAL_HALF_LIFE_DAYS = 90.0
SIGNAL_CEILING = 1.0

_SECONDS_PER_DAY = 86_400.0


def history_weights(history: Iterable[Interaction], now: datetime) -> dict[str, float]:
    """Return offer → positive weight of evidence at the moment `now`; later events are ignored.

    Holdings and acceptances add up and do not fade, unless the offer was cancelled at the same time or
    later. Inquiries and views halve every `SIGNAL_HALF_LIFE_DAYS` and add up to `SIGNAL_CEILING` at most.
    `training.dataset` computes the same in SQL, kept equal by a test.
    """
    known = [event for event in history if event.occurred_at <= now]
    cancelled_at: dict[str, datetime] = {}
    for event in known:
        if event.kind is InteractionKind.CANCELLED:
            cancelled_at[event.offer_id] = max(event.occurred_at, cancelled_at.get(event.offer_id, event.occurred_at))
    held: dict[str, float] = {}
    signals: dict[str, float] = {}
    for event in known:
        evidence = EVIDENCE[event.kind] * event.weight
        if event.kind in SIGNALS:
            age_days = (now - event.occurred_at).total_seconds() / _SECONDS_PER_DAY
            faded = evidence * 0.5 ** (age_days / SIGNAL_HALF_LIFE_DAYS)
            signals[event.offer_id] = signals.get(event.offer_id, 0.0) + faded
        elif event.offer_id not in cancelled_at or event.occurred_at > cancelled_at[event.offer_id]:
            held[event.offer_id] = held.get(event.offer_id, 0.0) + evidence
    totals = {
        offer: held.get(offer, 0.0) + min(signals.get(offer, 0.0), SIGNAL_CEILING) for offer in held.keys() | signals
    }
    return {offer: totals[offer] for offer in sorted(totals) if totals[offer] > 0.0}
