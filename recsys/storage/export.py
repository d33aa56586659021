"""Writes the event log as Parquet, a folder a day, for the feature store and for training."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, Select, select

from recsys.domain.protection import DELIVERED_FLAGS
from recsys.storage.batching import in_batches
from recsys.storage.database import Database
from recsys.storage.event_log import EventLog
from recsys.storage.exported_offers import write_offers
from recsys.storage.protection_log import PROFILING_IN_FORCE, flag_holds
from recsys.storage.schema import (
    contacts,
    customer_versions,
    customers,
    decisions,
    exposures,
    interactions,
    outcomes,
)

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int | None], None]
_BATCH = 20_000
_PROFILING = PROFILING_IN_FORCE.subquery("profiling")

_CHANNEL_NOW = (
    select(contacts.c.channel)
    .join(decisions, decisions.c.contact_id == contacts.c.contact_id)
    .where(decisions.c.decision_id == exposures.c.decision_id)
    .scalar_subquery()
)
"""Of the contact of an exposure, which may have been handed to another channel since."""

_COLUMNS: Mapping[str, Mapping[str, ColumnElement[Any]]] = {
    "interactions": {
        name: interactions.c[name] for name in ("customer_id", "offer_id", "occurred_at", "kind", "channel", "weight")
    },
    "contacts": {
        name: contacts.c[name]
        for name in ("contact_id", "customer_id", "opened_at", "channel", "direction", "reason", "sentiment")
    }
    | {"agent_id": contacts.c.agent_id, "csat": contacts.c.csat, "is_complaint": contacts.c.is_complaint},
    "answers": {name: outcomes.c[name] for name in ("outcome_id", "customer_id", "offer_id", "decision_id", "answer")}
    | {"answered_at": outcomes.c.recorded_at, "channel": outcomes.c.channel},
    "exposures": {name: exposures.c[name] for name in ("decision_id", "offer_id", "stage", "exposed_at")}
    | {"channel": _CHANNEL_NOW},
    "customers": {name: customers.c[name] for name in ("customer_id", "kind", "language", "segment", "risk_level")}
    | {name: flag_holds(name) for name in DELIVERED_FLAGS}
    | {"recorded_at": customers.c.recorded_at}
    | {"consent_profiling": _PROFILING.c.granted},
    "customer_versions": {
        name: customer_versions.c[name]
        for name in ("version_id", "customer_id", "known_at", "kind", "language", "segment", "risk_level")
    },
}
_MOMENT = {"interactions": "occurred_at", "contacts": "opened_at", "answers": "answered_at", "exposures": "exposed_at"}
"""The column a table is partitioned by."""


def export_events(database: Database, directory: Path, progress: Progress | None = None) -> dict[str, int]:
    """Write interactions, contacts, answers and exposures by day, customers, their versions, and offers.

    Returns the rows of each. Versions are what was known of a customer, and since when. Customers have the consent to
    profiling in force (null: never asked), offers are those of the catalogue in force; without one there is no file of
    offers. Times are microseconds in UTC; a customer's name never leaves the log. All tables show the log at one
    moment. Each is written beside the old one and then takes its place: a crash leaves the old.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written: dict[str, int] = {}
    with _alone(directory), database.read() as log:
        for table, moment in _MOMENT.items():
            report = _reporter(progress, table)
            with _replaced(directory / table) as beside:
                written[table] = _write_days(log, table, moment, beside, report)
        for table, statement in {"customers": _customers(), "customer_versions": _versions()}.items():
            with _replaced(directory / f"{table}.parquet") as beside:
                written[table] = _write_people(log, table, statement, beside, _reporter(progress, table))
        written["offers"] = _write_catalogue(log, directory / "offers.parquet")
    return written


def _write_days(log: EventLog, table: str, moment: str, folder: Path, report: Callable[[int], None]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    columns = _COLUMNS[table]
    schema = pa.schema([(name, _arrow_type(column)) for name, column in columns.items()])
    place, done = list(columns).index(moment), 0
    rows = chain.from_iterable(log.batches(_select(table).order_by(columns[moment]), _BATCH))
    for day, of_day in groupby(rows, lambda row: row[place].date()):
        (folder / f"day={day}").mkdir()
        with pq.ParquetWriter(folder / f"day={day}" / "events.parquet", schema) as writer:
            for batch in in_batches(of_day, _BATCH):
                writer.write_batch(_record_batch(batch, schema))
                done += len(batch)
        report(done)
    return done


def _write_people(log: EventLog, table: str, statement: Select[Any], file: Path, report: Callable[[int], None]) -> int:
    """Write rows of facts whose last column is the JSON object of the attributes, one column an attribute."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow_types = {"number": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}
    types = log.attribute_types()
    fields = [(name, _arrow_type(column)) for name, column in _COLUMNS[table].items()]
    fields += [(f"attr_{name}", arrow_types[type_]) for name, type_ in types.items()]
    schema, done = pa.schema(fields), 0
    with pq.ParquetWriter(file, schema) as writer:
        for batch in log.batches(statement, _BATCH):
            rows = [(*row[:-1], *_attributes(orjson.loads(row[-1]), types)) for row in batch]
            writer.write_batch(_record_batch(rows, schema))
            report(done := done + len(batch))
    return done


def _customers() -> Select[Any]:
    return (
        _select("customers")
        .add_columns(customers.c.attributes)
        .outerjoin_from(customers, _PROFILING, customers.c.customer_id == _PROFILING.c.customer_id)
        .order_by(customers.c.customer_id)
    )


def _versions() -> Select[Any]:
    versions = customer_versions.c
    order = (versions.customer_id, versions.known_at, versions.version_id)
    return _select("customer_versions").add_columns(versions.attributes).order_by(*order)


def _attributes(values: Mapping[str, Any], types: Mapping[str, str]) -> list[Any]:
    """Return the values by their types of today: an older version may have had another, which then says nothing."""
    return [_typed(values.get(name), type_) for name, type_ in types.items()]


def _typed(value: Any, type_: str) -> Any:
    if type_ == "text":
        return None if value is None else str(value)
    is_boolean = isinstance(value, bool)
    fits = is_boolean if type_ == "boolean" else isinstance(value, int | float) and not is_boolean
    return value if fits else None


def _write_catalogue(log: EventLog, file: Path) -> int:
    catalogue = log.latest_catalogue()
    if catalogue is None:
        _remove(file)
        return 0
    with _replaced(file) as beside:
        return write_offers(catalogue.offers, beside)


def _select(table: str) -> Select[Any]:
    return select(*(column.label(name) for name, column in _COLUMNS[table].items()))


def _record_batch(rows: Sequence[Sequence[Any]], schema: "pa.Schema") -> "pa.RecordBatch":
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema
    )


def _arrow_type(column: ColumnElement[Any]) -> "pa.DataType":
    import pyarrow as pa

    kinds = {"Float": pa.float64(), "Integer": pa.int32(), "BigInteger": pa.int64(), "Boolean": pa.bool_()}
    kinds["UtcDateTime"] = pa.timestamp("us", tz="UTC")  # DuckDB fails on nanoseconds with a zone
    return kinds.get(type(column.type).__name__, pa.string())


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    beside, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    for left_over in (beside, old):
        _remove(left_over)
    yield beside
    if target.is_dir():  # a folder cannot be renamed onto another
        os.replace(target, old)
    os.replace(beside, target)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _reporter(progress: Progress | None, table: str) -> Callable[[int], None]:
    if progress is None:
        return lambda _done: None
    return partial(_report, progress, table)


def _report(progress: Progress, table: str, done: int) -> None:
    progress(f"exporting {table}", done, None)
