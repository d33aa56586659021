"""What training reads through Feast's offline store: every event, and what was known of customers at past moments."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from features.feast_store import (
    PROJECT,
    StoreSettings,
    close_store,
    exported_events_folder,
    feature_tables_folder,
    open_store,
)
from features.feature_tables import FeatureTable, Progress, build_feature_tables, built_as_of
from features.own_calls import said_in_log
from features.own_features import NOTHING_OWN, OwnFeatures
from features.own_inputs import stored_inputs, with_transformations
from features.own_tables import build_own_tables
from features.own_views import Declared
from features.service_names import EVENTS_VIEW, RELEVANCE_SERVICE
from recsys.domain.errors import FeaturesInvalid, ImportInvalid, InvalidInput
from recsys.interactions.file_queries import open_duckdb

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from feast import Entity, FeatureService, FeatureStore, FeatureView, FileSource
    from feast.feast_object import FeastObject

NOT_APPLIED = "Nothing is applied to the feature store yet: run `nbo features apply`."
_NO_REDIS = "unix:///not/used/offline"
_ROWS_A_BATCH = 100_000
_IBIS = threading.Lock()
"""Feast's DuckDB store works on ibis' default connection, of which a process has one."""


class OfflineFeatures:
    """Feast's offline store over the feature tables in `tables`, and the exported `events` they were built from.

    It is read by DuckDB; `features.offline_spark` reads the same by Spark.

    `own` are the bank's own features as they are applied: their transformations are computed of what is read.
    """

    def __init__(self, store: "FeatureStore", tables: Path, events: Path, own: OwnFeatures = NOTHING_OWN) -> None:
        self._store = store
        self._tables = tables
        self.events = events
        self.own = own

    @property
    def as_of(self) -> datetime:
        """The moment up to which the tables know everything; raises InvalidInput when there are none."""
        return built_as_of(self._tables)

    def check_applied(self, service: str) -> None:
        """Raise InvalidInput, which says what to run, where `service` or the view of the events is not applied."""
        try:
            self._service(service)
            self._view(EVENTS_VIEW)
        except InvalidInput:
            raise InvalidInput(
                "Training reads features through Feast, to which these are not applied yet: "
                "run `nbo features export` and `nbo features apply`."
            ) from None

    def check(self, service: str) -> None:
        """Raise InvalidInput, which says what to run, where tables are missing or `service` does not fit them."""
        self.check_applied(service)
        built_as_of(self._tables)
        views = [self._view(view.name) for view in self._service(service).feature_view_projections]
        for view, folder in [*((view, self._tables) for view in views), (self._view(EVENTS_VIEW), self.events)]:
            if not Path(_source(view).path).is_relative_to(folder):
                raise InvalidInput(f"{view.name} is applied over other files than {folder}: run `nbo features apply`.")
        for view in views:
            lacking = {field.name for field in view.features} - set(self._columns(view))
            if lacking:
                said = ", ".join(sorted(lacking))
                raise InvalidInput(f"The feature tables have no {said} any more: run `nbo features apply`.")

    def not_applied(self) -> list[str]:
        """Return the attributes that the profile table has and the applied view does not: nothing reads them."""
        view = self._view(FeatureTable.PROFILE)
        applied = {field.name for field in view.features}
        return sorted({name for name in self._columns(view) if name.startswith("attr_")} - applied)

    def events_until(self, connection: "DuckDBPyConnection", name: str) -> None:
        """Make `name` in `connection` the view of all exported interactions, as Feast's offline store reads them.

        Nothing is read yet: whoever queries the view says until when, `occurred_at <= …`, and DuckDB reads only that.
        Feast's own end date casts every moment, which takes half as long again. Raises ImportInvalid where there are
        no interactions.
        """
        view = self._view(EVENTS_VIEW)
        source = _source(view)
        with _on(connection) as backend:
            import duckdb

            try:
                job: Any = self._store.provider.offline_store.pull_all_from_table_or_query(
                    config=self._store.config,
                    data_source=source,
                    join_key_columns=[column.name for column in view.entity_columns],
                    feature_name_columns=[field.name for field in view.features],
                    timestamp_field=source.timestamp_field,
                )
            except duckdb.IOException:
                raise ImportInvalid("There are no interactions to learn from; run `nbo import DIR` first.") from None
            backend.create_view(name, job.table, overwrite=True)

    def known_at(
        self,
        service: str,
        customer_ids: Sequence[str],
        moments: Sequence[datetime] | datetime,
        progress: Progress | None = None,
    ) -> "pa.Table":
        """Return what the features of `service` were for each customer at the moment beside them, or one for all.

        One row a customer, in the order given: customer_id, event_timestamp, features; null is unknown. A value that
        became known at the very moment counts, one a microsecond later does not. Raises InvalidInput when nothing was
        applied or exported yet.
        """
        built_as_of(self._tables)
        wanted = [name for _, name in self._stored_in(service)]
        asked = asked_rows(customer_ids, moments)
        table = self._joined(service, self._inputs(wanted), asked, progress)
        table = table.sort_by("row").drop_columns("row")
        if self.own.transformations:
            table = with_transformations(table, self.own, progress or said_in_log)
            kept = ["customer_id", "event_timestamp", *wanted, *(one.name for one in self.own.transformations)]
            table = table.select([name for name in table.column_names if name in kept])
        return table

    def _joined(
        self, service: str, more: Sequence[tuple[str, str]], asked: "pd.DataFrame", progress: Progress | None
    ) -> "pa.Table":
        """Join the features of the service, and `more` (view, feature), to the rows that are asked for."""
        import pyarrow as pa

        found: Any = self._service(service)
        if more:  # of other views: their names beside those of the service
            found = [f"{view}:{name}" for view, name in (*more, *self._stored_in(service))]
        with (
            open_duckdb(temp_directory=str(self._tables / "duckdb.tmp")) as connection,
            _on(connection) as backend,
        ):
            self._store.registry.refresh()  # Feast looks the service up in what it has seen last
            job = self._store.get_historical_features(asked, found)
            return pa.Table.from_batches(*_streamed(job, backend, len(asked), progress))

    def _inputs(self, wanted: Sequence[str]) -> list[tuple[str, str]]:
        """Return the (view, feature) that the transformations read beside the `wanted` ones.

        Raises InvalidInput where one is not applied any more.
        """
        more = [(view, name) for view, name in stored_inputs(self.own) if name not in wanted]
        lacking = [name for view, name in more if name not in {one.name for one in self._view(view).features}]
        if lacking:
            said = ", ".join(name.removeprefix("attr_") for name in lacking)
            raise InvalidInput(f"Transformations of the bank's own features read {said}, which nothing has any more.")
        return more

    def views_of(self, service: str) -> dict[str, tuple[str, ...]]:
        """Return the views of the service, each with the names of what it tells: features, and what is made of them."""
        found: dict[str, tuple[str, ...]] = {}
        for view, name in self._stored_in(service):
            found[view] = (*found.get(view, ()), name)
        made = {view.name: tuple(one.name for one in view.transformations) for view in self.own.views}
        return {view: (*names, *made.get(view, ())) for view, names in found.items()}

    def _stored_in(self, service: str) -> list[tuple[str, str]]:
        views = self._service(service).feature_view_projections
        return [(view.name, field.name) for view in views for field in view.features]

    def lineage(self, service: str, *views: str) -> dict[str, Any]:
        """Return the service's name, and the version of every view behind it and of `views`, as JSON values."""
        names = [view.name for view in self._service(service).feature_view_projections]
        versions = {name: self._view(name).current_version_number or 0 for name in (*names, *views)}
        told = {"service": service, "views": {name: f"v{number}" for name, number in sorted(versions.items())}}
        if not self.own.views:
            return told
        return {**told, "own": {"version": self.own.version, "features": sorted(self.own.names)}}

    def _service(self, name: str) -> "FeatureService":
        from feast.errors import FeastObjectNotFoundException

        try:
            return self._store.get_feature_service(name)
        except FeastObjectNotFoundException:
            raise InvalidInput(NOT_APPLIED) from None

    def _view(self, name: str) -> "FeatureView":
        from feast.errors import FeastObjectNotFoundException

        try:
            return self._store.registry.get_feature_view(name, PROJECT)
        except FeastObjectNotFoundException:
            raise InvalidInput(NOT_APPLIED) from None

    def _columns(self, view: "FeatureView") -> list[str]:
        from pyarrow.parquet import read_schema

        try:
            return list(read_schema(_source(view).path).names)
        except FileNotFoundError:
            raise InvalidInput(f"The table of {view.name} is missing: run `nbo features export`.") from None


