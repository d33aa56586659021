"""A plan is read completely, named by what it says, and refused with every field that cannot be used."""

import json
from dataclasses import fields
from typing import Any

import pytest

from experiments.campaign import Allocation, Layer, Plan, Status, check_transition, plan_to_dict
from experiments.metrics import METRICS
from experiments.plan_document import parse_plan
from recsys.domain.errors import CampaignInvalid, CampaignStatusRefused
from tests.architecture.modules import ROOT
from tests.experiments.plans import a_plan, a_plan_document, arms

FULL: dict[str, Any] = {
    "audience": "age >= 25",
    "channels": ["phone", "WeChat"],
    "coverage": 0.5,
    "holdout": 0.1,
    "layer": {"name": "cards", "slots": [0, 500]},
    "secondaries": ["value", "csat"],
    "guardrails": [{"metric": "handling_seconds", "margin": 10}],
    "covariates": ["age"],
    "starts_at": "2026-06-01T00:00:00+08:00",
    "ends_at": "2026-07-01",
    "daily_cap": 100,
    "total_cap": 5000,
    "allocation": {"kind": "thompson", "floor": 0.1, "every_hours": 12, "fixed_slice": 0.2},
}


def test_a_plan_survives_json() -> None:
    plan = a_plan(**FULL)
    assert parse_plan(json.loads(json.dumps(plan_to_dict(plan)))) == plan
    assert plan.channels == {"phone", "wechat"}


def test_what_is_left_out_has_its_default() -> None:
    plan = a_plan()
    assert (plan.coverage, plan.alpha, plan.minimum_days, plan.maturity_days) == (1.0, 0.05, 7, 7)
    assert plan.weights == {"control": 0.5, "pushed": 0.5}


def test_a_guardrail_wants_what_its_metric_wants_unless_it_says_otherwise() -> None:
    named = {"metric": "contacts", "margin": 0.1, "wanted": "increase"}
    (handling, contacts) = a_plan(guardrails=[FULL["guardrails"][0], named]).guardrails
    assert (handling.wanted, contacts.wanted) == ("decrease", "increase")


def test_the_version_names_the_plan_and_not_how_it_is_written() -> None:
    backwards = dict(reversed(a_plan_document(coverage=1).items()))
    assert parse_plan(backwards).version == a_plan().version
    assert a_plan().version.startswith("e-")


