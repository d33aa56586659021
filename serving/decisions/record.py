"""The stored record of a decision: everything needed to show it, explain it and make it again."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from recsys.domain.channel import BEFORE_VOCABULARIES as OLD_CHANNELS
from recsys.domain.channel import CHANNELS
from recsys.domain.contact import Contact, Direction, Intent
from recsys.domain.customer import Consents, Customer, CustomerKind
from recsys.domain.decision import Decision, RankedOffer, Situation
from recsys.domain.errors import NotReplayable
from recsys.domain.interaction import HistoryRow, Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.protection import FLAGS
from recsys.domain.vocabulary import COMPLAINT, NAMED_LATER, NEEDS, Vocabulary
from recsys.engine import NO_MODEL
from recsys.ranking.explanation import say_reason
from serving.basis import Basis
from serving.treatments import campaign_arms

FORMAT = 5
BEFORE_SIGNED = 4
"""The format of before reasons named facts, and said whether something speaks for the offer or against it."""
BEFORE_SERVED = 3
"""The format of before what the feature store served: the log told history and profile, the bundle the evidence."""
BEFORE_VOCABULARIES = 2
"""The format whose flags were three fields, which told a complaint by its reason, and knew six channels."""
RUNTIME = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}, numpy {np.__version__}"
_OLD_WORDS = Vocabulary(needs={name: need for name, need in NEEDS.items() if name not in NAMED_LATER})
_OLD_FLAGS = ("vulnerable", "arrears", "do_not_contact")
LANGUAGES = ("en", "zh")
Record = Mapping[str, Any]
_NEW_CHANNELS = frozenset(f"channel_{name}" for name in CHANNELS.keys() - OLD_CHANNELS)


@dataclass(frozen=True, slots=True)
class Made:
    """In which format a record is, and on which Python its decision was made (None: not said before format 3)."""

    format: int = FORMAT
    runtime: str | None = RUNTIME

    @classmethod
    def of(cls, record: Record) -> "Made":
        """Return how the stored record was made, so that a replay writes the same."""
        return cls(record["format"], record.get("runtime"))


def make_record(
    decision: Decision, situation: Situation, basis: Basis, sequence: int, made: Made = Made()
) -> dict[str, Any]:
    """Return the record: what was known, what was decided, what could be said. `to_json` writes it down."""
    is_old, signals = made.format == BEFORE_VOCABULARIES, decision.signals
    if is_old:
        signals = {name: value for name, value in signals.items() if name not in _NEW_CHANNELS}
    evidence = {"evidence_version": basis.evidence.version if basis.evidence else None}
    return {
        "format": made.format,
        **({} if is_old else {"runtime": made.runtime}),
        "decision_id": decision.decision_id,
        "contact_id": decision.contact_id,
        "customer_id": decision.customer_id,
        "sequence": sequence,
        "made_at": decision.made_at.isoformat(),
        "offers": [
            _offer_record(ranked, basis, _OLD_WORDS if is_old else basis.policy.words) for ranked in decision.offers
        ],
        "held_back": decision.held_back,
        "unknown": decision.unknown,
        "signals": signals,
        "explored_position": decision.explored_position,
        "model_version": decision.model_version,
        "propensity_version": decision.propensity_version,
        **(evidence if made.format > BEFORE_SERVED else {}),
        "catalogue_version": decision.catalogue_version,
        "policy_version": decision.policy_version,
        "degraded_reasons": decision.degraded_reasons,
        "feature_age_seconds": decision.feature_age_seconds,
        **({"features_missing": situation.features_missing} if made.format > BEFORE_SERVED else {}),
        "inputs": _inputs(situation, is_old) | (_served(situation) if made.format > BEFORE_SERVED else {}),
    }


def to_json(record: Record) -> str:
    """Return the record as it is stored: the same record always gives the same text."""
    return orjson.dumps(record).decode()


def _offer_record(ranked: RankedOffer, basis: Basis, words: Vocabulary) -> dict[str, Any]:
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
                "text": {language: say_reason(reason, catalogue, language, words) for language in LANGUAGES},
            }
            for reason in ranked.reasons
        ],
        **campaign,
    }


def _inputs(situation: Situation, is_old: bool) -> dict[str, Any]:
    customer, contact = situation.customer, situation.contact
    flags = {one: one in customer.flags for one in _OLD_FLAGS} if is_old else {"flags": sorted(customer.flags)}
    complaint: dict[str, Any] = {} if is_old else {"is_complaint": situation.is_complaint}
    if situation.complaint_days is not None:
        complaint["complaint_days"] = situation.complaint_days
    return {
        "customer": _customer(customer, flags),
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
        **complaint,
        "open_complaint_since": situation.open_complaint_since,
        "offered_elsewhere": sorted(situation.offered_elsewhere),
        **({"elsewhere_channels": channels} if (channels := situation.elsewhere_channels) else {}),
        "acceptances": situation.acceptances,
        "features": situation.features,
        **({"own": situation.own} if situation.own else {}),
        **({"own_code": situation.own_code} if situation.own_code else {}),
        **({"unread": situation.unread} if situation.unread else {}),
        **({} if situation.campaigns is None else {"campaigns": asdict(situation.campaigns)}),
    }


def _served(situation: Situation) -> dict[str, Any]:
    """Return what the feature store served and the ranking used; None: the event log told that."""
    row = situation.served
    served = None if row is None else {name: getattr(row, name) for name in HistoryRow.__slots__}  # `asdict` is slow
    return {"served": served, "profile": situation.profile}


def customer_values(customer: Customer) -> dict[str, Any]:
    """Return everything known of the customer but id and name, flag by flag, the consents in force by purpose."""
    return _customer(customer, {name: name in customer.flags for name in FLAGS})


def _customer(customer: Customer, flags: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": customer.kind,
        "language": customer.language,
        "segment": customer.segment,
        "risk_level": customer.risk_level,
        **flags,
        "attributes": customer.attributes,
        "consents": {purpose: getattr(customer.consents, purpose) for purpose in Consents.__slots__},
    }


def check_format(record: Record) -> None:
    """Raise `NotReplayable` for a record that another version of this program wrote."""
    if record.get("format") not in (BEFORE_VOCABULARIES, BEFORE_SERVED, BEFORE_SIGNED, FORMAT):
        raise NotReplayable("The decision was made by another version of this program, which has to read it.")


def situation_of(record: Record) -> Situation:
    """Return the situation that the record's decision was made in, as the engine is asked.

    The customer's name is not in it: records hold none. Raises `NotReplayable` for a record of another format.
    """
    check_format(record)
    inputs, customer_id = record["inputs"], record["customer_id"]
    person, consents = {**inputs["customer"]}, Consents(**inputs["customer"]["consents"])
    person |= {"kind": CustomerKind(person["kind"]), "consents": consents, "flags": _flags(person)}
    contact = {**inputs["contact"], "opened_at": datetime.fromisoformat(inputs["contact"]["opened_at"])}
    since = inputs["open_complaint_since"]
    return Situation(
        decision_id=record["decision_id"],
        made_at=datetime.fromisoformat(record["made_at"]),
        customer=Customer(customer_id, **person),
        contact=Contact(record["contact_id"], customer_id, **contact | {"direction": Direction(contact["direction"])}),
        intents=tuple(Intent(**intent) for intent in inputs["intents"]),
        is_complaint=_is_complaint(inputs),
        complaint_days=inputs.get("complaint_days"),
        elsewhere_channels=inputs.get("elsewhere_channels", {}),
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
        served=_history_row(inputs.get("served")),
        profile=inputs.get("profile"),
        features_missing=tuple(record.get("features_missing", ())),
        own=inputs.get("own", {}),
        own_code=inputs.get("own_code", {}),
        plain_reasons=record["format"] <= BEFORE_SIGNED,
        unread=tuple(inputs.get("unread", ())),
    )


def _history_row(served: Mapping[str, Any] | None) -> HistoryRow | None:
    if served is None:
        return None
    lists = {name: tuple(values) for name, values in served.items() if isinstance(values, list)}
    return HistoryRow(**{**served, **lists, "at": datetime.fromisoformat(served["at"])})


def _flags(person: dict[str, Any]) -> frozenset[str]:
    """Return the flags of a recorded person, who loses the fields that older formats had for them."""
    old = [name for name in _OLD_FLAGS if person.pop(name, False)]
    return frozenset(person.get("flags", old))


def _is_complaint(inputs: Mapping[str, Any]) -> bool:
    """Return whether the contact was a complaint; older formats told it by the one word that they knew."""
    if "is_complaint" in inputs:
        return bool(inputs["is_complaint"])
    return inputs["contact"]["reason"] == COMPLAINT or any(one["name"] == COMPLAINT for one in inputs["intents"])
