"""Builders of campaigns: each test names only what it is about."""

from typing import Any

from experiments.assignment import Assigner, assigner
from experiments.campaign import Plan
from experiments.plan_document import parse_plan
from experiments.treatment import audience_of
from recsys.storage.campaign_log import SavedCampaign
from tests.builders import NOW, VOCABULARY


def a_plan_document(**changes: Any) -> dict[str, Any]:
    """Two arms, one of which makes the card cheaper to propose."""
    return {
        "name": "Spring cards",
        "hypothesis": "A bigger lever sells more cards.",
        "arms": [
            {"name": "control", "weight": 1, "control": True},
            {"name": "pushed", "weight": 1, "treatment": {"levers": {"card": 2}}},
        ],
        "primary": "sold",
        "smallest_effect": 0.01,
        "planned_units": 10_000,
        **changes,
    }


def a_plan(**changes: Any) -> Plan:
    """The plan of `a_plan_document`."""
    return parse_plan(a_plan_document(**changes))


def arms(*weights: float) -> list[dict[str, Any]]:
    """A control and arms a1, a2, … with these weights."""
    names = ["control", *(f"a{number}" for number in range(1, len(weights)))]
    return [
        {"name": name, "weight": weight, "control": name == "control"}
        for name, weight in zip(names, weights, strict=True)
    ]


def an_assigner(campaign_id: str = "k1", **changes: Any) -> Assigner:
    """What assigns customers to the plan in its first epoch."""
    plan = a_plan(**changes)
    return assigner(campaign_id, plan, 1, plan.weights, audience_of(plan, VOCABULARY))


def a_saved_campaign(campaign_id: str = "k1", **changes: Any) -> SavedCampaign:
    """A running campaign with this plan."""
    plan = a_plan(**changes)
    document = a_plan_document(**changes)
    return SavedCampaign(campaign_id, document, plan.version, plan.kept, "running", "mei", NOW)
