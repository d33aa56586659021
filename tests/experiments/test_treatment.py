"""An arm changes what decisions use, within the bounds of offers and without touching what protects customers."""

import re
from contextlib import suppress
from typing import Any

import pytest

from experiments.campaign import Plan, plan_to_dict
from experiments.plan_document import parse_plan
from experiments.treatment import check_plan, model_of, offers_of, treated
from recsys.catalogue import Catalogue
from recsys.domain.errors import CampaignInvalid, ChangeInvalid
from recsys.domain.policy import Policy
from tests.builders import VOCABULARY, a_catalogue, an_offer
from tests.experiments.plans import a_plan, a_plan_document, arms

CATALOGUE = a_catalogue(
    an_offer("card", family="cards", terms={"rate": "5.0", "gift": "'cup'", "fee": "10"},
             term_bounds={"rate": (3.5, 6.0)}, risk_level=3, disclosure_en="APR 5 %"),
    an_offer("gold", family="cards"),
    an_offer("loan", family="loans"),
)  # fmt: skip


def with_treatment(treatment: dict[str, Any]) -> tuple[Catalogue, Policy]:
    return treated(treatment, CATALOGUE, Policy(), VOCABULARY)


def card(**columns: Any) -> dict[str, Any]:
    return {"offers": [{"offer_id": "card", **columns}]}


def test_an_empty_treatment_is_what_is_in_force() -> None:
    treatment = {"model": "m-1"}
    catalogue, policy = with_treatment(treatment)
    assert model_of(treatment) == "m-1"
    assert catalogue is CATALOGUE
    assert policy == Policy()


def test_an_arm_can_add_remove_rescript_reprice_and_arbitrate() -> None:
    document = {
        "offers": [
            {"offer_id": "card", "talk_track_en": "Hello", "terms": {"rate": "CASE WHEN age > 60 THEN 4 ELSE 5 END"}},
            {"offer_id": "new", "title": "New"},
        ],
        "remove": ["loan"],
        "policy": {"relevance_weight": 0},
    }
    catalogue, policy = with_treatment(document)
    assert catalogue.table.offer_ids == ("card", "gold", "new")
    assert (catalogue.offer("card").talk_track_en, catalogue.terms("card")["rate"].evaluate({"age": 70})) == (
        "Hello",
        4,
    )
    assert policy == Policy(relevance_weight=0.0)


@pytest.mark.parametrize(
    ("treatment", "said"),
    [
        (card(terms={"rate": "3"}), "terms.rate: must lie within the offer's bounds, 3.5 to 6"),
        (card(terms={"rate": "5", "fee": "9"}), "terms.fee: is a number without declared bounds"),
        (card(term_bounds={"rate": [3, 6]}), "term_bounds.rate: an arm cannot widen the bounds 3.5 to 6"),
        (card(term_bounds=None), "term_bounds.rate: an arm cannot widen"),
        (card(term_bounds={"rate": [3, 6]}, terms={"rate": "3"}), "an arm cannot widen"),
        (card(risk_level=2), "risk_level: an arm cannot make an offer less risky"),
        (card(disclosure=None), "disclosure: is the same in every arm"),
        ({"policy": {"sales_cap": 9}}, "policy, sales_cap: protects customers"),
        ({"policy": {"holdout_share": 0.1}}, "policy, holdout_share: protects customers or comparisons"),
        ({"policy": {"holdout_rotation_days": 7}}, "policy, holdout_rotation_days: protects"),
        ({"policy": {"arbitration": "luck"}}, "policy, arbitration: must be one of value, propensity"),
        ({"policy": {"unasked_marketing_outbound": True}}, "protects customers"),
        ({"policy": {"sales_capp": 9}}, "sales_capp: is not a number of the policy"),
        ({"model": 1.5j}, "treatment, model: must be a text"),
        ({"modle": "m"}, "treatment, modle: is not one of offers"),
        ({"remove": ["car"]}, "the nearest is 'card'"),
    ],
)
def test_what_an_arm_may_not_change_is_refused(treatment: dict[str, Any], said: str) -> None:
    with pytest.raises(ChangeInvalid, match=re.escape(said)):
        with_treatment(treatment)


@pytest.mark.parametrize(
    "treatment",
    [card(terms={"rate": "4.5", "gift": "'mug'", "fee": "10"}), card(term_bounds={"rate": [4, 5]}), card(risk_level=4)],
)
def test_what_stays_within_bounds_is_allowed(treatment: dict[str, Any]) -> None:
    assert with_treatment(treatment)[0].version != CATALOGUE.version


@pytest.mark.parametrize(
    ("treatment", "about"),
    [
        (card(lever=2), {"card"}),
        ({"levers": {"cards": 2}}, {"card", "gold"}),
        ({"remove": ["loan"], "offers": [{"offer_id": "new", "title": "New"}]}, {"loan", "new"}),
        ({"policy": {"relevance_weight": 0}}, {"card", "gold", "loan"}),
        ({"model": "m-1"}, {"card", "gold", "loan"}),
    ],
)
def test_a_campaign_is_about_the_offers_that_its_arms_name(treatment: dict[str, Any], about: set[str]) -> None:
    plan = a_plan(arms=[*arms(1), {"name": "b", "weight": 1, "treatment": treatment}])
    assert offers_of(plan, CATALOGUE) == about


def test_every_problem_of_a_plan_is_named() -> None:
    plan = a_plan(
        audience="channel = 'app'",
        channels=["fax", "App"],
        covariates=["segment", "age", "sentiment"],
        arms=[*arms(1), {"name": "b", "weight": 1, "treatment": card(risk_level=1)}],
    )
    with pytest.raises(CampaignInvalid) as refused:
        check_plan(plan, CATALOGUE, Policy(), VOCABULARY)
    assert [field for field, _ in refused.value.problems] == [
        "channels",
        "audience",
        "covariates",
        "covariates",
        "arms.2",
    ]


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1e300,
    "",
    "x",
    [],
    [1],
    ["x"],
    {},
    {"card": 1},
    {"card": "x"},
    [[]],
    [{}],
    [{"offer_id": 1}],
]
PARTS = ("arms", "treatment", "offers", "remove", "policy", "levers", "model", *Plan.__dataclass_fields__)


@pytest.mark.parametrize("part", PARTS)
def test_whatever_a_document_holds_is_used_or_refused(part: str) -> None:
    for value in ODD:
        document = a_plan_document(arms=arms(1, 1))
        if part in ("offers", "remove", "policy", "levers", "model"):
            document["arms"][1]["treatment"] = {part: value}
        elif part == "treatment":
            document["arms"][1]["treatment"] = value
        else:
            document[part] = value
        with suppress(CampaignInvalid):
            plan = parse_plan(document)
            check_plan(plan, CATALOGUE, Policy(), VOCABULARY)
            assert parse_plan(plan_to_dict(plan)) == plan
            assert offers_of(plan, CATALOGUE) is not None
