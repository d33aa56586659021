"""One version of the catalogue, its rules compiled: what decisions look offers up in."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from recsys.catalogue.offer_rows import offer_to_dict
from recsys.catalogue.offer_table import OfferTable, build_table
from recsys.domain.errors import CatalogueInvalid, OfferInvalid, OfferNotFound, RuleError
from recsys.domain.facts import Facts, offer_facts
from recsys.domain.offer import Offer
from recsys.rules import Rule, ValueType, parse_rule
from recsys.rules.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class _Entry:
    offer: Offer
    eligibility: Rule | None
    terms: Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The offers in the order of their ids; the same offers always have the same `version`."""

    version: str
    offers: tuple[Offer, ...]
    facts: Mapping[str, Facts] = field(compare=False, repr=False)
    """Offer id → what models may know of it."""
    table: OfferTable = field(compare=False, repr=False)
    rule_types: Mapping[str, ValueType] = field(compare=False, repr=False)
    """The type of every name that a rule of this version uses."""
    _entries: Mapping[str, _Entry] = field(compare=False, repr=False)

    def offer(self, offer_id: str) -> Offer:
        """Return the offer of that id; raises `OfferNotFound`."""
        return self._entry(offer_id).offer

    def eligibility(self, offer_id: str) -> Rule | None:
        """Return the rule of who may get the offer, None for everyone; raises `OfferNotFound`."""
        return self._entry(offer_id).eligibility

    def terms(self, offer_id: str) -> Mapping[str, Rule]:
        """Return the rule of each term of the offer by the term's name; raises `OfferNotFound`."""
        return self._entry(offer_id).terms

    def is_sale(self, offer_id: str) -> bool:
        """Return whether the offer is a sale; one that has left the catalogue counts as one."""
        entry = self._entries.get(offer_id)
        return entry is None or entry.offer.is_sale

    def compiled_rules(self, vocabulary: Vocabulary) -> dict[tuple[str, ValueType | None], Rule]:
        """Return the rules by text and the type they must give, where names have the types of `vocabulary`."""
        rules: dict[tuple[str, ValueType | None], Rule] = {}
        for entry in self._entries.values():
            if entry.eligibility is not None:
                rules[entry.eligibility.text, ValueType.BOOLEAN] = entry.eligibility
            rules |= {(rule.text, None): rule for rule in entry.terms.values()}
        same = {name for name, kind in self.rule_types.items() if vocabulary.get(name) is kind}
        return {key: rule for key, rule in rules.items() if rule.names <= same}

    def _entry(self, offer_id: str) -> _Entry:
        entry = self._entries.get(offer_id)
        if entry is None:
            raise OfferNotFound(offer_id)
        return entry


def build_catalogue(offers: Iterable[Offer], vocabulary: Vocabulary, earlier: Catalogue | None = None) -> Catalogue:
    """Return the catalogue of these offers, which come from `parse_offers` and so have unique ids.

    Rules that an `earlier` catalogue has compiled over the same types are taken from there. Raises
    `CatalogueInvalid` where `vocabulary` lacks what a rule names.
    """
    known = earlier.compiled_rules(vocabulary) if earlier else {}
    parse = cache(lambda text, expected: known.get((text, expected)) or parse_rule(text, vocabulary, expected))
    ordered = tuple(sorted(offers, key=lambda offer: offer.offer_id))
    entries: dict[str, _Entry] = {}
    problems: list[OfferInvalid] = []
    for offer in ordered:
        try:
            eligibility = parse(offer.eligibility, ValueType.BOOLEAN) if offer.eligibility else None
            terms = {name: parse(text, None) for name, text in offer.terms.items()}
        except RuleError as error:
            problems.append(
                OfferInvalid(offer.offer_id, "eligibility or terms", error.reason, error.line, error.column)
            )
        else:
            entries[offer.offer_id] = _Entry(offer, eligibility, terms)
    if problems:
        raise CatalogueInvalid(problems)
    facts = {offer.offer_id: offer_facts(offer) for offer in ordered}
    types = _rule_types(entries.values(), vocabulary)
    table = build_table(ordered, {offer_id: entry.eligibility for offer_id, entry in entries.items()})
    return Catalogue(_version(ordered, types), ordered, facts, table, types, entries)


def _rule_types(entries: Iterable[_Entry], vocabulary: Vocabulary) -> dict[str, ValueType]:
    rules = (rule for entry in entries for rule in (entry.eligibility, *entry.terms.values()) if rule is not None)
    return {name: vocabulary[name] for name in sorted({name for rule in rules for name in rule.names})}


def _version(offers: Iterable[Offer], types: Mapping[str, ValueType]) -> str:
    """Name exactly these offers, read with these types: the same rule over other types decides otherwise."""
    content = {"offers": [offer_to_dict(offer) for offer in offers], "types": types}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return "c-" + hashlib.sha256(canonical.encode()).hexdigest()[:12]
