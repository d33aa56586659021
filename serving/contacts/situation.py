"""Gathers everything known about a customer in a contact from the event log and the feature store."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from recsys.domain.contact import Contact, ContactEvent, ContactEventType, Intent
from recsys.domain.customer import AttributeValue
from recsys.domain.decision import Situation
from recsys.domain.errors import FeaturesUnavailable
from recsys.domain.policy import Policy
from recsys.storage.event_log import EventLog
from serving.timing import stage
from serving.wiring import FeaturesInService


class FeaturesRead:
    """The customer's online features, or why there are none: ranking may be stale, never in the way."""

    def __init__(self, features: FeaturesInService, customer_id: str) -> None:
        self.values: dict[str, AttributeValue] = {}
        self.age_seconds: float | None = None
        self.degraded_reasons: tuple[str, ...] = ()
        try:
            with stage("features"):
                online = features.gateway.read_online(customer_id)
            self.values, self.age_seconds = dict(online.values), online.age_seconds
        except FeaturesUnavailable:
            self.degraded_reasons = ("features_unavailable",)


def gather(
    log: EventLog, contact: Contact, decision_id: str, now: datetime, features: FeaturesRead, policy: Policy
) -> Situation:
    """Return the situation of this contact as it stands inside the open transaction."""
    return Situation(
        decision_id=decision_id,
        made_at=now,
        customer=log.customer(contact.customer_id),
        contact=contact,
        intents=heard_intents(contact, log.contact_events(contact.contact_id)),
        history=log.history(contact.customer_id),
        answers=log.answers(contact.customer_id, now - timedelta(days=policy.answers_needed_days)),
        open_complaint_since=log.open_complaint_since(contact.customer_id),
        features=features.values,
        feature_age_seconds=features.age_seconds,
        degraded_reasons=features.degraded_reasons,
    )


def heard_intents(contact: Contact, events: Sequence[ContactEvent]) -> tuple[Intent, ...]:
    """Return the intents of this contact: its reason first, then each one heard, the latest of a name counting."""
    heard = {contact.reason: Intent(contact.reason)} if contact.reason else {}
    for event in events:
        if event.type is ContactEventType.INTENT and event.intent:
            heard[event.intent] = Intent(event.intent, event.confidence)
    return tuple(heard.values())
