"""A built catalogue answers for its offers, and its version stands for exactly them."""

from dataclasses import replace

import pytest

from recsys.catalogue import build_catalogue
from recsys.domain.errors import CatalogueInvalid, OfferNotFound
from recsys.domain.offer import Offer
from recsys.rules import BUILT_IN, ValueType

VOCABULARY = {**BUILT_IN, "age": ValueType.NUMBER}

CARD = Offer("card", "Gold card", "金卡", eligibility="age >= 25", terms={"rate": "3.5 - age / 100"})
LOAN = Offer("loan", "Home loan", "房贷")


def test_rules_and_terms_are_found_by_offer() -> None:
    catalogue = build_catalogue([LOAN, CARD], VOCABULARY)
    rule = catalogue.eligibility("card")
    assert rule is not None
    assert rule.evaluate({"age": 30}) is True
    assert catalogue.terms("card")["rate"].evaluate({"age": 50}) == 3.0


def test_an_offer_without_rules_is_for_everyone() -> None:
    catalogue = build_catalogue([LOAN], VOCABULARY)
    assert (catalogue.eligibility("loan"), catalogue.terms("loan")) == (None, {})


def test_an_unknown_offer_is_not_found() -> None:
    with pytest.raises(OfferNotFound):
        build_catalogue([], VOCABULARY).offer("card")


def test_the_version_stands_for_the_offers_and_not_their_order() -> None:
    version = build_catalogue([CARD, LOAN], VOCABULARY).version
    assert build_catalogue([LOAN, CARD], VOCABULARY).version == version
    assert build_catalogue([replace(CARD, margin=1.0), LOAN], VOCABULARY).version != version
    assert version.startswith("c-")


def test_a_rule_that_names_what_is_no_longer_known_is_refused() -> None:
    with pytest.raises(CatalogueInvalid, match=r"card.*column 1"):
        build_catalogue([CARD], BUILT_IN)


def test_rules_of_an_earlier_catalogue_are_taken_over_where_their_types_are_the_same() -> None:
    offers = [CARD, LOAN]
    earlier = build_catalogue(offers, VOCABULARY)
    again = build_catalogue(offers, VOCABULARY, earlier)
    assert (again.version, again.eligibility("card")) == (earlier.version, earlier.eligibility("card"))
    assert again.terms("card")["rate"] is earlier.terms("card")["rate"]
    with pytest.raises(CatalogueInvalid):
        build_catalogue(offers, {**VOCABULARY, "age": ValueType.TEXT}, earlier)
