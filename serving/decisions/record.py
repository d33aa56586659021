"""The stored record of a decision: everything needed to show it, explain it and make it again."""

from collections.abc import Mapping
from typing import Any

import orjson

from recsys.catalogue import Catalogue
from recsys.domain.decision import Decision, RankedOffer, Situation
from recsys.ranking.explanation import offer_title, say_held_back, say_reason
from serving.decisions.schemas import DecisionBody

LANGUAGES = ("en", "zh")


def make_record(decision: Decision, situation: Situation, catalogue: Catalogue, sequence: int) -> dict[str, Any]:
    """Return the record as plain JSON values: what was known, what was decided, what could be said."""
    record = {
        "decision_id": decision.decision_id,
        "contact_id": decision.contact_id,
        "customer_id": decision.customer_id,
        "sequence": sequence,
        "made_at": decision.made_at,
        "offers": [_offer_record(ranked, catalogue) for ranked in decision.offers],
        "held_back": [{"offer_id": one.offer_id, "code": one.code, "facts": one.facts} for one in decision.held_back],
        "model_version": decision.model_version,
        "catalogue_version": decision.catalogue_version,
        "policy_version": decision.policy_version,
        "degraded_reasons": decision.degraded_reasons,
        "feature_age_seconds": decision.feature_age_seconds,
        "inputs": _inputs(situation),
    }
    plain: dict[str, Any] = orjson.loads(orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY))
    return plain


def _offer_record(ranked: RankedOffer, catalogue: Catalogue) -> dict[str, Any]:
    offer = catalogue.offer(ranked.offer_id)
    return {
        "offer_id": ranked.offer_id,
        "position": ranked.position,
        "kind": offer.kind,
        "family": offer.family,
        "title": {language: offer.title(language) for language in LANGUAGES},
        "talk_track": {language: offer.talk_track(language) for language in LANGUAGES},
        "disclosure": offer.disclosure,
        "terms": ranked.terms,
        "relevance": ranked.relevance,
        "propensity": ranked.propensity,
        "net_value": ranked.net_value,
        "priority": ranked.priority,
        "selection_probability": ranked.selection_probability,
        "reasons": [
            {
                "code": reason.code,
                "contribution": reason.contribution,
                "facts": reason.facts,
                "text": {language: say_reason(reason, catalogue, language) for language in LANGUAGES},
            }
            for reason in ranked.reasons
        ],
    }


def _inputs(situation: Situation) -> dict[str, Any]:
    customer, contact = situation.customer, situation.contact
    return {
        "customer": {
            "kind": customer.kind,
            "language": customer.language,
            "segment": customer.segment,
            "risk_level": customer.risk_level,
            "vulnerable": customer.vulnerable,
            "arrears": customer.arrears,
            "do_not_contact": customer.do_not_contact,
            "attributes": customer.attributes,
            "consents": customer.consents,
        },
        "contact": {
            "channel": contact.channel,
            "direction": contact.direction,
            "reason": contact.reason,
            "sentiment": contact.sentiment,
            "agent_id": contact.agent_id,
        },
        "intents": situation.intents,
        "history": [
            [event.offer_id, event.kind, event.occurred_at, event.weight, event.channel] for event in situation.history
        ],
        "answers": [[past.offer_id, past.answer, past.answered_at] for past in situation.answers],
        "open_complaint_since": situation.open_complaint_since,
        "features": situation.features,
    }


def render(record: Mapping[str, Any], language: str, catalogue: Catalogue, spoken: str | None = None) -> DecisionBody:
    """Return the record as the API shows it.

    `language` is the agent's, `spoken` the customer's (what to say; default the agent's); `catalogue`
    gives the titles of what is held back.
    """
    told = "zh" if language.startswith("zh") else "en"
    said = told if spoken is None else ("zh" if spoken.startswith("zh") else "en")
    return DecisionBody.model_validate(
        {
            **{name: record[name] for name in _COPIED},
            "offers": [_offer(one, told, said) for one in record["offers"]],
            "held_back": [_held_back(one, told, catalogue) for one in record["held_back"]],
            "no_offer": not record["offers"],
            "degraded": bool(record["degraded_reasons"]),
        }
    )


_COPIED = (
    "decision_id", "contact_id", "customer_id", "sequence", "made_at", "model_version", "catalogue_version",
    "policy_version", "degraded_reasons", "feature_age_seconds",
)  # fmt: skip


def _offer(one: Mapping[str, Any], told: str, said: str) -> dict[str, Any]:
    reasons = [{**reason, "text": reason["text"][told]} for reason in one["reasons"]]
    return {**one, "title": one["title"][told], "talk_track": one["talk_track"][said], "reasons": reasons}


def _held_back(one: Mapping[str, Any], told: str, catalogue: Catalogue) -> dict[str, Any]:
    title = offer_title(one["offer_id"], catalogue, told)
    return {**one, "title": title, "text": say_held_back(one["code"], one["facts"], told)}
