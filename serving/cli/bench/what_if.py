"""Measures a what-if over a made-up customer base: seconds of each stage, processor seconds and peak memory."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_matrix

from recsys.catalogue import Catalogue, build_catalogue, parse_offers
from recsys.domain.clock import system_clock
from recsys.domain.interaction import InteractionKind
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, Purpose
from recsys.interactions.history_columns import KINDS, HistoryColumns
from recsys.interactions.matrix import InteractionMatrix
from recsys.models.bundle import Bundle
from recsys.ranking.evidence import OfferEvidence
from recsys.ranking.people import ANSWERS, AS_THE_POLICY_SAYS, NO_COMPLAINT, AnswerColumns, Occasion, Protection
from recsys.rules import BUILT_IN, ValueType
from recsys.what_if.audience import Audience
from recsys.what_if.comparison import compare
from recsys.what_if.relevance import Models
from recsys.what_if.rulebook import TODAY, Rulebook
from recsys.what_if.run import StageTimes, run
from serving.cli.output import Progress

AT = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
SEGMENTS = np.array(["mass", "affluent", "private", "youth"])
EVENTS = 8
"""Interactions of every customer."""
TRAINED_ON = 50_000
FAMILIES = 40
_DAY = 86_400_000_000
_VOCABULARY = {**BUILT_IN, "age": ValueType.NUMBER, "monthly_income_cny": ValueType.NUMBER, "city": ValueType.TEXT}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: sizes of the base, the family of the relevance model and the seed."""

    customers: int
    offers: int
    model: str
    seed: int
    logged: int = 0
    """Customers of an event log that is read too."""


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Return the document of the benchmark: today and one scenario, decided for everybody and compared."""
    rng = np.random.default_rng(plan.seed)
    times, outside = StageTimes(), StageTimes()
    with outside.stage("building the base"):
        audience = a_base(plan, rng)
    with outside.stage("training on a sample"):
        model = a_model(folder, plan.model, audience, rng)
    built = peak_mib()
    today = Rulebook(TODAY, a_catalogue(plan.offers, 1.0), Policy())
    changed = Rulebook("changed", a_catalogue(plan.offers, 1.3), Policy(sales_cap=4, unasked_partner=True))
    with measured() as used:
        tallies = run(audience, [today, changed], Models(model, evidence=_evidence(audience)), progress, times)
        with times.stage("comparison"):
            compared = compare(audience, tallies)
    return {
        "customers": plan.customers,
        "offers": plan.offers,
        "distinct_rules": len(today.catalogue.table.rules),
        "model": model.model_name,
        "scenarios": 1,
        "seconds": round(used["seconds"], 1),
        "processor_seconds": round(used["processor_seconds"], 1),
        "thread_seconds_by_stage": {name: round(seconds, 1) for name, seconds in times.seconds.items()},
        "peak_mib": round(peak_mib()),
        "peak_mib_with_the_base_alone": round(built),
        "preparation_seconds": {name: round(seconds, 1) for name, seconds in outside.seconds.items()},
        **({"event_log": read_from_log(folder, plan, today, progress)} if plan.logged else {}),
        "lists_changed_share": compared["scenarios"][0]["everybody"]["list_changed"],
    }


def read_from_log(folder: Path, plan: Plan, today: Rulebook, progress: Progress) -> dict[str, Any]:
    """Return how long reading `plan.logged` customers with as many interactions each from SQLite takes."""
    from recsys.storage.database import open_database
    from recsys.what_if.reading import Sample, read_audience
    from serving.cli.bench.decide import Plan as Bank
    from serving.cli.bench.decide import write_bank
    from serving.cli.import_commands import import_files
    from serving.settings import Settings

    settings = Settings(home=folder / "home", database_url=None)
    write_bank(
        folder / "import", Bank(plan.offers, plan.logged, 1, 1, 1.0, 1, plan.seed), np.random.default_rng(plan.seed)
    )
    import_files(settings, folder / "import", progress)
    database = open_database(settings.event_log_url, settings.calendar)
    occasion = Occasion(system_clock(), "phone")
    try:
        with database.read() as log, measured() as used:
            everybody = Sample(None, np.random.default_rng(0))
            audience = read_audience(log, [today], occasion, everybody, progress)
    finally:
        database.close()
    interactions = len(audience.history.rows)
    return {"customers": len(audience), "interactions": interactions, **{k: round(v, 1) for k, v in used.items()}}


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Yield what afterwards holds the seconds and the processor seconds, of all threads, of what ran inside."""
    used: dict[str, float] = {}
    started, processor = time.perf_counter(), time.process_time()
    yield used
    used |= {"seconds": time.perf_counter() - started, "processor_seconds": time.process_time() - processor}


