"""What a customer's events say about them at one moment: the definitions, for one customer in plain Python.

`features.feature_tables` computes the same for everybody and every moment in SQL; a test holds both equal.
Moments are kept as seconds since 1970 (`…_at`) and become days since at reading time (`with_ages`), so
that a value read later than it was written is still right.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from recsys.domain.contact import Contact
from recsys.domain.customer import AttributeValue
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import PastAnswer

WINDOW_DAYS: Mapping[str, int] = {
    "accepted_count_365d": 365,
    "declined_count_90d": 90,
    "inquiry_count_30d": 30,
    "view_count_30d": 30,
    "contact_count_90d": 90,
}
"""Windows count what happened at a moment t with now − window < t ≤ now."""

CONTACT_SETTLES = timedelta(days=1)
"""A contact counts from a day after it opened: the live contact, whose end no decision in it can know, never does."""

INTERACTION_FEATURES: Mapping[str, type] = {
    **dict.fromkeys(WINDOW_DAYS, int),
    "held_count": int,
    "mean_sentiment_90d": float,
    "last_channel": str,
    "last_answer": str,
    "last_accepted_at": float,
    "last_answer_at": float,
    "last_contact_at": float,
    "last_complaint_at": float,
}

PROFILE_FEATURES: Mapping[str, type] = {"kind": str, "language": str, "segment": str, "risk_level": int}
"""Besides these the profile has one `attr_<name>` a customer attribute; names and permission flags stay out."""

OFFER_FEATURES: Mapping[str, type] = {
    "offer_pitched_count_90d": int,
    "offer_accepted_count_90d": int,
    "offer_declined_count_90d": int,
}

_HOLDS = (InteractionKind.HOLDING, InteractionKind.ACCEPTED)
_COUNTED = {
    "accepted_count_365d": InteractionKind.ACCEPTED,
    "declined_count_90d": InteractionKind.DECLINED,
    "inquiry_count_30d": InteractionKind.INQUIRY,
    "view_count_30d": InteractionKind.VIEW,
}


def interaction_features(
    history: Sequence[Interaction], answers: Sequence[PastAnswer], contacts: Sequence[Contact], now: datetime
) -> dict[str, AttributeValue]:
    """Return every feature of INTERACTION_FEATURES for one customer as of `now`; what is after it is not looked at."""
    past = [event for event in history if event.occurred_at <= now]
    settled = [contact for contact in contacts if contact.opened_at + CONTACT_SETTLES <= now]
    recent = [c for c in settled if _is_within(c.opened_at + CONTACT_SETTLES, "contact_count_90d", now)]
    moods = [contact.sentiment for contact in recent if contact.sentiment is not None]
    answered = [(event.occurred_at, str(event.kind)) for event in past if event.kind in ("accepted", "declined")]
    answered += [(answer.answered_at, str(answer.answer)) for answer in answers if answer.answered_at <= now]
    counts = {
        name: sum(event.kind is kind and _is_within(event.occurred_at, name, now) for event in past)
        for name, kind in _COUNTED.items()
    }
    return {
        **counts,
        "contact_count_90d": len(recent),
        "held_count": _held_count(past),
        "mean_sentiment_90d": sum(moods) / len(moods) if moods else None,
        "last_channel": max((c.opened_at, str(c.channel)) for c in settled)[1] if settled else None,
        "last_answer": max(answered)[1] if answered else None,
        "last_accepted_at": _latest(e.occurred_at for e in past if e.kind is InteractionKind.ACCEPTED),
        "last_answer_at": _latest(at for at, _ in answered),
        "last_contact_at": _latest(c.opened_at for c in settled),
        "last_complaint_at": _latest(c.opened_at for c in settled if c.is_complaint),
    }


def with_ages(values: Mapping[str, AttributeValue], now: datetime) -> dict[str, AttributeValue]:
    """Return the values that are known, with every `last_x_at` (seconds) as `days_since_last_x`."""
    known: dict[str, AttributeValue] = {}
    for name, value in values.items():
        if value is None:
            continue
        if (age := age_name(name)) and isinstance(value, float):
            known[age] = max(now.timestamp() - value, 0.0) / 86_400
        else:
            known[name] = value
    return known


def age_name(name: str) -> str | None:
    """Return under which name a feature that is a moment is read as days since then; None where it is no moment."""
    is_moment = name.startswith("last_") and name.endswith("_at")
    return f"days_since_{name.removesuffix('_at')}" if is_moment else None


def _is_within(moment: datetime, window: str, now: datetime) -> bool:
    return now - timedelta(days=WINDOW_DAYS[window]) < moment <= now


def _held_count(past: Sequence[Interaction]) -> int:
    """Count the offers last held or accepted no earlier than last cancelled."""
    held: dict[str, datetime] = {}
    cancelled: dict[str, datetime] = {}
    for event in past:
        if event.kind in _HOLDS or event.kind is InteractionKind.CANCELLED:
            moments = held if event.kind in _HOLDS else cancelled
            moments[event.offer_id] = max(event.occurred_at, moments.get(event.offer_id, event.occurred_at))
    return sum(offer_id not in cancelled or moment >= cancelled[offer_id] for offer_id, moment in held.items())


def _latest(moments: Iterable[datetime]) -> float | None:
    return max((moment.timestamp() for moment in moments), default=None)
