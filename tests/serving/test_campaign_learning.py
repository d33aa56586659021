"""A campaign that learns: its weights follow what customers did, its fixed slice does not, and all of it is audited."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from experiments.campaign import FIXED_SLICE
from experiments.enrolment import Participant, unit_of
from recsys.domain.outcome import Answer
from serving.campaigns.learning import reweigh
from serving.wiring import Services
from tests.builders import NOW, a_customer
from tests.serving.test_campaign_decisions import services_of
from tests.serving.test_campaign_results import PLAN, URL, results_of, set_clock, started

LEARNING = {"kind": "thompson", "floor": 0.1, "every_hours": 24, "fixed_slice": 0.2}


def enrol(services: Services, campaign_id: str, customers: range, rates: dict[str, float]) -> None:
    """Assign customers as the running campaign does, and let `rates` of each arm accept its offer."""
    with services.database.transaction() as log:
        rules = services.catalogue.current(log), services.policy.current(log)
        (campaign,) = services.campaigns.current(log, *rules).running
        for number in customers:
            now, customer_id = services.clock(), f"u{number}"
            found = campaign.assigner.assign(customer_id.encode(), {}, "phone", now)
            assert found is not None
            unit = unit_of(found, campaign.plan, Participant(customer_id, {}, "phone", "a1", now))
            if number % 100 < 100 * rates[unit.arm]:
                unit = unit.answering(Answer.ACCEPTED, now, net_value=1.0, is_sale=True, of_campaign=True)
            log.add_customer(replace(a_customer(), customer_id=customer_id), now)
            log.save_campaign_units({}, {campaign_id: unit}, {campaign_id: campaign.plan.kept})


@pytest.fixture
def learned(api: TestClient) -> str:
    """A campaign whose new arm sold twice as well for a day, one day later."""
    set_clock(api, NOW)
    campaign_id = started(api, allocation=LEARNING)
    enrol(services_of(api), campaign_id, range(600), {"control": 0.2, "new": 0.4})
    set_clock(api, NOW + timedelta(days=1, hours=1))
    return campaign_id


def epochs(api: TestClient, campaign_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{URL}/{campaign_id}").json()["epochs"]
    return found


def test_the_better_arm_gets_more_and_every_arm_its_floor(api: TestClient, learned: str) -> None:
    assert reweigh(services_of(api)) == [learned]
    latest = epochs(api, learned)[-1]
    assert (latest["epoch"], latest["actor"], latest["reason"]) == (2, "thompson", "learned")
    assert latest["weights"]["new"] == pytest.approx(0.9, abs=0.01)
    assert sum(latest["weights"].values()) == pytest.approx(1)


def test_nothing_is_learned_again_before_it_is_due(api: TestClient, learned: str) -> None:
    services = services_of(api)
    assert (reweigh(services), reweigh(services)) == ([learned], [])
    assert len(epochs(api, learned)) == 2


def test_units_that_have_not_matured_teach_nothing(api: TestClient) -> None:
    set_clock(api, NOW)
    campaign_id = started(api, allocation=LEARNING, maturity_days=7)
    enrol(services_of(api), campaign_id, range(300), {"control": 0.2, "new": 0.4})
    set_clock(api, NOW + timedelta(days=7))
    assert reweigh(services_of(api)) == []
    set_clock(api, NOW + timedelta(days=8))
    assert reweigh(services_of(api)) == [campaign_id]


def test_the_fixed_slice_keeps_the_plans_weights_and_the_split_check_knows_both(api: TestClient, learned: str) -> None:
    services = services_of(api)
    reweigh(services)
    enrol(services, learned, range(600, 1800), {"control": 0.2, "new": 0.4})
    set_clock(api, NOW + timedelta(days=9))
    with services.database.read() as log:
        cells = log.campaign_totals(learned)
    units = {(cell.epoch, cell.arm): totals["1"] for cell, totals in cells.items()}
    fixed = units[FIXED_SLICE, "control"] / (units[FIXED_SLICE, "control"] + units[FIXED_SLICE, "new"])
    learning = units[2, "control"] / (units[2, "control"] + units[2, "new"])
    assert fixed == pytest.approx(0.5, abs=0.1)
    assert learning == pytest.approx(0.1, abs=0.04)
    shown = results_of(api, learned)
    assert (shown["srm"]["verdict"], shown["srm"]["df"]) == ("ok", 3)


def test_a_ratio_cannot_be_learned(api: TestClient) -> None:
    plan = {**PLAN, "primary": "acceptance_rate", "secondaries": [], "allocation": LEARNING}
    refused = api.post(URL, json=plan)
    assert refused.json()["problems"] == [
        {
            "field": "allocation.kind",
            "reason": "can be thompson for a primary metric of each customer alone, not for a ratio",
        }
    ]
