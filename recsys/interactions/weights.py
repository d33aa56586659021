"""What each kind of interaction is worth as evidence of interest, and a customer's history as weights."""

from collections.abc import Iterable, Mapping, Sequence
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
    return total_weights(*evidence([event for event in history if event.occurred_at <= now], now))


def evidence(known: Sequence[Interaction], now: datetime) -> tuple[dict[str, float], dict[str, float]]:
    """Return offer → what stands since its last cancellation, and offer → its signals as they have faded by `now`."""
    cancelled_at: dict[str, datetime] = {}
    for event in known:
        if event.kind is InteractionKind.CANCELLED:
            cancelled_at[event.offer_id] = max(event.occurred_at, cancelled_at.get(event.offer_id, event.occurred_at))
    held: dict[str, float] = {}
    signals: dict[str, float] = {}
    for event in known:
        own = EVIDENCE[event.kind] * event.weight
        if event.kind in SIGNALS:
            signals[event.offer_id] = signals.get(event.offer_id, 0.0) + own * faded(event.occurred_at, now)
        elif event.offer_id not in cancelled_at or event.occurred_at > cancelled_at[event.offer_id]:
            held[event.offer_id] = held.get(event.offer_id, 0.0) + own
    return held, signals


def faded(since: datetime, now: datetime) -> float:
    """Return what is left at `now` of a signal of 1 at `since`."""
    age_days = (now - since).total_seconds() / _SECONDS_PER_DAY
    remainder: float = 0.5 ** (age_days / SIGNAL_HALF_LIFE_DAYS)
    return remainder


def total_weights(held: Mapping[str, float], signals: Mapping[str, float]) -> dict[str, float]:
    """Return offer → positive weight: what is held, and signals up to their ceiling."""
    totals = {
        offer: held.get(offer, 0.0) + min(signals.get(offer, 0.0), SIGNAL_CEILING) for offer in held.keys() | signals
    }
    return {offer: totals[offer] for offer in sorted(totals) if totals[offer] > 0.0}
