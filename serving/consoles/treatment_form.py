"""What an arm does differently, as rows of plain fields, and as the treatment document that the service keeps."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from recsys.catalogue import Catalogue, offer_to_dict
from recsys.rules import ValueType
from serving.guard import refusal_of

WORDS = ("title_en", "title_zh", "talk_track_en", "talk_track_zh")
NEW_OFFER = (
    "title_en", "title_zh", "family", "margin", "talk_track_en", "talk_track_zh", "disclosure_en", "disclosure_zh",
)  # fmt: skip
KINDS = ("words", "lever", "add", "terms", "remove")
"""What an arm can do with an offer: re-word, pull forward, bring, re-price, take away."""


@dataclass(slots=True)
class Change:
    """One row: what is done (`KINDS`) with which offer (for a lever also a family), and the fields this takes."""

    kind: str
    offer_id: str = ""
    values: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)


def changes_of(treatment: Mapping[str, Any], catalogue: Catalogue) -> tuple[list[Change], dict[str, Any]]:
    """Return a treatment as rows, and the parts of it that no row can say."""
    changes: list[Change] = []
    rest = {name: value for name, value in treatment.items() if name in ("policy", "model") and value}
    for row in treatment.get("offers") or ():
        found = list(_rows(row, catalogue))
        changes += found
        if not found:
            rest.setdefault("offers", []).append(row)
    changes += [Change("remove", str(offer_id)) for offer_id in treatment.get("remove") or ()]
    changes += [
        Change("lever", str(name), {"factor": _text(factor)})
        for name, factor in (treatment.get("levers") or {}).items()
    ]
    return changes, rest


def treatment_of(changes: list[Change], advanced: str, catalogue: Catalogue) -> dict[str, Any]:
    """Return the treatment document of rows and of the advanced field's JSON; raises `ValueError` for bad JSON."""
    treatment = _parsed(advanced)
    offers: dict[str, dict[str, Any]] = {}
    for change in changes:
        if change.kind in ("words", "terms", "add"):
            row = offers.setdefault(change.offer_id, {"offer_id": change.offer_id})
            row |= _columns(change, catalogue)
        elif change.kind == "remove":
            treatment.setdefault("remove", []).append(change.offer_id)
        else:
            treatment.setdefault("levers", {})[change.offer_id] = _number(change.values.get("factor", ""))
    if offers:
        treatment["offers"] = [*treatment.get("offers", []), *offers.values()]
    return treatment


def filled(change: Change, catalogue: Catalogue) -> Change:
    """Return the row with its fields as they are for its offer today."""
    if change.kind == "lever":
        return Change("lever", change.offer_id, {"factor": "1.5"})
    if change.kind in ("words", "terms") and change.offer_id in catalogue.table.column:
        offer = catalogue.offer(change.offer_id)
        if change.kind == "words":
            return Change("words", change.offer_id, {name: getattr(offer, name) for name in WORDS})
        return Change("terms", change.offer_id, terms=dict(offer.terms))
    return Change(change.kind, change.offer_id, dict.fromkeys(NEW_OFFER if change.kind == "add" else (), ""))


def with_id(change: Change, catalogue: Catalogue, taken: set[str]) -> Change:
    """Return the row of a new offer with an id made of its title, which no other offer has."""
    stem = re.sub(r"\W+", "_", (change.values.get("title_en") or "").lower()).strip("_")[:60] or "offer"
    name, number = stem, 1
    while name in taken or name in catalogue.table.column:
        number += 1
        name = f"{stem}_{number}"
    return Change("add", name, change.values)


def priceable(catalogue: Catalogue) -> dict[str, dict[str, tuple[float, float] | None]]:
    """Return the terms an arm may change by offer, a number with its bounds: one without is the same in every arm."""
    found: dict[str, dict[str, tuple[float, float] | None]] = {}
    for offer in catalogue.offers:
        rules = catalogue.terms(offer.offer_id)
        terms = {
            name: offer.term_bounds.get(name)
            for name, rule in rules.items()
            if name in offer.term_bounds or rule.type is not ValueType.NUMBER
        }
        if terms:
            found[offer.offer_id] = terms
    return found


def _rows(row: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Change]:
    """Yield the rows that say what this row of a treatment says; none where it holds a column they have not."""
    offer_id, columns = str(row.get("offer_id", "")), row.keys() - {"offer_id"}
    if offer_id not in catalogue.table.column:
        if columns <= set(NEW_OFFER):
            yield Change("add", offer_id, {name: _text(row.get(name)) for name in NEW_OFFER})
    elif columns <= {*WORDS, "terms"}:
        today = filled(Change("words", offer_id), catalogue).values
        if columns & set(WORDS) or not columns:
            yield Change("words", offer_id, {name: _text(row.get(name, today[name])) for name in WORDS})
        if "terms" in columns:
            yield Change("terms", offer_id, terms={name: _text(rule) for name, rule in row["terms"].items()})


def _columns(change: Change, catalogue: Catalogue) -> dict[str, Any]:
    """Return the columns that differ from the offer's today, all that are given for a new one."""
    today: Mapping[str, Any] = {}
    if change.offer_id in catalogue.table.column:
        today = offer_to_dict(catalogue.offer(change.offer_id))
    if change.kind == "terms":
        terms = {**today.get("terms", {}), **change.terms}
        return {"terms": terms} if terms != today.get("terms") else {}
    names = WORDS if change.kind == "words" else NEW_OFFER
    given = {name: change.values.get(name, "").replace("\r\n", "\n").strip() for name in names}
    return {
        name: _number(value) if name == "margin" else value
        for name, value in given.items()
        if value != today.get(name, "")
    }


def _parsed(advanced: str) -> dict[str, Any]:
    if not advanced.strip():
        return {}
    found = None if refusal_of(advanced.encode()) else orjson.loads(advanced)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _number(text: str) -> object:
    """Return the number that was typed, or the text where it is none, for the service to refuse."""
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
