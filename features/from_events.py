"""What the events say of a customer, or of an offer, at one moment: the definitions, for one of them in plain Python.

`features.feature_tables` computes the same for everybody and every moment in SQL; a test holds both equal.
Moments are kept as seconds since 1970 (`…_at`) and become days since at reading time (`with_ages`), so
that a value read later than it was written is still right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recsys.domain.contact import Contact
from recsys.domain.customer import AttributeValue
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.vocabulary import UNKNOWN_CHANNEL

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

OFFER_WINDOWS = (30, 90, 365)
CHANNEL_WINDOW = 90
OFFER_COUNTS = ("shown", "pitched", "accepted", "declined", "later")
"""What is counted of an offer: the decisions in which it was seen at all, and pitched; and each answer to it."""

OFFER_FEATURES: Mapping[str, type] = {
    f"offer_{what}_count_{days}d": int for days in OFFER_WINDOWS for what in OFFER_COUNTS
}
CHANNEL_FEATURES: Mapping[str, type] = {f"offer_channel_{what}_count_{CHANNEL_WINDOW}d": int for what in OFFER_COUNTS}

_HOLDS = (InteractionKind.HOLDING, InteractionKind.ACCEPTED)
_COUNTED = {
    "accepted_count_365d": InteractionKind.ACCEPTED,
    "declined_count_90d": InteractionKind.DECLINED,
    "inquiry_count_30d": InteractionKind.INQUIRY,
    "view_count_30d": InteractionKind.VIEW,
}


_WINDOW_OF_KIND = {kind: timedelta(days=WINDOW_DAYS[name]) for name, kind in _COUNTED.items()}
_CONTACT_WINDOW = timedelta(days=WINDOW_DAYS["contact_count_90d"])


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


@dataclass(frozen=True, slots=True)
class OfferEvent:
    """What happened to an offer of a decision: it was `seen` or `pitched`, or an answer was given to it."""

    decision_id: str
    what: str
    at: datetime
    channel: str | None = None


def offer_features(events: Iterable[OfferEvent], now: datetime) -> dict[str, int]:
    """Return every feature of OFFER_FEATURES of one offer as of `now`.

    A day (UTC) counts from the midnight at its end on, and leaves a window so many days after that. What was not
    pitched is no answer.
    """
    counted = _counted(events)
    return {
        f"offer_{what}_count_{days}d": sum(_is_counted(at, days, now) for at, _ in counted[what])
        for days in OFFER_WINDOWS
        for what in OFFER_COUNTS
    }


def offer_channel_features(events: Iterable[OfferEvent], channel: str, now: datetime) -> dict[str, int]:
    """Return every feature of CHANNEL_FEATURES of one offer on one channel as of `now`.

    An offer is shown, or pitched, on the channel where it was so first.
    """
    counted = _counted(events)
    return {
        f"offer_channel_{what}_count_{CHANNEL_WINDOW}d": sum(
            where == channel and _is_counted(at, CHANNEL_WINDOW, now) for at, where in counted[what]
        )
        for what in OFFER_COUNTS
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


def _counted(events: Iterable[OfferEvent]) -> dict[str, list[tuple[datetime, str]]]:
    """Return when and on which channel each thing that is counted of an offer happened."""
    told = [one for one in events if one.what != Answer.NOT_PITCHED]
    found = {
        what: [(one.at, one.channel or UNKNOWN_CHANNEL) for one in told if one.what == what] for what in OFFER_COUNTS
    }
    found["shown"] = _first_of_decisions(told)
    found["pitched"] = _first_of_decisions(one for one in told if one.what != "seen")
    return found


def _first_of_decisions(events: Iterable[OfferEvent]) -> list[tuple[datetime, str]]:
    first: dict[str, tuple[datetime, str]] = {}
    for one in events:
        at_and_channel = one.at, one.channel or UNKNOWN_CHANNEL
        first[one.decision_id] = min(at_and_channel, first.get(one.decision_id, at_and_channel))
    return list(first.values())


def _is_counted(at: datetime, days: int, now: datetime) -> bool:
    known = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now - timedelta(days=days) < known <= now


def may_have_changed(
    history: Iterable[Interaction],
    answers: Iterable[PastAnswer],
    contacts: Iterable[Contact],
    since: datetime,
    now: datetime,
) -> bool:
    """Return whether `interaction_features` may say something else at `now` than it did at `since`.

    That is where something happened in between, a contact settled, or something left its window.
    """
    for event in history:
        if since < event.occurred_at <= now:
            return True
        window = _WINDOW_OF_KIND.get(event.kind)
        if window is not None and since < event.occurred_at + window <= now:
            return True
    if any(since < answer.answered_at <= now for answer in answers):
        return True
    settled = [contact.opened_at + CONTACT_SETTLES for contact in contacts]
    return any(since < at <= now or since < at + _CONTACT_WINDOW <= now for at in settled)


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
