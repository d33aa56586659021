"""What a customer did with an offer: the events that models learn from."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class InteractionKind(StrEnum):
    """What happened; see `recsys.interactions.weights` for what each is worth as evidence."""

    HOLDING = "holding"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    INQUIRY = "inquiry"
    VIEW = "view"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event between a customer and an offer; `weight` scales the evidence of its kind."""

    customer_id: str
    offer_id: str
    occurred_at: datetime
    kind: InteractionKind = InteractionKind.ACCEPTED
    channel: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What a customer's events say as evidence at the moment `at`, of `event_count` events that could say something.

    The offers with the newest evidence come first. `held` and `signalled` (faded to `at`, no ceiling applied) add up
    to the weight of the offer beside them, `last_at` is when its newest evidence was, in seconds since 1970.
    """

    at: datetime
    event_count: int = 0
    offers: tuple[str, ...] = ()
    held: tuple[float, ...] = ()
    signalled: tuple[float, ...] = ()
    last_at: tuple[float, ...] = ()


def held_offers(history: tuple[Interaction, ...]) -> frozenset[str]:
    """Return the offers a customer holds: accepted or held, and not cancelled since.

    `history` is in time order, oldest first.
    """
    held: set[str] = set()
    for event in history:
        if event.kind in (InteractionKind.HOLDING, InteractionKind.ACCEPTED):
            held.add(event.offer_id)
        elif event.kind is InteractionKind.CANCELLED:
            held.discard(event.offer_id)
    return frozenset(held)
