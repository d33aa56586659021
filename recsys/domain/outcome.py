"""What the customer answered to an offer, as the agent reports it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Answer(StrEnum):
    """The four answers an agent can record."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    LATER = "later"
    NOT_PITCHED = "not_pitched"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer to one offer of one decision."""

    outcome_id: str
    decision_id: str
    contact_id: str
    customer_id: str
    offer_id: str
    answer: Answer
    recorded_at: datetime
    reason: str | None = None
    disclosure_read: bool = False


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """An earlier answer as the contact policy sees it, from any source and channel."""

    offer_id: str
    answer: Answer
    answered_at: datetime
    channel: str | None = None
