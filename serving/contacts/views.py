"""Turns what the event log holds into the bodies that the API answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact, ContactEvent
from recsys.domain.interaction import held_offers
from recsys.ranking.explanation import offer_title
from recsys.storage.event_log import EventLog
from serving.contacts.schemas import (
    ContactBody,
    ContactEventBody,
    ContactView,
    CustomerBody,
    HeldProductBody,
    PastAnswerBody,
)
from serving.decisions.record import render

OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
RECENT_ANSWERS = 10
RECENT_CONTACTS = 8


def contact_view(
    log: EventLog, contact: Contact, catalogue: Catalogue, language: str, record: Mapping[str, Any] | None = None
) -> ContactView:
    """Return the contact with its customer, events and latest decision, whose `record` may be at hand already."""
    customer = customer_body(log, contact.customer_id, catalogue, language)
    latest = record or log.latest_decision(contact.contact_id)
    decision = render(latest, language, catalogue, spoken=customer.language) if latest else None
    events = [_event_body(event) for event in log.contact_events(contact.contact_id)]
    return ContactView(contact=contact_body(contact), customer=customer, decision=decision, events=events)


def contact_body(contact: Contact) -> ContactBody:
    """Return the contact as the API shows it."""
    status: Literal["waiting", "live", "closed"] = (
        "closed" if contact.closed_at else ("live" if contact.agent_id else "waiting")
    )
    return ContactBody(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        status=status,
        channel=contact.channel,
        direction=contact.direction,
        reason=contact.reason,
        sentiment=contact.sentiment,
        agent_id=contact.agent_id,
        opened_at=contact.opened_at,
        closed_at=contact.closed_at,
        csat=contact.csat,
        continues=contact.continues,
    )


def customer_body(log: EventLog, customer_id: str, catalogue: Catalogue, language: str) -> CustomerBody:
    """Return the single customer view; CustomerNotFound when there is no such customer."""
    customer = log.customer(customer_id)
    held = held_offers(log.history(customer_id))
    answers = log.answers(customer_id, OLDEST)
    return CustomerBody(
        customer_id=customer.customer_id,
        kind=customer.kind,
        name=customer.name,
        language=customer.language,
        segment=customer.segment,
        risk_level=customer.risk_level,
        vulnerable=customer.vulnerable,
        arrears=customer.arrears,
        do_not_contact=customer.do_not_contact,
        attributes=dict(customer.attributes),
        consents={
            "marketing": customer.consents.marketing,
            "profiling": customer.consents.profiling,
            "partner": customer.consents.partner,
        },
        products=[
            HeldProductBody(offer_id=one, title=offer_title(one, catalogue, language))
            for one in sorted(held)
            if catalogue.is_sale(one)
        ],
        answers=[
            PastAnswerBody(
                offer_id=past.offer_id,
                title=offer_title(past.offer_id, catalogue, language),
                answer=past.answer,
                answered_at=past.answered_at,
            )
            for past in reversed(answers[-RECENT_ANSWERS:])
        ],
        contacts=[contact_body(one) for one in log.contacts_of(customer_id, RECENT_CONTACTS)],
        open_complaint_since=log.open_complaint_since(customer_id),
    )


def _event_body(event: ContactEvent) -> ContactEventBody:
    return ContactEventBody(
        sequence=event.sequence,
        type=event.type,
        occurred_at=event.occurred_at,
        intent=event.intent,
        confidence=event.confidence,
        sentiment=event.sentiment,
        text=event.text,
        agent_id=event.agent_id,
    )
