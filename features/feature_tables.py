"""Builds the feature tables from the exported events, as Parquet files that are wholly old or wholly new."""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from features.table_queries import (
    VIEWS,
    history_query,
    interactions_query,
    offer_channels_query,
    offers_query,
    profile_query,
)
from recsys.domain.errors import InvalidInput
from recsys.interactions.file_queries import open_duckdb

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str, int, int | None], None]
_OWN_PROBLEMS = "own_problems.json"


class _InFile:
    """A table, which is a file of its name."""

    __slots__ = ()

    def file(self, folder: Path) -> Path:
        """Return this table's Parquet file below the folder of the feature tables."""
        return folder / f"{self}.parquet"


class FeatureTable(_InFile, StrEnum):
    """The tables, each behind the feature view of the same name."""

    PROFILE = "customer_profile"
    INTERACTIONS = "customer_interactions"
    HISTORY = "customer_history"
    OFFERS = "offer_answers"
    OFFER_CHANNELS = "offer_channel_answers"


class OwnTable(_InFile, str):
    """The table of a view of the bank's own, by the view's name."""

    __slots__ = ()


def build_feature_tables(
    events: Path,
    folder: Path,
    as_of: datetime,
    progress: Progress | None = None,
    facts_version: int | None = None,
    tables: Collection[FeatureTable] = tuple(FeatureTable),
) -> dict[str, int]:
    """Write the feature tables (or some) below `folder` from the export in `events`; return rows by table.

    `as_of` is when the export began: nothing after it is looked at. `facts_version` is the latest version of
    customers' facts that the event log had then, where that is known. Each file is written beside and renamed.
    Raises InvalidInput when there is no export.
    """
    if not any((events / name).exists() for name in ("customers.parquet", "interactions")):
        raise InvalidInput("There are no exported events yet: run `nbo features export`.")
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with _connection(events, folder, as_of) as database:
        attributes = [name for name in database.table("customers").columns if name.startswith("attr_")]
        queries = {
            FeatureTable.PROFILE: profile_query(attributes),
            FeatureTable.INTERACTIONS: interactions_query(),
            FeatureTable.HISTORY: history_query(),
            FeatureTable.OFFERS: offers_query(),
            FeatureTable.OFFER_CHANNELS: offer_channels_query(),
        }
        for done, table in enumerate(tables):
            rows[str(table)] = _write(database, queries[table], table.file(folder))
            if progress:
                progress("building feature tables", done + 1, len(tables))
    said = json.dumps({"as_of": as_of.isoformat(), "facts_version": facts_version, **rows})
    _replace(folder / "as_of.json", lambda path: path.write_text(said))
    return rows


def built_as_of(folder: Path) -> datetime:
    """Return the moment the tables below `folder` describe; raises InvalidInput when there are none."""
    try:
        return datetime.fromisoformat(json.loads((folder / "as_of.json").read_text())["as_of"])
    except FileNotFoundError:
        raise InvalidInput("There are no feature tables yet: run `nbo features export`.") from None


def facts_version_of(folder: Path) -> int | None:
    """Return the version of customers' facts that the tables below `folder` have, None where that is not known."""
    version: int | None = json.loads((folder / "as_of.json").read_text()).get("facts_version")
    return version


def keep_own_problems(folder: Path, problems: Mapping[str, str]) -> None:
    """Keep of each of the bank's own views whose table was not built anew why, beside the tables."""
    _replace(folder / _OWN_PROBLEMS, lambda path: path.write_text(json.dumps(dict(problems))))


def own_problems(folder: Path) -> dict[str, str]:
    """Return why the tables of some of the bank's own views are older than the others, by view."""
    file = folder / _OWN_PROBLEMS
    return dict(json.loads(file.read_text())) if file.exists() else {}


@contextmanager
def _connection(events: Path, folder: Path, as_of: datetime) -> "Iterator[DuckDBPyConnection]":
    with open_duckdb(temp_directory=str(folder / "duckdb.tmp")) as database:
        database.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ::TIMESTAMP", [as_of.isoformat()])
        for name, columns in _EVENTS.items():
            files = [str(path) for path in sorted((events / name).glob("day=*/*.parquet"))]
            if files:
                database.read_parquet(files, hive_partitioning=False).create_view(f"{name}_file")
            else:
                nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
                database.execute(f"CREATE VIEW {name}_file AS SELECT {nothing} WHERE false")
            selected = ", ".join(f"{column}::{kind} AS {column}" for column, kind in columns.items())
            database.execute(f"CREATE VIEW {name} AS SELECT {selected} FROM {name}_file")
        _add_customers(database, events)
        if (offers := events / "offers.parquet").exists():
            database.read_parquet(str(offers)).create_view("offers")
        else:
            database.execute("CREATE VIEW offers AS SELECT NULL::VARCHAR AS offer_id WHERE false")
        for name, query in VIEWS.items():
            database.execute(f"CREATE VIEW {name} AS {query}")
        yield database


def _add_customers(database: "DuckDBPyConnection", events: Path) -> None:
    """Make the views `customers`, and `versions`: the facts of customers and since when they are known.

    An export that was written elsewhere may lack columns, or the files: what it does not say is not known.
    """
    file, versions = events / "customers.parquet", events / "customer_versions.parquet"
    found = database.read_parquet(str(file)).columns if file.exists() else []
    lacking = [f"NULL::{kind} AS {name}" for name, kind in _CUSTOMERS.items() if name not in found]
    source = database.read_parquet(str(file)) if found else database.sql("SELECT 1 WHERE false")
    source.project(", ".join([*(["*"] if found else []), *lacking])).create_view("customers")
    if versions.exists():
        database.read_parquet(str(versions)).create_view("versions")
    else:
        undated = "SELECT *, NULL::TIMESTAMPTZ AS known_at, NULL::BIGINT AS version_id FROM customers WHERE false"
        database.execute(f"CREATE VIEW versions AS {undated}")


_CUSTOMERS = {"customer_id": "VARCHAR", "kind": "VARCHAR", "language": "VARCHAR", "segment": "VARCHAR"} | {
    "risk_level": "BIGINT",
    "recorded_at": "TIMESTAMPTZ",
}
_EVENTS = {
    "interactions": {
        "customer_id": "VARCHAR",
        "offer_id": "VARCHAR",
        "occurred_at": "TIMESTAMP",
        "kind": "VARCHAR",
        "weight": "DOUBLE",
    },
    "contacts": {
        "customer_id": "VARCHAR",
        "opened_at": "TIMESTAMP",
        "channel": "VARCHAR",
        "is_complaint": "BOOLEAN",
        "sentiment": "DOUBLE",
    },
    "answers": {
        "customer_id": "VARCHAR",
        "offer_id": "VARCHAR",
        "decision_id": "VARCHAR",
        "answered_at": "TIMESTAMP",
        "answer": "VARCHAR",
        "channel": "VARCHAR",
    },
    "exposures": {
        "offer_id": "VARCHAR",
        "decision_id": "VARCHAR",
        "exposed_at": "TIMESTAMP",
        "stage": "VARCHAR",
        "channel": "VARCHAR",
    },
}


def _write(database: "DuckDBPyConnection", query: str, file: Path) -> int:
    def copy(path: Path) -> int:
        quoted = str(path).replace("'", "''")
        row = database.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)").fetchone()
        return int(row[0]) if row else 0

    return _replace(file, copy)


def _replace(file: Path, write: Callable[[Path], int]) -> int:
    """Write beside and rename, so that a reader sees the old file or the new one."""
    beside = file.with_suffix(".writing")
    rows = write(beside)
    os.replace(beside, file)
    return rows