@contextmanager
def offline_features(settings: StoreSettings, own: OwnFeatures = NOTHING_OWN) -> Iterator[OfflineFeatures]:
    """Open what is applied in this home, over its tables and its export, for the length of the block."""
    store = open_store(settings, _NO_REDIS)
    try:
        yield OfflineFeatures(store, feature_tables_folder(settings), exported_events_folder(settings), own)
    finally:
        close_store(store)


@contextmanager
def features_of_export(
    events: Path,
    as_of: datetime,
    progress: Progress | None = None,
    service: str = RELEVANCE_SERVICE,
    declared: Sequence[Declared] = (),
) -> Iterator[OfflineFeatures]:
    """Build and apply what `service` reads of any export, and of the bank's `declared` views, for the block's length.

    The tables and the registry are its own: what is applied elsewhere is neither looked at nor changed. Raises
    InvalidInput where `events` holds no export, or a source of a view is broken.
    """
    own = OwnFeatures.of_declared(declared)
    with tempfile.TemporaryDirectory(prefix="nbo-features-") as folder:
        settings = _OwnStore(Path(folder))
        tables, source = feature_tables_folder(settings), events.absolute()
        names = {definition.name for definition in _needed(tables, source, service, own)}
        wanted = [table for table in FeatureTable if table in names]
        build_feature_tables(source, tables, as_of, progress, tables=wanted)
        built = build_own_tables(declared, tables, as_of, progress=progress)
        if built.problems:
            raise FeaturesInvalid(built.problems)
        store = open_store(settings, _NO_REDIS)
        try:
            with redirect_stdout(StringIO()):
                store.apply(cast("list[FeastObject]", _needed(tables, source, service, own)))
            store.registry.refresh()
            yield OfflineFeatures(store, tables, source, own)
        finally:
            close_store(store)


