"""The first assignment stands, caps hold, and covariates are what was known before."""

from datetime import timedelta
from typing import Any

import pytest

from experiments.assignment import assigner
from experiments.enrolment import CampaignInForce, Participant, enrol
from experiments.readout import matured_until
from recsys.domain.calendar import BankCalendar
from recsys.domain.campaign_unit import CampaignUnit
from recsys.storage.database import Database
from tests.builders import NOW, a_customer
from tests.experiments.plans import a_plan, a_saved_campaign, arms

CUSTOMERS = 30


@pytest.fixture
def customers(database: Database) -> Database:
    """An event log with customers c0, c1, … and a campaign."""
    with database.transaction() as log:
        log.add_campaign(a_saved_campaign())
        for number in range(CUSTOMERS):
            log.add_customer(a_customer(customer_id=f"c{number}"), NOW)
    return database


def in_force(weights: dict[str, float] | None = None, epoch: int = 1, **changes: Any) -> CampaignInForce:
    plan = a_plan(**changes)
    return CampaignInForce("k1", plan, assigner("k1", plan, epoch, weights or plan.weights, None), frozenset({"card"}))


def serve(database: Database, number: int, campaign: CampaignInForce, **changes: Any) -> dict[str, CampaignUnit]:
    """One contact of a customer in which they may be enrolled."""
    known: dict[str, Any] = {"facts": {"age": 40}, "channel": "phone", "agent_id": "a1", "at": NOW}
    who = Participant(f"c{number}", **{**known, **changes})
    with database.transaction(who.customer_id) as log:
        before = log.campaign_units(who.customer_id)
        after = enrol(log, who, [campaign], before)
        log.save_campaign_units(before, after, {"k1": campaign.plan.kept})
    return after


def test_the_first_assignment_stands_when_the_weights_change(customers: Database) -> None:
    first = [serve(customers, number, in_force()) for number in range(CUSTOMERS)]
    others = in_force({"control": 0.01, "pushed": 0.99}, epoch=2)
    assert [serve(customers, number, others) for number in range(CUSTOMERS)] == first
    assert {one["k1"].arm for one in first} == {"control", "pushed"}


def test_a_unit_knows_its_epoch_its_chance_and_what_was_known_before(customers: Database) -> None:
    campaign = in_force(epoch=3, arms=arms(1, 0.000001), covariates=["age", "income", "segment"], maturity_days=2)
    unit = serve(customers, 1, campaign, facts={"age": 40, "income": None, "segment": "mass"})["k1"]
    assert (unit.epoch, unit.arm) == (3, "control")
    assert unit.probability == pytest.approx(1, abs=1e-5)
    assert (unit.covariates, unit.agent_id) == ({"age": 40.0, "income": None, "segment": None}, "a1")
    assert (unit.counts_until - unit.day).days == 2


@pytest.mark.parametrize(("caps", "enrolled"), [({"daily_cap": 7}, 7), ({"total_cap": 5, "daily_cap": 9}, 5)])
def test_a_campaign_takes_no_more_than_its_caps(customers: Database, caps: dict[str, Any], enrolled: int) -> None:
    campaign = in_force(**caps)
    found = [serve(customers, number, campaign) for number in range(CUSTOMERS)]
    assert [bool(one) for one in found] == [True] * enrolled + [False] * (CUSTOMERS - enrolled)


DAYS = [("UTC", 16, 0), ("Asia/Shanghai", 15, 0), ("Asia/Shanghai", 16, 1)]


@pytest.mark.parametrize(("zone", "hour", "days_later"), DAYS)
def test_a_units_days_are_the_banks(zone: str, hour: int, days_later: int, customers: Database) -> None:
    database = Database(customers._engine, BankCalendar(zone))
    at = NOW.replace(hour=hour, minute=0)
    campaign = in_force(maturity_days=7, daily_cap=5)
    who = Participant("c1", {}, "phone", None, at)
    with database.transaction("c1") as log:
        unit = enrol(log, who, [campaign], {})["k1"]
        log.save_campaign_units({}, {"k1": unit}, {"k1": ()})
        day = at.date() + timedelta(days=days_later)
        assert (unit.day, unit.counts_until) == (day, day + timedelta(days=7))
        assert log.campaign_volume("k1", day) == (1, 1)
    with database.read() as log:
        stored = log.campaign_units("c1")["k1"]
    end = log.calendar.end_of(stored.counts_until)
    assert stored.day == day
    assert stored.counting(end - timedelta(microseconds=1), sales=1).sales == 1
    assert stored.counting(end, sales=1).sales == 0
    assert matured_until(campaign.plan, end, log.calendar) == day
    assert matured_until(campaign.plan, end - timedelta(microseconds=1), log.calendar) < day
