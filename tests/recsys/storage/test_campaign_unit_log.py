"""Totals of arms are what their units add up to, after every change of any unit, on both databases."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Thread
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from experiments.metrics import METRICS, arm_totals, covariate_variables
from recsys.domain.campaign_unit import COUNTS, STAGES, CampaignUnit
from recsys.domain.outcome import Answer
from recsys.storage.campaign_unit_log import Cell, Difference
from recsys.storage.database import Database
from recsys.storage.event_log import EventLog
from tests.builders import NOW, a_customer
from tests.experiments.plans import a_saved_campaign

COVARIATES = ("age", "income of household")
CUSTOMERS = 40
CAMPAIGN = a_saved_campaign(secondaries=[name for name in METRICS if name != "sold"], covariates=COVARIATES)


def a_unit(**changes: Any) -> CampaignUnit:
    """A customer assigned to the control, whose outcomes count for a week."""
    known = {"campaign_id": "k1", "customer_id": "c1", "epoch": 1, "arm": "control", "probability": 0.5}
    days = {"assigned_at": NOW, "counts_until": NOW.date() + timedelta(days=7)}
    return CampaignUnit(**{**known, **days, **changes})


def save(database: Database, unit: CampaignUnit, before: CampaignUnit | None = None) -> None:
    with database.transaction(unit.customer_id) as log:
        units = log.campaign_units(unit.customer_id)
        assert units.get(unit.campaign_id) == before
        log.save_campaign_units(units, {**units, unit.campaign_id: unit}, {"k1": CAMPAIGN.kept})


@pytest.fixture
def campaign(database: Database) -> Database:
    """An event log with a campaign `k1` on every metric and two covariates, and its customers."""
    with database.transaction() as log:
        log.add_campaign(CAMPAIGN)
        for number in range(CUSTOMERS):
            log.add_customer(a_customer(customer_id=f"c{number}"), NOW)
    return database


def live_through_anything(rng: np.random.Generator, unit: CampaignUnit) -> CampaignUnit:
    """The unit after one random thing that happens to customers."""
    at = unit.assigned_at + timedelta(days=int(rng.integers(12)))
    happens = rng.integers(4)
    if happens == 0:
        return unit.reaching(STAGES[rng.integers(4)], at)
    if happens == 1:
        answer = list(Answer)[rng.integers(4)]
        worth = float(rng.normal(30, 20))
        return unit.answering(answer, at, net_value=worth, is_sale=rng.random() < 0.5, of_campaign=rng.random() < 0.5)
    if happens == 2:
        return unit.counting(at, contacts=1, handling_seconds=float(rng.gamma(2, 100)))
    return unit.counting(at, csat_total=float(rng.integers(1, 6)), csat_ratings=1, complaints=1)


def random_units(database: Database, seed: int) -> list[CampaignUnit]:
    """Let the customers live, saving every step; returns how they end."""
    rng = np.random.default_rng(seed)
    units: list[CampaignUnit] = []
    for number in range(CUSTOMERS):
        unit = a_unit(
            customer_id=f"c{number}",
            epoch=1 + number % 2,
            arm=("control", "pushed", "holdout")[rng.integers(3)],
            assigned_at=NOW + timedelta(days=int(rng.integers(3))),
            agent_id=("", "a1", "a2")[rng.integers(3)],
            covariates={COVARIATES[0]: None if number % 7 == 0 else 20.5 + number, COVARIATES[1]: 1e4 / (1 + number)},
        )
        save(database, unit)
        for _ in range(6):
            before, unit = unit, live_through_anything(rng, unit)
            save(database, unit, before)
        units.append(unit)
    return units


def test_kept_totals_are_what_the_units_add_up_to(campaign: Database) -> None:
    units = random_units(campaign, seed=1)
    with campaign.read() as log:
        assert log.wrong_campaign_totals("k1") == []
        check_every_metric(log, units)


def check_every_metric(log: EventLog, units: list[CampaignUnit]) -> None:
    found = log.campaign_totals("k1", by=("day", "agent_id"))
    assert found.keys() == {Cell(one.epoch, one.arm, one.day, one.agent_id) for one in units}
    for metric in METRICS.values():
        for variables in (metric.outcomes + covariate_variables(COVARIATES), (metric.of, "pitched")):
            for cell, totals in found.items():
                members = [one for one in units if Cell(one.epoch, one.arm, one.day, one.agent_id) == cell]
                direct = np.array([[one.value_of(name) for name in variables] for one in members])
                kept = arm_totals(totals, variables)
                assert kept.n == len(members)
                np.testing.assert_allclose(kept.sums, direct.sum(axis=0), rtol=1e-9, atol=1e-6)
                np.testing.assert_allclose(kept.products, direct.T @ direct, rtol=1e-9, atol=1e-6)


def test_totals_over_days_and_agents_are_those_of_the_matured_units(campaign: Database) -> None:
    units = random_units(campaign, seed=2)
    until = (NOW + timedelta(days=1)).date()
    with campaign.read() as log:
        found = log.campaign_totals("k1", until, products=["value"])
    for cell, totals in found.items():
        members = [one for one in units if (one.epoch, one.arm) == (cell.epoch, cell.arm) and one.day <= until]
        assert totals["1"] == len(members)
        assert totals.get("value", 0.0) == pytest.approx(sum(one.value for one in members))


def test_a_wrong_total_is_found_and_rebuilt(campaign: Database) -> None:
    random_units(campaign, seed=3)
    with campaign.transaction() as log:
        log._connection.execute(text("UPDATE campaign_totals SET total = total + 1 WHERE product = 'value'"))
        wrong = log.wrong_campaign_totals("k1")
        assert {one.product for one in wrong} == {"value"}
        assert all(one.kept == pytest.approx(one.counted + 1) for one in wrong)
        log.rebuild_campaign_totals("k1")
        assert log.wrong_campaign_totals("k1") == []


def test_a_missing_total_is_found(campaign: Database) -> None:
    save(campaign, a_unit())
    with campaign.transaction() as log:
        log._connection.execute(text("DELETE FROM campaign_totals"))
        cell = Cell(1, "control", NOW.date(), "")
        assert Difference("1", cell, 0.0, 1.0) in log.wrong_campaign_totals("k1")


def test_a_unit_comes_back_as_it_was_saved(campaign: Database) -> None:
    answered = a_unit(agent_id="a1", covariates={"age": None, "x": 1.5}, in_fixed_slice=True).answering(
        Answer.ACCEPTED, NOW, net_value=70.0, is_sale=True, of_campaign=True
    )
    save(campaign, answered)
    with campaign.read() as log:
        assert log.campaign_units("c1") == {"k1": answered}
        assert log.campaign_units("c2") == {}


def test_nothing_is_written_for_a_unit_that_stays_as_it_is(campaign: Database) -> None:
    save(campaign, a_unit())
    with campaign.transaction("c1") as log:
        units = log.campaign_units("c1")
        log.save_campaign_units(units, dict(units), {})
        assert log.wrong_campaign_totals("k1") == []


def test_outcomes_count_until_the_last_day_and_stages_keep_their_first_moment() -> None:
    unit = a_unit()
    last = datetime(2026, 6, 8, 23, 59, 59, tzinfo=NOW.tzinfo)
    assert unit.counting(last, contacts=1).contacts == 1
    assert unit.counting(last + timedelta(seconds=1), contacts=1) == unit
    assert unit.reaching("seen", NOW).reaching("seen", last).seen_at == NOW


def test_an_answer_counts_as_what_it_is() -> None:
    def counts(answer: Answer, **facts: bool) -> Mapping[str, float]:
        unit = a_unit().answering(answer, NOW, net_value=50.0, **{"is_sale": True, "of_campaign": True, **facts})
        return {name: getattr(unit, name) for name in COUNTS if getattr(unit, name)}

    sold = {"campaign_acceptances": 1, "acceptances": 1, "sales": 1, "value": 50, "answers": 1}
    assert counts(Answer.ACCEPTED) == sold
    assert counts(Answer.ACCEPTED, is_sale=False, of_campaign=False) == {"acceptances": 1, "value": 50, "answers": 1}
    assert counts(Answer.DECLINED) == {"declines": 1, "answers": 1}
    assert counts(Answer.LATER) == {"answers": 1}
    assert counts(Answer.NOT_PITCHED) == {}


def test_only_an_answer_to_what_the_campaign_is_about_is_a_pitch_of_it() -> None:
    answered = [
        a_unit().answering(Answer.DECLINED, NOW, net_value=0.0, is_sale=True, of_campaign=of) for of in (True, False)
    ]
    assert [one.pitched_at for one in answered] == [NOW, None]


def test_a_variable_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no variable 'saless'"):
        a_unit().value_of("saless")


def test_the_volume_of_a_campaign_is_counted_by_day(campaign: Database) -> None:
    today, tomorrow = date(2026, 6, 1), date(2026, 6, 2)
    with campaign.transaction() as log:
        assert [log.count_campaign_unit("k1", day) for day in (today, today, tomorrow)] == [(1, 1), (2, 2), (1, 3)]
        assert log.campaign_volume("k1", date(2026, 6, 3)) == (0, 3)


def test_customers_served_at_once_add_up(campaign: Database) -> None:
    def serve(numbers: range) -> None:
        for number in numbers:
            save(campaign, unit := a_unit(customer_id=f"c{number}", agent_id="a1"))
            save(campaign, replace(unit, contacts=1.0), unit)

    threads = [Thread(target=serve, args=(range(start, CUSTOMERS, 4),)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with campaign.read() as log:
        assert log.wrong_campaign_totals("k1") == []
        assert log.campaign_totals("k1", products=["contacts"]) == {
            Cell(1, "control"): {"1": CUSTOMERS, "contacts": CUSTOMERS}
        }
