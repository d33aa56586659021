"""Measures the read-out of a campaign over millions of units, beside one query over all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from experiments.enrolment import CampaignInForce, Participant, enrol
from experiments.metrics import METRICS, arm_totals, covariate_variables
from experiments.plan_document import parse_plan
from experiments.readout import read_out
from recsys.domain.campaign_unit import COUNTS
from recsys.domain.customer import Customer
from recsys.domain.outcome import Answer
from recsys.storage.campaign_log import SavedCampaign, SavedEpoch
from recsys.storage.database import Database, open_database
from serving.cli.output import Progress

if TYPE_CHECKING:
    from experiments.campaign import Plan as CampaignPlan

CAMPAIGN = "bench"
LAUNCH = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
_PLAN = {
    "name": "bench",
    "hypothesis": "A campaign of three arms and ten metrics.",
    "arms": [{"name": name, "weight": 1, "control": name == "control"} for name in ("control", "b", "c")],
    "primary": "sold",
    "secondaries": [name for name in METRICS if name not in ("sold", "csat")],
    "guardrails": [{"metric": "csat", "margin": 0.1}],
    "covariates": ["age"],
    "smallest_effect": 0.001,
    "planned_units": 1_000_000,
}
_CHUNK = 500_000
_MIX = "(n * 2654435761) % 4294967296"
_NUMBERS = {
    "sqlite": "WITH RECURSIVE r(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM r WHERE n < {last})",
    "postgresql": "WITH r(n) AS (SELECT n::bigint FROM generate_series({first}, {last}) AS n)",
}
_DAY = {"sqlite": "date('2026-06-01', '+' || (h / 7 % {days}) || ' days')",
        "postgresql": "date '2026-06-01' + (h / 7 % {days})::int"}  # fmt: skip
_NO_CHECKS = {"sqlite": "PRAGMA foreign_keys=0", "postgresql": "SET session_replication_role = replica"}
_VALUES = {
    "campaign_acceptances": "CASE WHEN h / 64 % 100 < 9 + h % 3 THEN 1 ELSE 0 END",
    "acceptances": "CASE WHEN h / 64 % 100 < 12 + h % 3 THEN 1 + h / 9 % 2 ELSE 0 END",
    "sales": "CASE WHEN h / 64 % 100 < 11 THEN 1 ELSE 0 END",
    "value": "CASE WHEN h / 64 % 100 < 12 THEN 20 + h / 11 % 200 ELSE 0 END",
    "declines": "CASE WHEN h / 64 % 100 > 70 THEN 1 + h / 13 % 2 ELSE 0 END",
    "answers": "1 + h / 13 % 3",
    "csat_total": "CASE WHEN h % 10 < 3 THEN 1 + h / 17 % 5 ELSE 0 END",
    "csat_ratings": "CASE WHEN h % 10 < 3 THEN 1 ELSE 0 END",
    "complaints": "CASE WHEN h / 19 % 1000 < 8 THEN 1 ELSE 0 END",
    "handling_seconds": "60 + h / 23 % 600",
    "contacts": "1 + h / 29 % 2",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many units are read, over how many days and agents, and how many customers are written one by one."""

    units: int
    days: int
    agents: int
    written: int
    url: str | None = None
    """Address of an empty database; none: an SQLite file."""


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Return the document of the benchmark; the database is left as it then is."""
    campaign = parse_plan(_PLAN)
    database = open_database(plan.url or f"sqlite:///{folder / 'nbo.db'}")
    try:
        database.upgrade()
        with database.transaction() as log:
            saved = SavedCampaign(CAMPAIGN, _PLAN, campaign.version, campaign.kept, "running", "bench", LAUNCH)
            log.add_campaign(saved)
            log.add_campaign_epoch(CAMPAIGN, SavedEpoch(1, campaign.weights, LAUNCH, "launch", "bench"), None)
        _write_units(database, plan, progress)
        seconds: dict[str, float] = {}
        groups = _timed(seconds, "one query over all units", lambda: _one_query(database))
        _timed(seconds, "totals recomputed", lambda: _rebuild(database))
        until = (LAUNCH + timedelta(days=plan.days - 1 - campaign.maturity_days)).date()
        matured = 0.0
        for by in ((), ("agent_id",), ("day",)):
            name = " and ".join(("readout of every metric by arm", *by))
            matured = _timed(seconds, name, lambda by=by: _read_out(database, campaign, until, by))  # type: ignore[misc]
        _timed(seconds, "whole read-out", lambda: _whole(database, LAUNCH + timedelta(days=plan.days)))
        with database.read() as log:
            wrong = len(log.wrong_campaign_totals(CAMPAIGN))
            totals = log.counts()["campaign_totals"]
        return {
            "database": "sqlite" if plan.url is None else "postgresql",
            "units": plan.units,
            "groups": groups,
            "totals": totals,
            "wrong_totals": wrong,
            "metrics": len(campaign.metrics),
            "matured_units": round(matured),
            "seconds": {name: round(value, 2) for name, value in seconds.items()},
            "microseconds": _written_one_by_one(database, campaign, plan.written),
        }
    finally:
        database.close()


def _write_units(database: Database, plan: Plan, progress: Progress) -> None:
    with database.private_connection() as connection:
        kind = connection.dialect.name
        connection.connection.cursor().execute(_NO_CHECKS[kind])  # their customers are not there
        connection.connection.commit()
        for first in range(0, plan.units, _CHUNK):
            progress("write units", first, plan.units)
            last = min(first + _CHUNK, plan.units) - 1
            with database.writing_on(connection):
                connection.exec_driver_sql(_insertion(kind, first, last, plan))
        progress("write units", plan.units, plan.units)


def _insertion(kind: str, first: int, last: int, plan: Plan) -> str:
    day = _DAY[kind].format(days=plan.days)
    moment = f"{day} || ' 08:00:00.000000'" if kind == "sqlite" else f"({day}) + time '08:00'"
    no = "0" if kind == "sqlite" else "false"
    columns = {
        "customer_id": "'c' || n",
        "campaign_id": f"'{CAMPAIGN}'",
        "epoch": "1",
        "arm": "CASE h % 3 WHEN 0 THEN 'control' WHEN 1 THEN 'b' ELSE 'c' END",
        "probability": "1.0 / 3",
        "day": day,
        "assigned_at": moment,
        "counts_until": day,
        "agent_id": f"'a' || (h / 31 % {plan.agents})",
        "in_fixed_slice": no,
        "covariates": "'{\"age\": ' || (20 + h / 37 % 60) || '}'",
        "recommended_at": moment,
        "pitched_at": f"CASE WHEN h / 64 % 100 < 60 THEN {moment} END",
        **{name: _VALUES[name] for name in COUNTS},
    }
    text = (
        f"{_NUMBERS[kind].format(first=first, last=last)} INSERT INTO campaign_units ({', '.join(columns)}) "
        f"SELECT {', '.join(columns.values())} FROM (SELECT n, {_MIX} AS h FROM r) AS mixed"
    )
    return text.replace("%", "%%") if kind == "postgresql" else text  # else psycopg looks for parameters


def _one_query(database: Database) -> int:
    """Ask for the totals of one metric by what the kept ones are kept by; returns the groups."""
    cell = "epoch, arm, day, agent_id"
    query = (
        f"SELECT {cell}, count(*), sum(value), sum(value * value) FROM campaign_units "
        f"WHERE campaign_id = '{CAMPAIGN}' GROUP BY {cell}"
    )
    with database.private_connection() as connection:
        return len(connection.exec_driver_sql(query).all())


def _rebuild(database: Database) -> None:
    with database.transaction() as log:
        log.rebuild_campaign_totals(CAMPAIGN)


def _whole(database: Database, now: datetime) -> None:
    """Read the campaign out as its results are shown: split, funnel, effects, agents, and the effect day by day."""
    with database.read() as log:
        read_out(log, log.campaign(CAMPAIGN), now)


def _read_out(database: Database, campaign: "CampaignPlan", until: date, by: tuple[str, ...]) -> float:
    """Read the totals of every metric with its covariate, and with what was pitched; returns the units."""
    units = 0.0
    with database.read() as log:
        cells = log.campaign_totals(CAMPAIGN, until, by)
    for metric in campaign.metrics:
        for variables in (metric.outcomes + covariate_variables(campaign.covariates), (metric.of, "pitched")):
            units = sum(arm_totals(totals, variables).n for totals in cells.values())
    return units


def _written_one_by_one(database: Database, campaign: "CampaignPlan", customers: int) -> dict[str, float]:
    """Return what enrolling a customer and recording an answer each add to their transactions, at the median."""
    from experiments.assignment import assigner

    force = CampaignInForce(CAMPAIGN, campaign, assigner(CAMPAIGN, campaign, 1, campaign.weights, None), frozenset())
    enrolled, answered, kept = [], [], {CAMPAIGN: campaign.kept}
    for number in range(customers):
        who = Participant(f"new{CAMPAIGN}{number}", {"age": 40.0}, "phone", f"a{number % 50}", LAUNCH)
        with database.transaction(who.customer_id) as log:
            log.add_customer(Customer(who.customer_id), LAUNCH)
            began = time.perf_counter()
            before = log.campaign_units(who.customer_id)
            units = {name: unit.reaching("recommended", LAUNCH)
                     for name, unit in enrol(log, who, [force], before).items()}  # fmt: skip
            log.save_campaign_units(before, units, kept)
            enrolled.append(time.perf_counter() - began)
        with database.transaction(who.customer_id) as log:
            began = time.perf_counter()
            before = log.campaign_units(who.customer_id)
            after = {name: unit.answering(Answer.ACCEPTED, LAUNCH, net_value=50.0, is_sale=True, of_campaign=True)
                     for name, unit in before.items()}  # fmt: skip
            log.save_campaign_units(before, after, kept)
            answered.append(time.perf_counter() - began)
    return {"enrol": round(1e6 * float(np.median(enrolled))), "answer": round(1e6 * float(np.median(answered)))}


def _timed(seconds: dict[str, float], name: str, work: Callable[[], T]) -> T:
    began = time.perf_counter()
    found = work()
    seconds[name] = time.perf_counter() - began
    return found
