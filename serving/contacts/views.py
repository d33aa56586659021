"""Turns what the event log holds into the bodies that the API answers, as plain values for `orjson.dumps`."""

from datetime import datetime
from typing import Any

import orjson

from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact, ContactEvent
from recsys.domain.interaction import held_offers
from recsys.ranking.explanation import offer_title
from recsys.storage.event_log import EventLog
from serving.contacts.schemas import ContactBody, ContactView, WaitingContact
from serving.contacts.situation import Heard, Person, look_up
from serving.decisions.record import Record, customer_values
from serving.decisions.rendering import render

RECENT_ANSWERS = 10

Json = dict[str, Any]


def contact_view(heard: Heard, person: Person, record: Record | None, catalogue: Catalogue, language: str) -> Json:
    """Return the contact with its customer, events and latest decision, of the shape of `ContactView`."""
    return {
        "contact": contact_json(heard.contact),
        "customer": customer_json(person, catalogue, language),
        "decision": render(record, language, catalogue, spoken=person.customer.language) if record else None,
        "events": [_event(event) for event in heard.events],
    }


def stored_view(
    log: EventLog,
    contact: Contact,
    catalogue: Catalogue,
    language: str,
    now: datetime,
    decision_id: str | None = None,
) -> Json:
    """Return the same of a contact as the event log has it, with its latest decision or the one that is named."""
    heard = Heard(contact, log.contact_events(contact.contact_id))
    person = look_up(log, contact.customer_id, now)
    record = log.decision(decision_id) if decision_id else log.latest_decision(contact.contact_id)
    return contact_view(heard, person, record, catalogue, language)


def as_object(view: Json) -> ContactView:
    """Return a contact's view as an object, for pages."""
    return ContactView.model_validate_json(orjson.dumps(view))


def contact_body(contact: Contact) -> ContactBody:
    """Return the contact as an object, for lists."""
    return ContactBody(**contact_json(contact))


def in_queue(log: EventLog, contact: Contact) -> WaitingContact:
    """Return the contact as lists of contacts show it."""
    customer = log.customer(contact.customer_id)
    return WaitingContact(
        contact=contact_body(contact), name=customer.name, segment=customer.segment, language=customer.language
    )


def contact_json(contact: Contact) -> Json:
    """Return the contact as the API shows it."""
    return {
        "contact_id": contact.contact_id,
        "customer_id": contact.customer_id,
        "status": "closed" if contact.closed_at else ("live" if contact.agent_id else "waiting"),
        "channel": str(contact.channel),
        "direction": str(contact.direction),
        "reason": contact.reason,
        "sentiment": contact.sentiment,
        "agent_id": contact.agent_id,
        "opened_at": contact.opened_at,
        "closed_at": contact.closed_at,
        "csat": contact.csat,
        "continues": contact.continues,
    }


def customer_json(person: Person, catalogue: Catalogue, language: str) -> Json:
    """Return the single customer view."""
    customer = person.customer
    return {
        "customer_id": customer.customer_id,
        "name": customer.name,
        **customer_values(customer),
        "products": [
            {"offer_id": one, "title": offer_title(one, catalogue, language)}
            for one in sorted(held_offers(person.history))
            if catalogue.is_sale(one)
        ],
        "answers": [
            {
                "offer_id": past.offer_id,
                "title": offer_title(past.offer_id, catalogue, language),
                "answer": past.answer,
                "answered_at": past.answered_at,
            }
            for past in reversed(person.answers[-RECENT_ANSWERS:])
        ],
        "contacts": [contact_json(one) for one in person.contacts],
        "open_complaint_since": person.open_complaint_since,
    }


def _event(event: ContactEvent) -> Json:
    return {
        "sequence": event.sequence,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "intent": event.intent,
        "confidence": event.confidence,
        "sentiment": event.sentiment,
        "text": event.text,
        "agent_id": event.agent_id,
    }
