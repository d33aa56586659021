"""Changes to the catalogue and the policy, checked as if they were to be saved, as the rulebooks of scenarios."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from recsys.catalogue import build_catalogue, cells, offer_to_dict, parse_offers
from recsys.domain.errors import CatalogueInvalid, ChangeInvalid, PolicyInvalid
from recsys.domain.offer import Offer
from recsys.domain.policy import parse_policy
from recsys.rules.vocabulary import Vocabulary
from recsys.what_if.rulebook import TODAY, Rulebook

PARTS = ("offers", "remove", "policy", "levers")
MOST_SCENARIOS = 10
_OTHER_NAMES = {"title": "title_en", "disclosure": "disclosure_en"}


def parse_changes(document: object, file: str, today: Rulebook, vocabulary: Vocabulary) -> list[Rulebook]:
    """Return the rulebook of every scenario of a change file: `PARTS`, or a list of such under `scenarios`.

    `file` names the place in errors, and the scenario of a file that holds one change; `vocabulary` is what rules
    may name. Raises `ChangeInvalid`.
    """
    if not isinstance(document, Mapping):
        raise ChangeInvalid(file, f"must hold {', '.join(PARTS)}, or scenarios")
    if "scenarios" not in document:
        return [_changed(document, file, file.rpartition(".")[0] or file, today, vocabulary)]
    scenarios = document["scenarios"]
    if len(document) > 1 or not isinstance(scenarios, list) or not scenarios:
        raise ChangeInvalid(file, "scenarios must be the only key, with a list under it")
    found = []
    for number, scenario in enumerate(scenarios, start=1):
        place = f"{file}, scenario {number}"
        if not isinstance(scenario, Mapping) or not isinstance(scenario.get("name"), str) or not scenario["name"]:
            raise ChangeInvalid(place, "needs a name")
        parts = {key: value for key, value in scenario.items() if key != "name"}
        found.append(_changed(parts, f"{place} ({scenario['name']})", scenario["name"], today, vocabulary))
    return found


def check_names(rulebooks: Sequence[Rulebook]) -> None:
    """Raise `ChangeInvalid` unless every scenario has a name of its own, and there are not too many."""
    names = [rulebook.name for rulebook in rulebooks]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ChangeInvalid(twice, f"each scenario needs a name of its own, other than {TODAY!r}")
    if len(names) > MOST_SCENARIOS + 1:
        raise ChangeInvalid("scenarios", f"at most {MOST_SCENARIOS} are compared at a time")


def _changed(parts: Mapping[Any, Any], place: str, name: str, today: Rulebook, vocabulary: Vocabulary) -> Rulebook:
    for key in parts:
        if key not in PARTS:
            near = get_close_matches(str(key), PARTS, n=1)
            raise ChangeInvalid(f"{place}, {str(key)[:60]}", f"did you mean {near[0]}?" if near else _KEYS)
    rows = {offer.offer_id: offer_to_dict(offer) for offer in today.catalogue.offers}
    for offer_id in _list(parts, "remove", place):
        if rows.pop(offer_id if isinstance(offer_id, str) else "", None) is None:
            raise ChangeInvalid(
                f"{place}, remove", f"there is no offer {str(offer_id)[:60]!r}{_nearest(offer_id, rows)}"
            )
    removed = {offer.offer_id for offer in today.catalogue.offers} - rows.keys()
    _merge(rows, _list(parts, "offers", place), removed, place)
    types = {**vocabulary, **today.catalogue.rule_types}
    try:
        offers = _pulled(parse_offers(list(rows.values()), types), _mapping(parts, "levers", place), place)
        catalogue = build_catalogue(offers, types)
    except CatalogueInvalid as error:
        raise ChangeInvalid(place, str(error.problems[0])) from error
    try:
        policy = parse_policy(_mapping(parts, "policy", place), today.policy)
    except PolicyInvalid as error:
        raise ChangeInvalid(f"{place}, policy, {error.field}", error.reason) from error
    return Rulebook(name, catalogue, policy)


_KEYS = f"is not one of {', '.join(PARTS)}"


def _merge(rows: dict[str, dict[str, object]], changes: Sequence[Any], removed: set[str], place: str) -> None:
    """Put the given columns over those of the offer of the same id; another id is a new offer."""
    seen = set()
    for number, change in enumerate(changes, start=1):
        where = f"{place}, offer {number}"
        if not isinstance(change, Mapping) or not isinstance(change.get("offer_id"), str):
            raise ChangeInvalid(where, "needs an offer_id and the columns that change")
        offer_id = change["offer_id"]
        if offer_id in removed or offer_id in seen:
            raise ChangeInvalid(f"{where} ({offer_id})", "is removed or changed above")
        seen.add(offer_id)
        given = {_OTHER_NAMES.get(str(name), str(name)): value for name, value in change.items()}
        rows[offer_id] = {**rows.get(offer_id, {}), **given}


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
