"""The decision from start to finish, with a model that says what it is told."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.domain.contact import Intent
from recsys.domain.customer import Consents
from recsys.domain.interaction import InteractionKind
from recsys.domain.offer import OfferKind
from recsys.domain.policy import Policy
from recsys.engine import decide
from recsys.interactions.matrix import build_matrix
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from recsys.models.bundle_files import save_bundle
from recsys.models.families import create_model
from recsys.ranking.evidence import OfferEvidence
from tests.builders import FakeModel, a_catalogue, a_contact, a_customer, a_situation, an_interaction, an_offer
from tests.recsys.market import SensitivePropensity

CATALOGUE = a_catalogue(
    an_offer("card", family="card", margin=100.0, terms={"limit": "age * 1000"}),
    an_offer("gold", family="card", margin=120.0),
    an_offer("loan", family="loan", margin=100.0),
    an_offer("fund", family="fund", margin=100.0),
    an_offer("fix", kind=OfferKind.SERVICE, family="service", intents=frozenset({"card_declined", "complaint"})),
)
ALWAYS_BEST = Policy(exploration_share=0.0)
REFUSES_PROFILING = a_customer(consents=Consents(profiling=False))


def shown(situation: object, model: FakeModel | None, policy: Policy | None = None) -> list[str]:
    decision = decide(situation, CATALOGUE, model, policy or ALWAYS_BEST)  # type: ignore[arg-type]
    return [offer.offer_id for offer in decision.offers]


def test_more_relevant_offers_come_first() -> None:
    assert shown(a_situation(), FakeModel({"fund": 2.0, "loan": 1.0, "card": -1.0})) == ["fund", "loan", "gold"]


def test_a_family_is_shown_once() -> None:
    assert shown(a_situation(), FakeModel({"gold": 3.0, "card": 2.0})) == ["gold", "fund", "loan"]


def test_an_intent_of_this_contact_brings_its_family_to_the_top() -> None:
    model = FakeModel({"fund": 1.0})
    assert shown(a_situation(intents=(Intent("loan", 0.9),)), model)[0] == "loan"


def test_a_service_action_needs_a_cause() -> None:
    assert "fix" not in shown(a_situation(), FakeModel())
    assert "fix" in shown(a_situation(intents=(Intent("card_declined"),)), FakeModel())


def test_service_comes_before_sales_when_the_customer_is_upset() -> None:
    situation = a_situation(contact=a_contact(sentiment=-0.8), intents=(Intent("card_declined", 0.1),))
    assert shown(situation, FakeModel({"fund": 3.0}))[0] == "fix"


def test_an_open_complaint_leaves_only_service() -> None:
    assert shown(a_situation(contact=a_contact(reason="complaint")), FakeModel({"fund": 3.0})) == ["fix"]


def test_contributions_add_up_to_the_log_odds_of_the_propensity() -> None:
    situation = a_situation(
        contact=a_contact(sentiment=0.5),
        intents=(Intent("loan"),),
        history=(an_interaction("card"),),
        features={"declined_count_90d": 2},
    )
    decision = decide(situation, CATALOGUE, FakeModel({"loan": 1.5, "fund": 0.5}), Policy())
    for offer in decision.offers:
        log_odds = math.log(offer.propensity / (1 - offer.propensity))
        assert sum(reason.contribution for reason in offer.reasons) == pytest.approx(log_odds, abs=1e-9)


def test_what_the_customer_chose_before_is_named_as_a_reason() -> None:
    decision = decide(a_situation(history=(an_interaction("card"),)), CATALOGUE, FakeModel({"loan": 2.0}), Policy())
    named = [reason for reason in decision.offers[0].reasons if reason.code == "chosen_with"]
    assert [reason.facts for reason in named] == [{"offer_id": "card"}]


def test_only_products_the_customer_holds_are_named_as_chosen() -> None:
    history = (an_interaction("card"), an_interaction("fix"), an_interaction("fund", InteractionKind.INQUIRY))
    situation = a_situation(history=history, intents=(Intent("loan"),))
    decision = decide(situation, CATALOGUE, FakeModel({"loan": 2.0}), Policy())
    named = {reason.facts["offer_id"] for reason in decision.offers[0].reasons if reason.code == "chosen_with"}
    assert named == {"card"}


def test_the_model_is_told_the_facts_of_customer_and_offers() -> None:
    model = FakeModel()
    customer = a_customer(segment="private", attributes={"age": 40, "city": "上海"})
    shown(a_situation(customer=customer), model)
    assert {"segment": "private", "age": 40, "city": "上海"}.items() <= model.told[0].customer.items()
    assert model.told[0].offers["gold"]["family"] == "card"
    assert "vulnerable" not in model.told[0].customer


def test_the_model_is_told_the_served_facts_where_there_are_some_and_rules_are_not() -> None:
    model = FakeModel()
    customer = a_customer(segment="private", attributes={"age": 40})
    shown(a_situation(customer=customer, profile={"segment": "mass", "age": 41.0}), model)
    assert model.told[0].customer == {"segment": "mass", "age": 41.0}
    situation = a_situation(customer=replace(customer, consents=Consents(profiling=False)), profile={"age": 41.0})
    assert "age" not in decide(situation, CATALOGUE, model, ALWAYS_BEST).signals


@pytest.mark.parametrize(("uses_facts", "code"), [(True, "suits_profile"), (False, "popular")])
def test_without_a_history_the_reason_says_where_the_relevance_comes_from(uses_facts: bool, code: str) -> None:
    model = FakeModel({"fund": 2.0}, {"fund": 1.0})
    model.uses_facts = uses_facts
    decision = decide(a_situation(), CATALOGUE, model, ALWAYS_BEST)
    fund = next(offer for offer in decision.offers if offer.offer_id == "fund")
    assert code in [reason.code for reason in fund.reasons]
    refuser = decide(a_situation(customer=REFUSES_PROFILING), CATALOGUE, model, ALWAYS_BEST)
    fund = next(offer for offer in refuser.offers if offer.offer_id == "fund")
    assert "popular" in [reason.code for reason in fund.reasons]


def test_nothing_is_told_of_who_refuses_profiling() -> None:
    model = FakeModel()
    shown(a_situation(customer=REFUSES_PROFILING), model)
    assert model.told == []


def test_an_offer_that_training_did_not_know_is_ranked_by_its_facts(tmp_path: Path) -> None:
    pairs = (("fund", "bond"), ("loan", "car_loan"))
    bought = [(f"c{number}", offer) for number in range(200) for offer in pairs[number % 2]]
    world = build_matrix([customer for customer, _ in bought], [offer for _, offer in bought])
    offers = FeatureSpace.of_rows([{"family": family} for family in ("loan", "fund")])
    families = [{"family": "loan" if "loan" in offer else "fund"} for offer in world.offer_ids]
    nobody = csr_matrix((len(world.customer_ids), 0), dtype=np.float32)
    side = SideFeatures(nobody, offers.encode(families), FeatureSpace(), offers)
    model = create_model("lightfm", {"epochs": 60}).fit(world, side, rng=np.random.default_rng(0))
    bundle = save_bundle(tmp_path / "b", model, world, np.random.default_rng(0), side_features=side)
    new = a_catalogue(an_offer("student_loan", family="loan"), an_offer("gold_fund", family="fund"))
    for held, expected in (("car_loan", "student_loan"), ("bond", "gold_fund")):
        decision = decide(a_situation(history=(an_interaction(held),)), new, bundle, ALWAYS_BEST)
        assert decision.offers[0].offer_id == expected
        assert decision.offers[0].relevance > decision.offers[1].relevance


def test_who_refuses_profiling_gets_the_same_list_whatever_is_known() -> None:
    model = FakeModel({"fund": 3.0}, popularity={"loan": 1.0})
    nothing = a_situation(customer=REFUSES_PROFILING)
    much = replace(nothing, history=(an_interaction("elsewhere"),), features={"declined_count_90d": 4})
    assert decide(nothing, CATALOGUE, model, ALWAYS_BEST).offers == decide(much, CATALOGUE, model, ALWAYS_BEST).offers
    assert shown(nothing, model)[0] == "loan"


def test_without_a_model_the_decision_is_made_and_says_so() -> None:
    decision = decide(a_situation(), CATALOGUE, None, Policy())
    assert decision.degraded_reasons == ("no_model",)
    assert not decision.has_no_offer


def test_an_empty_catalogue_gives_no_offer() -> None:
    assert decide(a_situation(), a_catalogue(), FakeModel(), ALWAYS_BEST).has_no_offer


def test_nothing_worth_offering_gives_no_offer() -> None:
    catalogue = a_catalogue(an_offer(margin=1.0, handling_seconds=600))
    decision = decide(a_situation(), catalogue, FakeModel(), ALWAYS_BEST)
    assert decision.has_no_offer
    assert list(decision.held_back) == ["below_threshold"]


def test_terms_are_computed_for_the_person() -> None:
    situation = a_situation(customer=a_customer(attributes={"age": 30.0}))
    decision = decide(situation, a_catalogue(*CATALOGUE.offers[:1]), FakeModel(), ALWAYS_BEST)
    assert decision.offers[0].terms == {"limit": 30000.0}


@pytest.mark.parametrize(
    ("age", "limit"), [(None, None), (29.9, 300.0), (30.0, 300.0), (30.1, 301.0), (40.0, 400.0), (40.1, 400.0)]
)
@pytest.mark.parametrize("bounds", [(300.0, 400.0), (300.0, 300.0), (-1e9, 1e9)])
def test_a_term_is_kept_within_its_bounds(age: float | None, limit: float | None, bounds: tuple[float, float]) -> None:
    bounded = an_offer("card", terms={"limit": "age * 10", "gift": "'mug'"}, term_bounds={"limit": bounds})
    known = {} if age is None else {"age": age}
    decision = decide(a_situation(customer=a_customer(attributes=known)), a_catalogue(bounded), None, ALWAYS_BEST)
    expected = {(300.0, 400.0): limit, (300.0, 300.0): 300.0}.get(bounds, age and age * 10)
    assert decision.offers[0].terms == {"limit": None if age is None else pytest.approx(expected), "gift": "mug"}


def test_every_offer_is_either_shown_or_held_back_with_a_code() -> None:
    decision = decide(a_situation(history=(an_interaction("card"),)), CATALOGUE, FakeModel({"loan": 2.0}), Policy())
    named = [offer.offer_id for offer in decision.offers] + [one for ids in decision.held_back.values() for one in ids]
    assert sorted(named) == sorted(offer.offer_id for offer in CATALOGUE.offers)


def test_evidence_that_is_given_counts_instead_of_what_the_bundle_counted() -> None:
    catalogue = a_catalogue(an_offer("card", starting_propensity=0.1))
    frozen = FakeModel(answer_counts={"card": (9, 9)})
    given = OfferEvidence({"card": (80, 180), "gone": (1, 1)})
    learned = decide(a_situation(), catalogue, frozen, ALWAYS_BEST, None, given).offers[0].propensity
    assert learned == pytest.approx((20 * 0.1 + 80) / 200)
    nothing = decide(a_situation(), catalogue, frozen, ALWAYS_BEST, None, OfferEvidence({})).offers[0].propensity
    assert nothing == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (OfferEvidence({}), "offer_expected"),
        (OfferEvidence({"card": (5, 19)}), "offer_expected"),
        (OfferEvidence({"card": (5, 20)}), "offer_base"),
        (None, "offer_base"),
    ],
)
@pytest.mark.parametrize("trained", [None, SensitivePropensity()])
def test_a_reason_speaks_of_acceptance_in_general_only_where_enough_have_answered(
    evidence: OfferEvidence | None, code: str, trained: SensitivePropensity | None
) -> None:
    catalogue = a_catalogue(an_offer("card", starting_propensity=0.1))
    offer = decide(a_situation(), catalogue, FakeModel(), ALWAYS_BEST, trained, evidence).offers[0]
    assert {reason.code for reason in offer.reasons} & {"offer_base", "offer_expected"} == {code}
    log_odds = math.log(offer.propensity / (1 - offer.propensity))
    assert sum(reason.contribution for reason in offer.reasons) == pytest.approx(log_odds)


def test_evidence_moves_the_propensity_away_from_its_start() -> None:
    catalogue = a_catalogue(an_offer("card", starting_propensity=0.1))
    start = decide(a_situation(), catalogue, FakeModel(), ALWAYS_BEST).offers[0].propensity
    learned = (
        decide(a_situation(), catalogue, FakeModel(answer_counts={"card": (80, 180)}), Policy()).offers[0].propensity
    )
    assert start == pytest.approx(0.1)
    assert learned == pytest.approx((20 * 0.1 + 80) / 200)


def test_the_policy_version_changes_with_any_number() -> None:
    assert Policy().version != Policy(sales_cap=5).version
