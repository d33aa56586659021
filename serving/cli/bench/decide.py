"""Measures a decision over HTTP beside its floor: same machine, same run, same server stack, same load."""

import asyncio
import csv
import json
import os
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import yaml
from numpy.random import Generator

from recsys.domain.clock import system_clock
from serving.cli.bench.floor import ANSWER_BYTES
from serving.cli.bench.load import Measured, RequestBody, closed_loop, fixed_rate
from serving.cli.bench.reflection import outcome_to_next_decision
from serving.cli.bench.server import server
from serving.cli.output import Progress
from serving.settings import Settings

PATH = "/v1/contacts"
FAMILIES = ("card", "loan", "mortgage", "saving", "fund", "insurance", "travel", "telecom")
MODELS = ("popularity", "item_item")
SEGMENTS = ("mass", "affluent", "private", "youth")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: sizes of the bank, the load, and the servers' workers."""

    offers: int
    customers: int
    concurrency: int
    requests: int
    rate: float
    workers: int
    seed: int


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Build a bank below `folder`, measure decisions and floor, and return the document of the contract."""
    import redis

    from serving.cli.bank import BankBuild, build_bank
    from serving.embedded_redis import embedded_redis

    rng = np.random.default_rng(plan.seed)
    settings = Settings(home=folder, database_url=None, mlflow_tracking_uri=None, offline_path=None)
    write_bank(folder / "import", plan, rng)
    with embedded_redis(folder) as redis_url:
        build_bank(settings, folder / "import", redis_url, BankBuild(plan.seed, MODELS), progress)
        environment = {"NBO_REDIS_URL": redis_url, "OPENBLAS_NUM_THREADS": "1"}
        for name in ("NBO_DATABASE_URL", "NBO_MLFLOW_TRACKING_URI", "NBO_OFFLINE_PATH"):
            os.environ.pop(name, None)
        callers = cycle(rng.permutation(plan.customers))  # who calls twice has an open list already

        def body(_number: int) -> bytes:
            return json.dumps({"customer_id": f"c{next(callers)}", "channel": "phone", "agent_id": "bench"}).encode()

        with server("serving.app:app_from_environment", folder, plan.workers, environment) as port:
            decisions = _load(port, body, plan, "decisions", progress)
            stages = _stages(port)
            reflected = outcome_to_next_decision(port, [f"c{number}" for number in range(min(200, plan.customers))])
        with redis.Redis.from_url(redis_url) as client:
            for customer in range(plan.customers):
                client.hset(f"bench:c{customer}", mapping={"a": 1, "b": 2, "c": 3})
        floor_environment = {**environment, ANSWER_BYTES: str(decisions[0].answer_bytes)}
        with server("serving.cli.bench.floor:floor_app", folder, plan.workers, floor_environment) as port:
            floor = _load(port, body, plan, "floor", progress)
    return {
        **_document(plan, decisions, floor),
        "outcome_to_next_decision_ms": {
            "p50": round(float(np.percentile(reflected, 50)), 1),
            "p99": round(float(np.percentile(reflected, 99)), 1),
            "max": round(float(reflected.max()), 1),
        },
        "stages_ms": stages,
    }


def _document(plan: Plan, decisions: tuple[Measured, Measured], floor: tuple[Measured, Measured]) -> dict[str, Any]:
    (fast, steady), (floor_fast, floor_steady) = decisions, floor
    return {
        "offers": plan.offers,
        "customers": plan.customers,
        "concurrency": plan.concurrency,
        "requests": plan.requests,
        "errors": fast.errors + steady.errors + floor_fast.errors + floor_steady.errors,
        "workers": plan.workers,
        "answer_bytes": fast.answer_bytes,
        "throughput_rps": round(fast.throughput, 1),
        "rate_rps": plan.rate,
        "p50_ms": round(steady.percentile(50), 2),
        "p99_ms": round(steady.percentile(99), 2),
        "max_ms": round(steady.percentile(100), 2),
        "floor": {
            "throughput_rps": round(floor_fast.throughput, 1),
            "p50_ms": round(floor_steady.percentile(50), 2),
            "p99_ms": round(floor_steady.percentile(99), 2),
        },
        "throughput_over_floor": round(fast.throughput / floor_fast.throughput, 3),
    }


def write_bank(directory: Path, plan: Plan, rng: Generator) -> None:
    """Write an import directory of `plan`: offers with rules in eight families, 8 interactions a customer."""
    directory.mkdir(parents=True)
    offers = [_offer(number) for number in range(plan.offers)]
    (directory / "offers.yaml").write_text(yaml.safe_dump(offers))
    ages, segments = rng.integers(18, 90, plan.customers), rng.integers(len(SEGMENTS), size=plan.customers)
    with (directory / "customers.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["customer_id", "segment", "risk_level", "age", "monthly_income_cny", "consent_marketing"])
        for number in range(plan.customers):
            segment = SEGMENTS[segments[number]]
            table.writerow([f"c{number}", segment, 1 + number % 5, ages[number], 3000 + number % 9000, "true"])
    popularity = 1 / np.arange(1, plan.offers + 1) ** 0.7
    size = (plan.customers, 8)
    chosen = rng.choice(plan.offers, size=size, p=popularity / popularity.sum())
    days_ago = rng.integers(1, 365, size=size)
    now = np.datetime64(system_clock().replace(tzinfo=None), "s")
    with (directory / "interactions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["customer_id", "offer_id", "occurred_at", "event"])
        for (number, place), offer in np.ndenumerate(chosen):
            at = now - np.timedelta64(int(days_ago[number, place]), "D")
            table.writerow([f"c{number}", f"o{offer}", f"{at}Z", "holding" if place < 4 else "inquiry"])


def _offer(number: int) -> dict[str, Any]:
    age, income = 18 + number % 20, 1000 * (number % 8)
    return {
        "offer_id": f"o{number}",
        "title_en": f"Offer {number}",
        "title_zh": f"方案{number}",
        "family": FAMILIES[number % len(FAMILIES)],
        "margin": 50 + number % 300,
        "handling_seconds": 60 + number % 240,
        "risk_level": 1 + number % 4,
        "eligibility": f"age >= {age} AND segment IN ('mass', 'affluent', 'private') AND monthly_income_cny > {income}",
        "terms": {"limit_cny": "LEAST(50000, monthly_income_cny * 3)"},
        "talk_track_en": "Would this help with what you have in mind? I can set it up for you right now.",
        "talk_track_zh": "这个方案可能适合您，我现在就可以为您办理。",
    }


def _load(port: int, body: RequestBody, plan: Plan, what: str, progress: Progress) -> tuple[Measured, Measured]:
    """Return (as fast as it goes, at the fixed rate), after a short warm-up."""
    progress(f"measure {what}", 0, 2)
    asyncio.run(closed_loop(port, PATH, body, 50 * plan.workers, plan.concurrency))
    fast = asyncio.run(closed_loop(port, PATH, body, plan.requests, plan.concurrency))
    progress(f"measure {what}", 1, 2)
    steady = asyncio.run(fixed_rate(port, PATH, body, plan.requests, plan.rate))
    progress(f"measure {what}", 2, 2)
    return fast, steady


def _stages(port: int) -> dict[str, float]:
    """Return the mean milliseconds of each stage of a decision, from the server's own metrics."""
    from prometheus_client.parser import text_string_to_metric_families

    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    sums: dict[str, dict[str, float]] = {"sum": {}, "count": {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            kind = sample.name.removeprefix("nbo_decision_stage_seconds_")
            if kind in sums and "stage" in sample.labels:
                sums[kind][sample.labels["stage"]] = sample.value
    return {stage: round(1000 * sums["sum"][stage] / count, 3) for stage, count in sums["count"].items() if count}