@pytest.mark.parametrize(
    "change", [*({name: value} for name, value in FULL.items()), {"alpha": 0.1}, {"arms": arms(1, 2)}], ids=list
)
def test_every_field_counts_in_the_version(change: dict[str, Any]) -> None:
    assert a_plan(**change).version != a_plan().version


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"name": None}, "name", "is required"),
        ({"colour": 1}, "colour", "is not known"),
        ({"coverag": 1}, "coverag", "did you mean coverage?"),
        ({"arms": arms(1)}, "arms", "must be two or more"),
        ({"arms": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]}, "arms", "control: true"),
        ({"arms": [*arms(1, 1), *arms(0)]}, "arms", "must not hold 'control' twice"),
        ({"arms": arms(0, 1)}, "arms", "weights above 0"),
        ({"arms": [*arms(1), {"name": "holdout", "weight": 1}]}, "arms", "cannot be called holdout"),
        ({"arms": [*arms(1), {"name": "b"}]}, "arms.2.weight", "is required"),
        ({"arms": [*arms(1), {"name": "b", "weight": -1}]}, "arms.2.weight", "must be a number"),
        ({"arms": [*arms(1), {"name": "b", "weight": 1, "treatment": []}]}, "arms.2.treatment", "change document"),
        ({"arms": [*arms(1), "b"]}, "arms.2", "must have the fields"),
        ({"arms": "a|b"}, "arms", "must be a list"),
        ({"coverage": 0}, "coverage", "must be above 0"),
        ({"coverage": 1.5}, "coverage", "must be a number from 0 to 1"),
        ({"holdout": "x"}, "holdout", "must be a number"),
        ({"channels": ["fax"]}, "channels", "must be one of"),
        ({"layer": {"name": "x", "slots": [500, 400]}}, "layer.slots", "must hold a slot"),
        ({"layer": {"slots": [0, 400]}}, "layer.name", "is required"),
        ({"primary": "sale"}, "primary", "the nearest is sales"),
        ({"primary": ["sold"]}, "primary", "must be one of"),
        ({"secondaries": ["sold"]}, "secondaries", "must not hold the primary"),
        ({"secondaries": ["csat", "csat"]}, "secondaries", "twice"),
        ({"guardrails": [{"metric": "csat"}]}, "guardrails.1.margin", "is required"),
        ({"guardrails": [{"metric": "csat", "margin": -1}]}, "guardrails.1.margin", "must be a number"),
        ({"smallest_effect": 0}, "smallest_effect", "must be above 0"),
        ({"smallest_effect": 2}, "smallest_effect", "of a share must be below 1"),
        ({"planned_units": 2.5}, "planned_units", "must be a whole number"),
        ({"minimum_days": 6}, "minimum_days", "from 7"),
        ({"ends_at": "2025-12-31", "starts_at": "2026-01-01"}, "ends_at", "must be later"),
        ({"allocation": {"kind": "greedy"}}, "allocation.kind", "must be fixed or thompson"),
        ({"allocation": {"kind": "thompson", "floor": 0.6}}, "allocation.floor", "more than 1"),
        ({"daily_cap": 0}, "daily_cap", "must be a number from 1"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(CampaignInvalid) as refused:
        parse_plan(a_plan_document(**change))
    (problem,) = refused.value.problems
    assert problem[0] == field
    assert reason in problem[1]


@pytest.mark.parametrize("document", [None, [], "plan", 7])
def test_what_is_no_plan_is_refused(document: object) -> None:
    with pytest.raises(CampaignInvalid, match="must have the fields name"):
        parse_plan(document)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(CampaignInvalid) as refused:
        parse_plan({"coverage": 2, "arms": [{"weight": "x"}]})
    assert {field for field, _ in refused.value.problems} == {
        "name", "hypothesis", "primary", "smallest_effect", "planned_units", "coverage", "arms.1.weight", "arms.1.name",
    }  # fmt: skip


def test_slots_that_do_not_meet_do_not_overlap() -> None:
    assert Layer("a", (0, 500)).overlaps(Layer("a", (499, 1000)))
    assert not Layer("a", (0, 500)).overlaps(Layer("a", (500, 1000)))
    assert not Layer("a").overlaps(Layer("b"))


def test_every_metric_of_a_plan_keeps_its_totals() -> None:
    plan = a_plan(secondaries=[name for name in METRICS if name != "sold"], covariates=["age"])
    assert {"any_sales", "handling_seconds*x_age", "csat_ratings*csat_total", "no_x_age"} <= set(plan.kept)


ALLOWED = {
    "draft": {"approved", "stopped"},
    "approved": {"running", "stopped"},
    "running": {"paused", "stopped", "shipped"},
    "paused": {"running", "stopped", "shipped"},
    "stopped": {"shipped"},
    "shipped": set(),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("wanted", Status)
def test_a_campaign_goes_only_where_it_can(status: Status, wanted: Status) -> None:
    if wanted in ALLOWED[status]:
        check_transition(status, wanted)
        return
    with pytest.raises(CampaignStatusRefused, match=f"is {status} cannot become {wanted}"):
        check_transition(status, wanted)


def test_every_field_and_every_metric_is_explained() -> None:
    text = (ROOT / "docs" / "campaigns.md").read_text(encoding="utf-8")
    names = [*METRICS, *(one.name for one in fields(Plan)), *(one.name for one in fields(Allocation))]
    assert [name for name in names if f"`{name}`" not in text and f"{name}:" not in text] == []


def test_the_documents_example_is_a_plan() -> None:
    text = (ROOT / "docs" / "campaigns.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0]
    assert parse_plan(json.loads(example)).weights == {"control": 0.5, "lounge": 0.5}
