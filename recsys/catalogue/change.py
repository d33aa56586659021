"""A change document: what would differ in the catalogue and the policy, checked as if it were to be saved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from recsys.catalogue import cells
from recsys.catalogue.catalogue import Catalogue, build_catalogue
from recsys.catalogue.offer_rows import offer_to_dict, parse_offers
from recsys.domain.conventions import AS_SHIPPED, Conventions
from recsys.domain.errors import CatalogueInvalid, ChangeInvalid, PolicyInvalid
from recsys.domain.offer import Offer
from recsys.domain.policy import Policy, parse_policy
from recsys.rules.vocabulary import Vocabulary

PARTS = ("offers", "remove", "policy", "levers")
_OTHER_NAMES = {"title": "title_en", "disclosure": "disclosure_en"}
_KEYS = f"is not one of {', '.join(PARTS)}"


def changed(
    parts: Mapping[Any, Any],
    place: str,
    catalogue: Catalogue,
    policy: Policy,
    vocabulary: Vocabulary,
    reading: Conventions = AS_SHIPPED,
) -> tuple[Catalogue, Policy]:
    """Return the catalogue and the policy with a document of `PARTS` applied, each itself where nothing changes it.

    `place` names the document in errors; `vocabulary` is what rules may name, `reading` how
    offers are written. Raises `ChangeInvalid`.
    """
    for key in parts:
        if key not in PARTS:
            near = get_close_matches(str(key), PARTS, n=1)
            raise ChangeInvalid(f"{place}, {str(key)[:60]}", f"did you mean {near[0]}?" if near else _KEYS)
    try:
        changed_policy = parse_policy(_mapping(parts, "policy", place), policy)
    except PolicyInvalid as error:
        raise ChangeInvalid(f"{place}, policy, {error.field}", error.reason) from error
    types = {**vocabulary, **catalogue.rule_types}
    return _changed_catalogue(parts, place, catalogue, types, reading), changed_policy


def _changed_catalogue(
    parts: Mapping[Any, Any], place: str, catalogue: Catalogue, types: Vocabulary, reading: Conventions
) -> Catalogue:
    remove, changes = _list(parts, "remove", place), _list(parts, "offers", place)
    levers = _mapping(parts, "levers", place)
    if not (remove or changes or levers):
        return catalogue
    offers = {offer.offer_id: offer for offer in catalogue.offers}
    for offer_id in remove:
        if offers.pop(offer_id if isinstance(offer_id, str) else "", None) is None:
            raise ChangeInvalid(
                f"{place}, remove", f"there is no offer {str(offer_id)[:60]!r}{_nearest(offer_id, offers)}"
            )
    removed = catalogue.table.column.keys() - offers.keys()
    try:
        for offer in parse_offers(_merged(offers, changes, removed, place), types, reading):
            offers[offer.offer_id] = offer
        return build_catalogue(_pulled(tuple(offers.values()), levers, place), types, catalogue)
    except CatalogueInvalid as error:
        raise ChangeInvalid(place, str(error.problems[0])) from error


def _merged(
    offers: Mapping[str, Offer], changes: Sequence[Any], removed: Collection[str], place: str
) -> list[dict[str, object]]:
    """Return the rows of the changed offers: the given columns over those of the offer of that id, if there is one."""
    rows: dict[str, dict[str, object]] = {}
    for number, change in enumerate(changes, start=1):
        where = f"{place}, offer {number}"
        if not isinstance(change, Mapping) or not isinstance(change.get("offer_id"), str):
            raise ChangeInvalid(where, "needs an offer_id and the columns that change")
        offer_id = change["offer_id"]
        if offer_id in removed or offer_id in rows:
            raise ChangeInvalid(f"{where} ({offer_id})", "is removed or changed above")
        given = {_OTHER_NAMES.get(str(name), str(name)): value for name, value in change.items()}
        rows[offer_id] = {**(offer_to_dict(offers[offer_id]) if offer_id in offers else {}), **given}
    return list(rows.values())


def _pulled(offers: Sequence[Offer], levers: Mapping[Any, Any], place: str) -> list[Offer]:
    """Return the offers, their lever times the factor given for their id or else their family."""
    named = {offer.offer_id for offer in offers} | {offer.family for offer in offers if offer.family}
    factors = {}
    for name, factor in levers.items():
        where = f"{place}, levers, {str(name)[:60]}"
        if name not in named:
            raise ChangeInvalid(where, f"is neither an offer nor a family{_nearest(name, named)}")
        try:
            factors[name] = cells.number(factor, low=0.0, high=100.0)
        except ValueError as error:
            raise ChangeInvalid(where, str(error)) from error
    return [
        replace(offer, lever=min(offer.lever * factors.get(offer.offer_id, factors.get(offer.family, 1.0)), 100.0))
        for offer in offers
    ]


def _list(parts: Mapping[Any, Any], key: str, place: str) -> list[Any]:
    value = parts.get(key)
    if value is not None and not isinstance(value, list):
        raise ChangeInvalid(f"{place}, {key}", "must be a list")
    return value or []


def _mapping(parts: Mapping[Any, Any], key: str, place: str) -> Mapping[Any, Any]:
    value = parts.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise ChangeInvalid(f"{place}, {key}", "must map names to numbers")
    return value or {}


def _nearest(name: object, known: Any) -> str:
    near = get_close_matches(str(name)[:60], sorted(known), n=1)
    return f"; the nearest is {near[0]!r}" if near else ""
