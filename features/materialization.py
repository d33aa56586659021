"""Writes features as of the export to the online store: what has changed since the last time, or all; it goes on.

A view's rows are compared by their digests with those that were written last, not by their moments alone: an event
that came late changes a row of long ago.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from features.feature_tables import FeatureTable, OwnTable, Progress, own_problems
from features.online_marker import Marker
from features.own_features import NOTHING_OWN, OwnFeatures
from features.service_names import EVENTS_VIEW
from recsys.domain.clock import Clock
from recsys.domain.errors import InvalidInput
from recsys.interactions.file_queries import open_duckdb

if TYPE_CHECKING:
    import feast
    from duckdb import DuckDBPyConnection
    from feast import FeatureStore

    from features.online_store import DeadlineRedisOnlineStore

_EMPTIED = "The online feature store was emptied meanwhile: run `nbo features materialize` again."
_FADING = "signalled"
"""The one feature whose value changes by itself: events fold into an old row as they do into a new one."""


@dataclass(frozen=True, slots=True)
class Materialized:
    """One view written to the online store; of one of the bank's own that could not be, `problem` says why."""

    view: str
    rows: int
    seconds: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be written: the tables below `folder` as of `as_of`; below `state` it is kept what was written.

    `own` are the bank's own features, as they are applied.
    """

    as_of: datetime
    folder: Path
    state: Path
    facts_version: int | None = None
    everybody: bool = False
    own: OwnFeatures = NOTHING_OWN

    @property
    def tables(self) -> list[FeatureTable | OwnTable]:
        """All tables, ours first."""
        return [*FeatureTable, *(OwnTable(view.name) for view in self.own.views)]

    @property
    def unfinished(self) -> Path:
        """The file that says which views an interrupted run has written."""
        return self.state / "unfinished.json"

    def changed(self, table: FeatureTable | OwnTable) -> Path:
        """Return the file of the rows of `table` that are to be written."""
        return self.folder / f"{table}.changed.parquet"

    def digests(self, name: str, table: FeatureTable | OwnTable) -> Path:
        """Return the file of the digests of the rows of `table` that the run of this name wrote."""
        return self.state / "materialised" / name / f"{table}.parquet"


def materialize_views(store: "FeatureStore", run: Run, clock: Clock, progress: Progress | None) -> list[Materialized]:
    """Write every view's changed rows, then the marker; views written by an interrupted run are not repeated.

    A view of the bank's own that fails stops no other, and is named by the marker. Raises InvalidInput when the store
    is emptied meanwhile.
    """
    online = cast("DeadlineRedisOnlineStore", store.provider.online_store)
    kept: dict[str, Any] = json.loads(run.unfinished.read_text()) if run.unfinished.exists() else {}
    began = {"as_of": run.as_of.isoformat(), "own": run.own.version}
    if {name: kept.get(name) for name in began} != began or not online.has_begun(store.config, kept["run"]):
        kept = {**began, "run": uuid.uuid4().hex, "views": []}
        online.set_marker(store.config, kept["run"], None)
    views = {table: store.get_feature_view(table) for table in run.tables}
    fields = {str(table): tuple(one.name for one in view.features) for table, view in views.items()}
    before = Marker.of_json(online.marker(store.config))
    last = before if before is not None and before.views == fields and not run.everybody else None
    written = [Materialized(**view) for view in kept["views"]]
    for table in run.tables[len(written) :]:
        written.append(_materialize_or_say(store, (table, views[table]), run, (last, kept["run"]), progress))
        run.unfinished.write_text(json.dumps({**kept, "views": [asdict(view) for view in written]}))
    failed = {one.view: one.problem for one in written if one.problem is not None}
    stale = {view: said for view, said in own_problems(run.folder).items() if run.own.view(view) is not None}
    services = tuple(sorted(service.name for service in store.list_feature_services()))
    own = run.own.version if run.own.views else None
    served = _served(fields, failed, before)
    marker = Marker(kept["run"], run.as_of, clock(), services, served, run.facts_version, own, stale | failed)
    is_there = last is None or Marker.of_json(online.marker(store.config)) == last
    run.unfinished.unlink()
    if not is_there or not online.set_marker(store.config, kept["run"], marker.to_json()):
        raise InvalidInput(_EMPTIED)
    for gone in {view.name for view in store.list_feature_views()} - {*map(str, run.tables), EVENTS_VIEW}:
        store.delete_feature_view(gone)  # the bank has dropped it, and from now on nobody reads it
    for folder in (run.state / "materialised").iterdir():
        if folder.name != kept["run"]:
            shutil.rmtree(folder)
    return written


def _served(
    fields: Mapping[str, tuple[str, ...]], failed: Collection[str], before: Marker | None
) -> dict[str, tuple[str, ...]]:
    """Return the features that are read by view: of one that failed those that were written before, if any were."""
    kept = before.views if before is not None else {}
    named = {view: kept.get(view) if view in failed else names for view, names in fields.items()}
    return {view: names for view, names in named.items() if names is not None}


def _materialize_or_say(
    store: "FeatureStore",
    of: "tuple[FeatureTable | OwnTable, feast.FeatureView]",
    run: Run,
    runs: tuple[Marker | None, str],
    progress: Progress | None,
) -> Materialized:
    """Write a view, or say why one of the bank's own cannot be; raises whatever is wrong with ours, or with Redis."""
    from redis.exceptions import RedisError

    table, _ = of
    try:
        return _materialize(store, of, run, runs, progress)
    except (RedisError, OSError):
        raise
    except Exception as error:  # whatever Feast, DuckDB or Arrow say of what is in the table
        if not isinstance(table, OwnTable):
            raise
        run.digests(runs[1], table).unlink(missing_ok=True)  # so that the next run writes all of it
        return Materialized(str(table), 0, 0.0, " ".join(f"{type(error).__name__}: {error}".split())[:300])
    finally:
        run.changed(table).unlink(missing_ok=True)


