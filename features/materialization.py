"""Writes features as of the export to the online store: what has changed since the last time, or all; it goes on.

A view's rows are compared by their digests with those that were written last, not by their moments alone: an event
that came late changes a row of long ago.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from features.feature_tables import FeatureTable, OwnTable, Progress
from features.online_marker import Marker
from features.own_features import NOTHING_OWN, OwnFeatures
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
    """One view written to the online store."""

    view: str
    rows: int
    seconds: float


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

    def digests(self, name: str, table: FeatureTable | OwnTable) -> Path:
        """Return the file of the digests of the rows of `table` that the run of this name wrote."""
        return self.state / "materialised" / name / f"{table}.parquet"


def materialize_views(store: "FeatureStore", run: Run, clock: Clock, progress: Progress | None) -> list[Materialized]:
    """Write every view's changed rows, then the marker; views written by an interrupted run are not repeated.

    Raises InvalidInput when the store is emptied meanwhile.
    """
    online = cast("DeadlineRedisOnlineStore", store.provider.online_store)
    kept: dict[str, Any] = json.loads(run.unfinished.read_text()) if run.unfinished.exists() else {}
    began = {"as_of": run.as_of.isoformat(), "own": run.own.version}
    if {name: kept.get(name) for name in began} != began or not online.has_begun(store.config, kept["run"]):
        kept = {**began, "run": uuid.uuid4().hex, "views": []}
        online.set_marker(store.config, kept["run"], None)
    views = {table: store.get_feature_view(table) for table in run.tables}
    fields = {str(table): tuple(one.name for one in view.features) for table, view in views.items()}
    last = None if run.everybody else Marker.of_json(online.marker(store.config))
    if last is None or last.views != fields:
        last = None
    written = [Materialized(**view) for view in kept["views"]]
    for table in run.tables[len(written) :]:
        written.append(_materialize(store, (table, views[table]), run, (last, kept["run"]), progress))
        run.unfinished.write_text(json.dumps({**kept, "views": [asdict(view) for view in written]}))
    services = tuple(sorted(service.name for service in store.list_feature_services()))
    own = run.own.version if run.own.views else None
    marker = Marker(kept["run"], run.as_of, clock(), services, fields, run.facts_version, own)
    is_there = last is None or Marker.of_json(online.marker(store.config)) == last
    run.unfinished.unlink()
    if not is_there or not online.set_marker(store.config, kept["run"], marker.to_json()):
        raise InvalidInput(_EMPTIED)
    for folder in (run.state / "materialised").iterdir():
        if folder.name != kept["run"]:
            shutil.rmtree(folder)
    return written


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
    changed = run.folder / f"{table}.changed.parquet"
    if _select_changed(run, table, last, name, changed):
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
    changed.unlink(missing_ok=True)
    return Materialized(str(table), rows, round(time.perf_counter() - started, 3))


def _select_changed(run: Run, table: FeatureTable | OwnTable, last: Marker | None, name: str, changed: Path) -> int:
    """Write the rows as of the export that differ from those `last` wrote to `changed`, and all digests; count them.

    Digests are MD5, which stays the same with another DuckDB. A row between the two exports counts as a change
    although nothing of it may be left: it may have been pushed.
    """
    digests = run.digests(name, table)
    digests.parent.mkdir(parents=True, exist_ok=True)
    with open_duckdb(temp_directory=str(run.folder / "duckdb.tmp")) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET VARIABLE as_of = ?::TIMESTAMPTZ", [run.as_of.isoformat()])
        columns = _add_source(database, run, table)
        entity, told = columns[0], [one for one in columns[2:] if one != _FADING]
        quoted = ", ".join('"' + one.replace('"', '""') + '"' for one in told)
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
        beside = str(changed).replace("'", "''")
        written = database.execute(
            f"COPY (FROM source WHERE event_timestamp = getvariable('as_of') AND {condition}) TO '{beside}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    return int(written[0]) if written else 0


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
