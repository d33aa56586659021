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