def _materialize(
    store: "FeatureStore",
    of: "tuple[FeatureTable | OwnTable, feast.FeatureView]",
    run: Run,
    runs: tuple[Marker | None, str],
    progress: Progress | None,
) -> Materialized:
    from feast import FeatureView

    from features.sources import changed_source

    started, rows, (table, view) = time.perf_counter(), 0, of

    def count(written: int) -> None:
        nonlocal rows
        rows += written
        if progress:
            progress(f"materialising {table}", rows, None)

    last, name = runs
    changed = run.changed(table)
    if _select_changed(run, table, last, name):
        cast("DeadlineRedisOnlineStore", store.provider.online_store).on_written = cast("Callable[[int], None]", count)
        entities = [store.get_entity(name) for name in view.entities]
        source = changed_source(table, changed)
        of_changed = FeatureView(name=view.name, entities=entities, schema=view.schema, source=source)
        at = run.as_of.astimezone(UTC)
        with redirect_stdout(StringIO()):  # Feast prints, which would spoil a command's JSON
            store.provider.materialize_single_feature_view(
                store.config, of_changed, at, at, store.registry, store.project, cast("Any", None)
            )
            store.registry.apply_materialization(view, store.project, at, at)
    return Materialized(str(table), rows, round(time.perf_counter() - started, 3))


def _select_changed(run: Run, table: FeatureTable | OwnTable, last: Marker | None, name: str) -> int:
    """Write the rows as of the export that differ from those `last` wrote, and the digests of all; count them.

    Digests are MD5, which stays the same with another DuckDB. A row between the two exports counts as a change
    although nothing of it may be left: it may have been pushed. Feast reads whole numbers beside unknown ones as
    floats, which have no more than 53 bits; decimals it reads as they are.
    """
    digests = run.digests(name, table)
    digests.parent.mkdir(parents=True, exist_ok=True)
    with open_duckdb(temp_directory=str(run.folder / "duckdb.tmp")) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ", [run.as_of.isoformat()])
        columns = _add_source(database, run, table)
        entity, told = columns[0], [one for one in columns[2:] if one != _FADING]
        quoted = ", ".join(map(_quoted, told))
        database.execute(
            f"CREATE TABLE digests AS SELECT {entity} AS entity, md5_number_lower(to_json(row({quoted}))) AS digest"
            " FROM source WHERE event_timestamp = getvariable('as_of')"
        )
        database.table("digests").write_parquet(str(digests))
        condition = "true"
        if last is not None and (before := run.digests(last.run, table)).exists():
            database.read_parquet(str(before)).create_view("before")
            database.execute("SET VARIABLE last = ?::TIMESTAMPTZ", [last.as_of.isoformat()])
            database.execute(f"""CREATE TABLE changed AS
                SELECT entity FROM digests LEFT JOIN before USING (entity)
                WHERE before.digest IS DISTINCT FROM digests.digest
                UNION SELECT {entity} FROM source
                WHERE event_timestamp > getvariable('last') AND event_timestamp < getvariable('as_of')""")
            condition = f"{entity} IN (SELECT entity FROM changed)"
        beside = str(run.changed(table)).replace("'", "''")
        written = database.execute(
            f"COPY (SELECT {_exact(database, table)} FROM source WHERE event_timestamp = getvariable('as_of') "
            f"AND {condition}) TO '{beside}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    return int(written[0]) if written else 0


def _exact(database: "DuckDBPyConnection", table: FeatureTable | OwnTable) -> str:
    """Return the columns of `source` as Feast reads them without a loss, the bank's whole numbers as decimals."""
    source = database.table("source")
    types = zip(map(_quoted, source.columns), source.types, strict=True)
    whole = [name for name, kind in types if kind == "BIGINT"] if isinstance(table, OwnTable) else []
    return f"* REPLACE ({', '.join(f'{one}::DECIMAL(19, 0) AS {one}' for one in whole)})" if whole else "*"


def _add_source(database: "DuckDBPyConnection", run: Run, table: FeatureTable | OwnTable) -> list[str]:
    """Make the view `source` of the table's rows, those as of the export among them; return its columns.

    A table of the bank's own has dated rows alone. Everybody it names and every customer gets one as of the export:
    the bank may say nothing of a customer, and then that is known.
    """
    rows = database.read_parquet(str(table.file(run.folder)))
    if isinstance(table, FeatureTable):
        rows.create_view("source")
        return rows.columns
    rows.create_view("dated")
    database.read_parquet(str(FeatureTable.PROFILE.file(run.folder))).create_view("profiles")
    database.execute("""
        CREATE VIEW source AS
        SELECT * FROM dated WHERE event_timestamp < getvariable('as_of')
        UNION ALL BY NAME
        SELECT latest.* EXCLUDE (customer_id, event_timestamp), coalesce(latest.customer_id, everybody.customer_id)
            AS customer_id, getvariable('as_of') AS event_timestamp
        FROM (
            SELECT * FROM dated WHERE event_timestamp <= getvariable('as_of')
            QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY event_timestamp DESC) = 1
        ) AS latest FULL JOIN (
            SELECT customer_id FROM profiles WHERE event_timestamp = getvariable('as_of')
        ) AS everybody ON latest.customer_id = everybody.customer_id""")
    return rows.columns


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
