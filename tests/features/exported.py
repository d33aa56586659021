"""Writes an export as `recsys.storage.export` lays it out, from the objects a test makes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import write_table

from recsys.domain.contact import Contact
from recsys.domain.customer import Customer
from recsys.domain.interaction import Interaction
from recsys.domain.outcome import PastAnswer
from recsys.domain.protection import DELIVERED_FLAGS

MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Exposed:
    """An offer of a decision that was seen or pitched."""

    decision_id: str
    offer_id: str
    stage: str
    at: datetime
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What happened to one customer."""

    customer: Customer
    history: tuple[Interaction, ...] = ()
    answers: tuple[PastAnswer, ...] = ()
    contacts: tuple[Contact, ...] = ()
    versions: tuple[tuple[datetime, Customer], ...] = ()
    exposures: tuple[Exposed, ...] = ()


def write_export(directory: Path, given: Sequence[Given], recorded_at: datetime) -> None:
    """Write the parts of an export below `directory`; versions only where a customer has any."""
    _write_customers(directory, [one.customer for one in given], recorded_at)
    versions = [version for one in given for version in one.versions]
    if versions:
        _write_versions(directory, versions, [one.customer for one in given])
    _write_days(
        directory / "interactions",
        {"customer_id": pa.string(), "offer_id": pa.string(), "occurred_at": MOMENT, "kind": pa.string(),
         "channel": pa.string(), "weight": pa.float64()},
        (
            {"customer_id": e.customer_id, "offer_id": e.offer_id, "occurred_at": e.occurred_at, "kind": str(e.kind),
             "channel": e.channel, "weight": e.weight}
            for one in given for e in one.history
        ),
    )  # fmt: skip
    _write_days(
        directory / "contacts",
        {"contact_id": pa.string(), "customer_id": pa.string(), "opened_at": MOMENT, "channel": pa.string(),
         "direction": pa.string(), "reason": pa.string(), "sentiment": pa.float64(), "agent_id": pa.string(),
         "csat": pa.int64(), "is_complaint": pa.bool_()},
        (
            {"contact_id": c.contact_id, "customer_id": c.customer_id, "opened_at": c.opened_at,
             "channel": str(c.channel), "direction": str(c.direction), "reason": c.reason, "sentiment": c.sentiment,
             "agent_id": c.agent_id, "csat": c.csat, "is_complaint": c.is_complaint}
            for one in given for c in one.contacts
        ),
    )  # fmt: skip
    _write_days(
        directory / "answers",
        {"outcome_id": pa.string(), "customer_id": pa.string(), "offer_id": pa.string(), "decision_id": pa.string(),
         "answer": pa.string(), "answered_at": MOMENT, "channel": pa.string()},
        (
            {"outcome_id": f"{one.customer.customer_id}-{number}", "customer_id": one.customer.customer_id,
             "offer_id": a.offer_id, "decision_id": decision_of(one, number), "answer": str(a.answer),
             "answered_at": a.answered_at, "channel": a.channel}
            for one in given for number, a in enumerate(one.answers)
        ),
    )  # fmt: skip
    _write_days(
        directory / "exposures",
        {"decision_id": pa.string(), "offer_id": pa.string(), "stage": pa.string(), "exposed_at": MOMENT,
         "channel": pa.string()},
        (
            {"decision_id": e.decision_id, "offer_id": e.offer_id, "stage": e.stage, "exposed_at": e.at,
             "channel": e.channel}
            for one in given for e in one.exposures
        ),
    )  # fmt: skip


def decision_of(given: Given, number: int) -> str:
    """Return the decision that a customer's answer of that number was given to: two answers each."""
    return f"d-{given.customer.customer_id}-{number // 2}"


def _write_customers(directory: Path, customers: Sequence[Customer], recorded_at: datetime) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {
        **_facts(customers, customers),
        **{flag: [flag in c.flags for c in customers] for flag in DELIVERED_FLAGS},
        "recorded_at": pa.array([recorded_at] * len(customers), MOMENT),
        "consent_profiling": pa.array([c.consents.profiling for c in customers], pa.bool_()),
    }
    write_table(pa.table(columns), directory / "customers.parquet")


def _write_versions(
    directory: Path, versions: Sequence[tuple[datetime, Customer]], customers: Sequence[Customer]
) -> None:
    columns: dict[str, Any] = {
        "version_id": list(range(len(versions))),
        "known_at": pa.array([at for at, _ in versions], MOMENT),
        **_facts([customer for _, customer in versions], customers),
    }
    write_table(pa.table(columns), directory / "customer_versions.parquet")


def _facts(customers: Sequence[Customer], everybody: Sequence[Customer]) -> dict[str, Any]:
    attributes = sorted({name for customer in everybody for name in customer.attributes})
    return {
        "customer_id": [c.customer_id for c in customers],
        "kind": [str(c.kind) for c in customers],
        "language": pa.array([c.language for c in customers], pa.string()),
        "segment": pa.array([c.segment for c in customers], pa.string()),
        "risk_level": pa.array([c.risk_level for c in customers], pa.int64()),
        **{f"attr_{name}": [c.attributes.get(name) for c in customers] for name in attributes},
    }


def _write_days(folder: Path, columns: dict[str, pa.DataType], rows: Iterable[dict[str, Any]]) -> None:
    moment = next(name for name, kind in columns.items() if kind == MOMENT)
    by_day: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_day.setdefault(row[moment].astimezone(UTC).date().isoformat(), []).append(row)
    for day, of_day in by_day.items():
        (folder / f"day={day}").mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(of_day, schema=pa.schema(list(columns.items())))
        write_table(table, folder / f"day={day}" / "part.parquet")
