"""The stored record of a decision: everything needed to show it, explain it and make it again."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from recsys.domain.contact import Contact, Direction, Intent
from recsys.domain.customer import Consents, Customer, CustomerKind
from recsys.domain.decision import Decision, RankedOffer, Situation
from recsys.domain.errors import NotReplayable
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.engine import NO_MODEL
from recsys.ranking.explanation import say_reason
from serving.basis import Basis
from serving.treatments import campaign_arms

FORMAT = 2
LANGUAGES = ("en", "zh")
Record = Mapping[str, Any]


def make_record(decision: Decision, situation: Situation, basis: Basis, sequence: int) -> dict[str, Any]:
    """Return the record: what was known, what was decided, what could be said. `to_json` writes it down."""
    return {
        "format": FORMAT,
        "decision_id": decision.decision_id,
        "contact_id": decision.contact_id,
        "customer_id": decision.customer_id,
        "sequence": sequence,
        "made_at": decision.made_at.isoformat(),
        "offers": [_offer_record(ranked, basis) for ranked in decision.offers],
        "held_back": decision.held_back,
        "unknown": decision.unknown,
        "signals": decision.signals,
        "explored_position": decision.explored_position,
        "model_version": decision.model_version,
        "propensity_version": decision.propensity_version,
        "catalogue_version": decision.catalogue_version,
        "policy_version": decision.policy_version,
        "degraded_reasons": decision.degraded_reasons,
        "feature_age_seconds": decision.feature_age_seconds,
        "inputs": _inputs(situation),
    }


def to_json(record: Record) -> str:
    """Return the record as it is stored: the same record always gives the same text."""
    return orjson.dumps(record).decode()


def _offer_record(ranked: RankedOffer, basis: Basis) -> dict[str, Any]:
    catalogue = basis.catalogue
    offer = catalogue.offer(ranked.offer_id)
    campaign = {"campaign": basis.campaign_of[ranked.offer_id]} if ranked.offer_id in basis.campaign_of else {}
    return {
        "offer_id": ranked.offer_id,
        "position": ranked.position,
        "kind": offer.kind,
        "family": offer.family,
        "title": {language: offer.title(language) for language in LANGUAGES},
        "talk_track": {language: offer.talk_track(language) for language in LANGUAGES},
        "disclosure": {language: offer.disclosure(language) for language in LANGUAGES},
        "terms": ranked.terms,
        "relevance": ranked.relevance,
        "propensity": ranked.propensity,
        "net_value": ranked.net_value,
        "priority": ranked.priority,
        "selection_probability": ranked.selection_probability,
        "signals": ranked.signals,
        "reasons": [
            {
                "code": reason.code,
                "contribution": reason.contribution,
                "facts": reason.facts,
                "text": {language: say_reason(reason, catalogue, language) for language in LANGUAGES},
            }
            for reason in ranked.reasons
        ],
        **campaign,
    }


def _inputs(situation: Situation) -> dict[str, Any]:
    customer, contact = situation.customer, situation.contact
    return {
        "customer": customer_values(customer),
        "contact": {
            "channel": contact.channel,
            "direction": contact.direction,
            "reason": contact.reason,
            "sentiment": contact.sentiment,
            "agent_id": contact.agent_id,
            "opened_at": contact.opened_at,
        },
        "intents": [{"name": intent.name, "confidence": intent.confidence} for intent in situation.intents],
        "history": [
            [event.offer_id, event.kind, event.occurred_at, event.weight, event.channel] for event in situation.history
        ],
        "answers": [[past.offer_id, past.answer, past.answered_at, past.channel] for past in situation.answers],
        "open_complaint_since": situation.open_complaint_since,
        "offered_elsewhere": sorted(situation.offered_elsewhere),
        "acceptances": situation.acceptances,
        "features": situation.features,
        **({} if situation.campaigns is None else {"campaigns": asdict(situation.campaigns)}),
    }


def customer_values(customer: Customer) -> dict[str, Any]:
    """Return everything known of the customer but id and name, the consents in force by purpose."""
    return {
        "kind": customer.kind,
        "language": customer.language,
        "segment": customer.segment,
        "risk_level": customer.risk_level,
        "vulnerable": customer.vulnerable,
        "arrears": customer.arrears,
        "do_not_contact": customer.do_not_contact,
        "attributes": customer.attributes,
        "consents": {purpose: getattr(customer.consents, purpose) for purpose in Consents.__slots__},
    }


def check_format(record: Record) -> None:
    """Raise `NotReplayable` for a record that another version of this program wrote."""
    if record.get("format") != FORMAT:
        raise NotReplayable("The decision was made by another version of this program, which has to read it.")


def situation_of(record: Record) -> Situation:
    """Return the situation that the record's decision was made in, as the engine is asked.

    The customer's name is not in it: records hold none. Raises `NotReplayable` for a record of another format.
    """
    check_format(record)
    inputs, customer_id = record["inputs"], record["customer_id"]
    person, consents = {**inputs["customer"]}, Consents(**inputs["customer"]["consents"])
    person |= {"kind": CustomerKind(person["kind"]), "consents": consents}
    contact = {**inputs["contact"], "opened_at": datetime.fromisoformat(inputs["contact"]["opened_at"])}
    since = inputs["open_complaint_since"]
    return Situation(
        decision_id=record["decision_id"],
        made_at=datetime.fromisoformat(record["made_at"]),
        customer=Customer(customer_id, **person),
        contact=Contact(record["contact_id"], customer_id, **contact | {"direction": Direction(contact["direction"])}),
        intents=tuple(Intent(**intent) for intent in inputs["intents"]),
        history=tuple(
            Interaction(customer_id, offer_id, datetime.fromisoformat(at), InteractionKind(kind), channel, weight)
            for offer_id, kind, at, weight, channel in inputs["history"]
        ),
        answers=tuple(
            PastAnswer(offer_id, Answer(answer), datetime.fromisoformat(at), channel)
            for offer_id, answer, at, channel in inputs["answers"]
        ),
        open_complaint_since=None if since is None else datetime.fromisoformat(since),
        offered_elsewhere=frozenset(inputs["offered_elsewhere"]),
        acceptances={offer_id: (today, ever) for offer_id, (today, ever) in inputs["acceptances"].items()},
        features=inputs["features"],
        feature_age_seconds=record["feature_age_seconds"],
        degraded_reasons=tuple(reason for reason in record["degraded_reasons"] if reason != NO_MODEL),
        campaigns=campaign_arms(record),
    )
