"""A decision's record as the API shows it, said in one language."""

from collections.abc import Mapping
from typing import Any

import orjson

from recsys.catalogue import Catalogue
from recsys.ranking.explanation import offer_title, say_held_back
from serving.decisions.record import Record, check_format
from serving.decisions.schemas import DecisionBody

_COPIED = (
    "decision_id", "contact_id", "customer_id", "sequence", "made_at", "explored_position", "model_version",
    "propensity_version", "catalogue_version", "policy_version", "degraded_reasons", "feature_age_seconds",
)  # fmt: skip
_LEAST_CONTRIBUTION = 1e-9
"""Of the log-odds; the record keeps what is less."""
_UNKNOWN = "eligibility_unknown"
_CATALOGUES_AT_ONCE = 8


def render(record: Record, language: str, catalogue: Catalogue, spoken: str | None = None) -> dict[str, Any]:
    """Return the body of the record's decision for `orjson.dumps`, of the shape of `DecisionBody`.

    `language` is the agent's, `spoken` the customer's (what to say; default the agent's); `catalogue`
    gives the titles of what is held back. Raises `NotReplayable` for a record of another format.
    """
    check_format(record)
    told = _language(language)
    said = told if spoken is None else _language(spoken)
    return {
        **{name: record[name] for name in _COPIED},
        "offers": [_offer(one, told, said) for one in record["offers"]],
        "held_back": _held_back(record, told, catalogue),
        "no_offer": not record["offers"],
        "degraded": bool(record["degraded_reasons"]),
        "features_missing": record.get("features_missing", []),
    }


def rendered(record: Record, language: str, catalogue: Catalogue, spoken: str | None = None) -> DecisionBody:
    """Return the same as an object, for pages."""
    return DecisionBody.model_validate_json(orjson.dumps(render(record, language, catalogue, spoken)))


def _language(tag: str) -> str:
    return "zh" if tag.startswith("zh") else "en"


def _offer(one: Mapping[str, Any], told: str, said: str) -> dict[str, Any]:
    reasons = [{**reason, "text": reason["text"][told]} for reason in one["reasons"] if not _is_rounding(reason)]
    texts = {"title": one["title"][told], "talk_track": one["talk_track"][said], "disclosure": one["disclosure"][said]}
    return {**one, **texts, "reasons": reasons}


def _is_rounding(reason: Mapping[str, Any]) -> bool:
    """Return whether a reason adds what sums of floats leave over; one that adds nothing at all says something else."""
    contribution: float = reason["contribution"]
    return 0.0 < abs(contribution) < _LEAST_CONTRIBUTION


class _Phrases(dict[str, orjson.Fragment]):
    """Offer id → the finished JSON that it is held back for one reason: said once, used by thousands of answers."""

    def __init__(self, code: str, language: str, catalogue: Catalogue) -> None:
        super().__init__()
        self._code, self._language, self._catalogue = code, language, catalogue

    def __missing__(self, offer_id: str) -> orjson.Fragment:
        text = say_held_back(self._code, {}, self._language)
        phrase = orjson.Fragment(_held(offer_id, self._code, text, self._language, self._catalogue))
        self[offer_id] = phrase
        return phrase


_phrases: dict[tuple[str, str], dict[str, _Phrases]] = {}
"""Catalogue version and language → code → phrases, of the latest few catalogues."""


def _held_back(record: Record, language: str, catalogue: Catalogue) -> list[orjson.Fragment]:
    known = _phrases.get((catalogue.version, language))
    if known is None:
        while len(_phrases) >= _CATALOGUES_AT_ONCE:
            _phrases.pop(next(iter(_phrases)), None)
        known = _phrases.setdefault((catalogue.version, language), {})
    listed: list[orjson.Fragment] = []
    for code, offer_ids in record["held_back"].items():
        if code == _UNKNOWN:
            listed += _unknown(record, offer_ids, language, catalogue)
            continue
        phrases = known.get(code)
        if phrases is None:
            phrases = known.setdefault(code, _Phrases(code, language, catalogue))
        listed += map(phrases.__getitem__, offer_ids)
    return listed


def _unknown(record: Record, offer_ids: list[str], language: str, catalogue: Catalogue) -> list[orjson.Fragment]:
    names = record["unknown"]
    return [
        orjson.Fragment(
            _held(one, _UNKNOWN, say_held_back(_UNKNOWN, {"names": names[one]}, language), language, catalogue)
        )
        for one in offer_ids
    ]


def _held(offer_id: str, code: str, text: str, language: str, catalogue: Catalogue) -> bytes:
    title = offer_title(offer_id, catalogue, language)
    return orjson.dumps({"offer_id": offer_id, "title": title, "code": code, "text": text})