def peak_mib() -> float:
    """Return the most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024


def a_catalogue(offers: int, more: float) -> Catalogue:
    """Return offers whose rules are all different; every seventh has `more` times the margin."""
    rows = [
        {
            "offer_id": f"o{number:04d}",
            "title": f"Offer {number}",
            "kind": "partner" if number % 20 == 19 else "product",
            "family": f"f{number % FAMILIES}",
            "margin": (50 + number % 300) * (more if number % 7 == 0 else 1.0),
            "handling_seconds": 60 + number % 240,
            "risk_level": 1 + number % 4,
            "eligibility": f"age >= {18 + number % 20} AND segment IN ('mass', 'affluent', 'private') "
            f"AND monthly_income_cny > {1000 * (number % 8) + number}",
        }
        for number in range(offers)
    ]
    return build_catalogue(parse_offers(rows, _VOCABULARY), _VOCABULARY)


def a_base(plan: Plan, rng: Generator) -> Audience:
    """Return customers with eight interactions each, and two answers for every fifth of them."""
    import pyarrow as pa

    count = plan.customers
    numbers = np.arange(count)
    occasion = Occasion(AT, "phone")
    facts = pa.table({
        "kind": pa.array(np.full(count, "customer")),
        "language": pa.array(np.full(count, "zh")),
        "segment": pa.array(SEGMENTS[rng.integers(len(SEGMENTS), size=count)]),
        "risk_level": pa.array((1 + numbers % 5).astype(np.float64)),
        **{name: pa.array(rng.random(count) < 0.01) for name in DELIVERED_FLAGS},
        "age": pa.array(rng.integers(18, 90, count).astype(np.float64)),
        "monthly_income_cny": pa.array(3000.0 + rng.integers(9000, size=count)),
        "city": pa.array(np.array(["上海", "北京", "广州"])[rng.integers(3, size=count)]),
    })  # fmt: skip
    consents = {purpose: rng.choice([1, 1, 1, 0, -1], count).astype(np.int8) for purpose in Purpose}
    nobody = np.zeros(count, dtype=bool)
    flags = {name: facts[name].to_numpy() if name in DELIVERED_FLAGS else nobody for name in FLAGS}
    risk_level, own_days = (1 + numbers % 5).astype(np.int8), np.full(count, AS_THE_POLICY_SAYS)
    complaints = np.where(rng.random(count) < 0.005, occasion.microseconds - 3 * _DAY, NO_COMPLAINT)
    return Audience(
        occasion,
        pa.array([f"c{number:07d}" for number in range(count)]),
        facts,
        Protection(risk_level, flags, consents, complaints, own_days, nobody),
        tuple(f"o{number:04d}" for number in range(plan.offers)),
        _histories(plan, occasion.microseconds, rng),
        _answers(plan, occasion.microseconds, rng),
        {},
    )


def _histories(plan: Plan, now: int, rng: Generator) -> HistoryColumns:
    count = plan.customers * EVENTS
    popularity = 1 / np.arange(1, plan.offers + 1) ** 0.7
    ages = np.sort(rng.integers(_DAY, 365 * _DAY, size=(plan.customers, EVENTS)))[:, ::-1]
    kinds = [KINDS.index(InteractionKind.HOLDING), KINDS.index(InteractionKind.INQUIRY)]
    return HistoryColumns(
        np.repeat(np.arange(plan.customers, dtype=np.int32), EVENTS),
        rng.choice(plan.offers, count, p=popularity / popularity.sum()).astype(np.int32),
        (now - ages).ravel(),
        rng.choice(kinds, count).astype(np.int8),
        np.ones(count),
        plan.offers,
    )


def _answers(plan: Plan, now: int, rng: Generator) -> AnswerColumns:
    rows = np.repeat(np.arange(0, plan.customers, 5, dtype=np.int32), 2)
    ages = rng.integers(_DAY, 60 * _DAY, size=len(rows))
    order = np.lexsort((-ages, rows))
    given = [ANSWERS.index(Answer.DECLINED), ANSWERS.index(Answer.LATER), ANSWERS.index(Answer.ACCEPTED)]
    return AnswerColumns(
        rows,
        rng.integers(plan.offers, size=len(rows)).astype(np.int32),
        (now - ages)[order],
        rng.choice(given, len(rows)).astype(np.int8),
        rng.random(len(rows)) < 0.5,
    )


def a_model(folder: Path, family: str, audience: Audience, rng: Generator) -> Bundle:
    """Return a model of that family, fitted on the first customers, as it would come from the registry."""
    from recsys.models.bundle_files import save_bundle
    from recsys.models.families import create_model

    part = audience.of_customers(0, min(TRAINED_ON, len(audience)))
    evidence = part.history.evidence(audience.occasion.microseconds, len(part)).astype(np.float32)
    world = InteractionMatrix(csr_matrix(evidence), tuple(part.customer_ids.to_pylist()), audience.offer_ids)
    model = create_model(family).fit(world, rng=rng)
    return save_bundle(folder / "bundle", model, world, rng)


def _evidence(audience: Audience) -> OfferEvidence:
    return OfferEvidence({offer_id: (10 + place % 7, 200) for place, offer_id in enumerate(audience.offer_ids)})
