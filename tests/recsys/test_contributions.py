"""What a decision says adds up: reasons to the chance, and a model's shares to its relevance."""

import math

import numpy as np
import pytest

from recsys.domain.decision import Decision, Situation
from recsys.domain.facts import customer_facts
from recsys.domain.interaction import held_offers
from recsys.domain.policy import Policy
from recsys.engine import decide
from recsys.interactions.side_features import About
from recsys.interactions.weights import history_weights
from recsys.models.bundle import Bundle
from tests.recsys.market import OFFER_IDS, SensitivePropensity, market_catalogue, random_situation
from tests.recsys.models.bundles import a_bundle

CATALOGUE = market_catalogue()
DECISIONS = 1_000
_OF_RELEVANCE = ("chosen_with", "fits_fact", "relevance", "suits_profile", "popular", "resembles")
Decisions = list[tuple[Situation, Decision]]


@pytest.fixture(scope="module", params=["als", "item_item", "ease", "lightfm"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return a_bundle(tmp_path_factory.mktemp("bundles") / "bundle", request.param)


@pytest.fixture(scope="module")
def decisions(bundle: Bundle) -> Decisions:
    """Decisions for anybody, every second one with a trained propensity model."""
    rng, trained = np.random.default_rng(5), SensitivePropensity()
    situations = [random_situation(rng) for _ in range(DECISIONS)]
    return [
        (situation, decide(situation, CATALOGUE, bundle, Policy(), trained if number % 2 else None))
        for number, situation in enumerate(situations)
    ]


def test_reasons_add_up_to_the_log_odds_of_every_offer(decisions: Decisions) -> None:
    checked = 0
    for _, decision in decisions:
        for offer in decision.offers:
            log_odds = math.log(offer.propensity / (1 - offer.propensity))
            assert sum(reason.contribution for reason in offer.reasons) == pytest.approx(log_odds, abs=1e-6)
            checked += 1
    assert checked > 2 * DECISIONS


def test_only_other_products_that_the_customer_holds_are_named(decisions: Decisions) -> None:
    named = 0
    for situation, decision in decisions:
        held = set(filter(CATALOGUE.is_sale, held_offers(situation.history)))
        for offer in decision.offers:
            products = {reason.facts["offer_id"] for reason in offer.reasons if reason.code.startswith("chosen_with")}
            assert products <= held - {offer.offer_id}
            assert not products or situation.customer.consents.profiling is not False
            named += len(products)
    assert named > DECISIONS / 2


def test_named_products_add_what_the_model_says_they_add(decisions: Decisions) -> None:
    for _, decision in decisions:
        weight = 0.45 if decision.propensity_version == SensitivePropensity.version else Policy().relevance_weight
        for offer in decision.offers:
            relevance = [r for r in offer.reasons if r.code.removesuffix("_less") in _OF_RELEVANCE]
            total = sum(reason.contribution for reason in relevance)
            assert total == pytest.approx(weight * offer.relevance, abs=1e-6)


def test_a_models_shares_and_its_base_are_the_standardised_relevance(bundle: Bundle) -> None:
    rng, checked = np.random.default_rng(6), 0
    for _ in range(DECISIONS):
        situation = random_situation(rng)
        weights = history_weights(situation.history, situation.made_at)
        about = About(customer_facts(situation.customer), CATALOGUE.facts)
        row, customer = bundle._row(weights), bundle._customer(about)
        if not row.nnz:
            continue
        asked = [OFFER_IDS[column] for column in rng.integers(0, 29, 3)]
        scores, shares = bundle.score(weights, asked, about), bundle.contributions(weights, asked, about)
        for offer_id, score, one in zip(asked, scores, shares, strict=True):
            column = bundle.offer_ids.index(offer_id)
            base = (bundle.model.contributions(row, column, customer).base - bundle.scale.mean) / bundle.scale.deviation
            assert base + sum(share for _, share in one) == pytest.approx(score, abs=1e-5)
            checked += 1
    assert checked > 2 * DECISIONS
