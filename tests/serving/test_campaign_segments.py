"""Segments and agents of a campaign over HTTP, against what its units come to one by one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from experiments.analysis import MetricTotals, analyse
from experiments.arm_totals import ArmTotals
from experiments.comparison import MetricKind
from experiments.estimate import Plan as Looks
from experiments.multiplicity import benjamini_hochberg
from experiments.srm import Split
from recsys.domain.campaign_unit import CampaignUnit
from recsys.domain.customer import AttributeValue
from tests.builders import NOW, a_customer
from tests.serving.test_campaign_decisions import services_of
from tests.serving.test_campaign_results import PLAN, URL, set_clock, started

CITIES = ["Shanghai"] * 120 + ["Xi'an"] * 80 + ["Lhasa"] * 6 + [None] * 60 + ["Sanya"] * 5


def units_of(campaign_id: str) -> list[CampaignUnit]:
    """Return a unit for each of `CITIES`, every other one in the new arm, some with an acceptance."""
    until = NOW.date()
    return [
        CampaignUnit(
            campaign_id,
            f"s{number}",
            1,
            ("control", "new")[number % 2],
            0.5,
            NOW,
            until,
            agent_id=f"a{number % 3}",
            pitched_at=NOW if number % 4 == 1 else None,
            campaign_acceptances=float(number % (3 if number % 2 else 7) == 0),
        )
        for number in range(len(CITIES))
    ]


@pytest.fixture
def segmented(api: TestClient) -> str:
    """A campaign whose customers live in cities, eight days after the last was assigned."""
    set_clock(api, NOW)
    campaign_id = started(api, guardrails=[], secondaries=[])
    with services_of(api).database.transaction() as log:
        log.set_attribute_types({"city": "text", "age": "number", "is_student": "boolean"})
        kept = log.campaign(campaign_id).kept
        for unit, city in zip(units_of(campaign_id), CITIES, strict=True):
            known: dict[str, AttributeValue] = {"city": city, "is_student": city == "Xi'an"} if city else {}
            log.add_customer(replace(a_customer(), customer_id=unit.customer_id, attributes=known), NOW)
            log.save_campaign_units({}, {campaign_id: unit}, {campaign_id: kept})
    set_clock(api, NOW + timedelta(days=8))
    return campaign_id


def segments_of(api: TestClient, campaign_id: str, by: str) -> dict[str, Any]:
    answered = api.get(f"{URL}/{campaign_id}/segments", params={"by": by})
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


def test_every_segment_has_the_effect_that_its_units_come_to(api: TestClient, segmented: str) -> None:
    shown = segments_of(api, segmented, "city")
    groups = [("Shanghai",), ("Xi'an",), (None,)]
    assert [(one["value"], one["is_other"], one["units"]) for one in shown["segments"]] == [
        ("Shanghai", False, 120), ("Xi'an", False, 80), (None, False, 60), (None, True, 11),
    ]  # fmt: skip
    split, looks, p_values = Split({}, {"control": 1.0, "new": 1.0}), Looks(200), []
    *many, few = shown["segments"]
    assert few["effects"] == [], "eleven customers tell nothing"
    for group, one in zip(groups, many, strict=True):
        chosen = [unit for unit, city in zip(units_of(segmented), CITIES, strict=True) if city in group]
        totals = {
            arm: ArmTotals.of([float(unit.campaign_acceptances > 0) for unit in chosen if unit.arm == arm])
            for arm in ("control", "new")
        }
        direct = analyse([split], [MetricTotals("accepted", MetricKind.BINARY, [totals])], "control", looks).metrics[0]
        assert direct.absolute is not None
        (effect,) = one["effects"]
        assert effect["absolute"]["estimate"] == pytest.approx(direct.absolute.estimate)
        assert effect["absolute"]["always_valid"]["low"] == pytest.approx(direct.absolute.always_valid.low)
        assert effect["n"] == {arm: totals[arm].n for arm in ("control", "new")}
        p_values.append(direct.absolute.always_valid.p_value)
    adjusted = [one["effects"][0]["adjusted_p_value"] for one in many]
    assert adjusted == pytest.approx(benjamini_hochberg(p_values).tolist())
    assert min(p_values) < min(adjusted)


def test_a_yes_or_no_column_and_a_built_in_one_make_segments(api: TestClient, segmented: str) -> None:
    found = {one["value"]: one["units"] for one in segments_of(api, segmented, "is_student")["segments"]}
    assert found == {"false": 131, "true": 80, None: 60}
    assert [one["units"] for one in segments_of(api, segmented, "kind")["segments"]] == [len(CITIES)]


def test_units_that_have_not_matured_are_in_no_segment(api: TestClient, segmented: str) -> None:
    set_clock(api, NOW)
    assert segments_of(api, segmented, "city")["segments"] == []


@pytest.mark.parametrize("by", ["age", "risk_level", "channel", "shoe_size", "name'; DROP TABLE customers"])
def test_a_column_that_makes_no_segments_is_refused_with_those_that_do(
    api: TestClient, segmented: str, by: str
) -> None:
    refused = api.get(f"{URL}/{segmented}/segments", params={"by": by})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:nbo:problem:campaign-invalid")
    (problem,) = refused.json()["problems"]
    assert problem["field"] == "by"
    assert problem["reason"].startswith("must be one of segment, ")
    assert "city" in problem["reason"]
    assert by not in problem["reason"].removeprefix("must be one of ").split(", ")


def test_segments_are_hidden_while_the_split_check_fails(api: TestClient, segmented: str) -> None:
    with services_of(api).database.transaction() as log:
        for number in range(120):
            stray = replace(units_of(segmented)[0], customer_id=f"x{number}")
            log.add_customer(replace(a_customer(), customer_id=stray.customer_id), NOW)
            log.save_campaign_units({}, {segmented: stray}, {segmented: log.campaign(segmented).kept})
    shown = segments_of(api, segmented, "city")
    assert shown["segments"] is None
    assert shown["hidden_because"]


def test_a_draft_has_no_segments(api: TestClient) -> None:
    campaign_id = api.post(URL, json=PLAN).json()["campaign_id"]
    refused = api.get(f"{URL}/{campaign_id}/segments", params={"by": "segment"})
    assert refused.json()["type"] == "urn:nbo:problem:campaign-not-launched"
    assert api.get(f"{URL}/nothing/segments", params={"by": "segment"}).status_code == 404


def test_every_agent_is_shown_with_how_many_of_each_arm_were_pitched_to(api: TestClient, segmented: str) -> None:
    agents = api.get(f"{URL}/{segmented}/agents").json()["agents"]
    units = units_of(segmented)
    expected = {
        agent: {
            arm: {"units": len(chosen), "pitched": sum(unit.pitched_at is not None for unit in chosen)}
            for arm in ("control", "new")
            for chosen in [[unit for unit in units if (unit.agent_id, unit.arm) == (agent, arm)]]
        }
        for agent in ("a0", "a1", "a2")
    }
    assert {one["agent_id"]: one["arms"] for one in agents} == expected
    assert api.get(f"{URL}/nothing/agents").status_code == 404


def test_results_say_what_each_arm_should_have_and_when_the_first_have_matured(api: TestClient, segmented: str) -> None:
    shown = api.get(f"{URL}/{segmented}/results").json()
    assert shown["srm"]["expected"] == {"control": 135.5, "new": 135.5}
    assert shown["first_results_on"] == (NOW + timedelta(days=1)).date().isoformat()
    assert shown["days_left"] == 0
    set_clock(api, NOW + timedelta(hours=2))
    assert api.get(f"{URL}/{segmented}/results").json()["units"]["matured"] == 0
