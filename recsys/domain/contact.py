"""A live or past contact between a customer and the centre, and what happens during it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recsys.domain.channel import PHONE


class Direction(StrEnum):
    """Who called whom."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class ContactEventType(StrEnum):
    """What can be learned while a contact is live."""

    UTTERANCE = "utterance"
    INTENT = "intent"
    SENTIMENT = "sentiment"
    NOTE = "note"
    PROTECTION = "protection"
    HANDOFF = "handoff"
    CLOSED = "closed"
    CONTINUED = "continued"


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact; `sentiment` is the latest, −1 (angry) to 1 (glad); no `agent_id` means waiting."""

    contact_id: str
    customer_id: str
    opened_at: datetime
    channel: str = PHONE
    direction: Direction = Direction.INBOUND
    reason: str | None = None
    sentiment: float | None = None
    agent_id: str | None = None
    continues: str | None = None
    closed_at: datetime | None = None
    csat: int | None = None
    is_complaint: bool = False


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """One thing learned during a contact; `sequence` counts from 1 within the contact."""

    contact_id: str
    sequence: int
    type: ContactEventType
    occurred_at: datetime
    intent: str | None = None
    confidence: float = 1.0
    sentiment: float | None = None
    text: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A need heard in this contact, with the recogniser's confidence (0–1)."""

    name: str
    confidence: float = 1.0