def _needed(tables: Path, events: Path, name: str, own: OwnFeatures) -> "list[Entity | FeatureView | FeatureService]":
    """Return the definitions of one service and the view of the events, with the attributes the tables have now."""
    from features.services import definitions

    found = definitions(tables, events, own)
    service = next(service for service in found.services() if service.name == name)
    read = {EVENTS_VIEW, *(view.name for view in service.feature_view_projections)}
    read |= {view for view, _ in stored_inputs(own)}
    return [found.customer, found.offer, *(view for view in found.views() if view.name in read), service]


@dataclass(frozen=True, slots=True)
class _OwnStore:
    """The settings of a store that is gone after the run."""

    home: Path
    redis_url: str | None = None
    database_url: str | None = None

    @property
    def offline(self) -> Path:
        return self.home / "offline"


def _source(view: "FeatureView") -> "FileSource":
    from feast import FileSource

    source = view.batch_source
    assert isinstance(source, FileSource)  # every view here is defined over one
    return source


def asked_rows(customer_ids: Sequence[str], moments: Sequence[datetime] | datetime) -> "pd.DataFrame":
    """Return what Feast joins to: a row a customer, numbered in `row`, with their moment in whole microseconds."""
    import pandas as pd

    rows = range(len(customer_ids))
    moment: Any = moments
    times = pd.Series([moment] if isinstance(moments, datetime) else list(moment), dtype=object)
    times = pd.to_datetime(times, utc=True).astype("datetime64[us, UTC]")  # Feast's join fails on nanoseconds
    if isinstance(moments, datetime):
        times = times.repeat(len(rows)).reset_index(drop=True)
    customers = pd.Series(list(customer_ids), dtype="string")  # text also where there is nobody
    return pd.DataFrame({"customer_id": customers, "event_timestamp": times, "row": rows})


@contextmanager
def _on(connection: "DuckDBPyConnection") -> Iterator[Any]:
    """Make `connection` the one that Feast's DuckDB store works on, for the length of the block."""
    import ibis  # type: ignore[import-untyped]  # ships no types

    with _IBIS:
        before = ibis.options.default_backend
        backend = ibis.duckdb.from_connection(connection)
        ibis.set_backend(backend)
        try:
            yield backend
        finally:
            ibis.options.default_backend = before


def _streamed(job: Any, backend: Any, rows: int, progress: Progress | None) -> "tuple[list[pa.RecordBatch], pa.Schema]":
    """Return the join's batches and schema; Feast's own `to_pyarrow_batches` fails with these versions."""
    backend.create_view("joined", job.table)
    reader = backend.con.sql("FROM joined").to_arrow_reader(_ROWS_A_BATCH)
    batches, done = [], 0
    for batch in reader:
        batches.append(batch)
        done += batch.num_rows
        if progress:
            progress("join features", done, rows)
    return batches, reader.schema
