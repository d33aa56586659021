"""What training reads through Feast, with Spark's offline store in the place of DuckDB's: the same answers."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.feast_store import PROJECT, open_spark_store
from features.feature_tables import Progress
from features.offline import OfflineFeatures
from features.service_names import EVENTS_VIEW
from features.spark_session import Spark
from recsys.domain.errors import ImportInvalid, InvalidInput

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from feast import FeatureStore, FeatureView, Field


class SparkFeatures(OfflineFeatures):
    """The definitions that `applied` reads, over the same files, read by Spark.

    A definition is said once: what is applied is taken as it is, and only where a view's source lies is said anew. What
    is read comes back as files in Spark's scratch folder, and is gone with it.
    """

    def __init__(self, applied: OfflineFeatures, spark: Spark) -> None:
        super().__init__(applied._store, applied._tables, applied.events, applied.own)
        self._spark = spark
        with _quietly():
            self._spark_store = _over_spark(applied._store, spark)

    def events_until(self, connection: "DuckDBPyConnection", name: str) -> None:
        """See `OfflineFeatures.events_until`; here Spark has read everything when this returns."""
        if not any(self.events.glob("interactions/*/*.parquet")):
            raise ImportInvalid("There are no interactions to learn from; run `nbo import DIR` first.")
        view = self._over_spark(EVENTS_VIEW)
        source: Any = view.batch_source
        with _quietly():
            job: Any = self._spark_store.provider.offline_store.pull_all_from_table_or_query(
                config=self._spark_store.config,
                data_source=source,
                join_key_columns=[column.name for column in view.entity_columns],
                feature_name_columns=[field.name for field in view.features],
                timestamp_field=source.timestamp_field,
            )
        folder = self._read(job, "events")
        connection.read_parquet(str(folder / "*.parquet")).create_view(name)

    def _joined(
        self, service: str, more: Sequence[tuple[str, str]], asked: "pd.DataFrame", progress: Progress | None
    ) -> "pa.Table":
        """See `OfflineFeatures._joined`."""
        from pyarrow import parquet

        read = (*more, *self._stored_in(service))
        for view in {view for view, _ in read}:
            self._over_spark(view)
        with _quietly():
            found: Any = self._spark_store.get_feature_service(service)
            if more:
                found = [f"{view}:{_in_backquotes(name)}" for view, name in read]
            job: Any = self._spark_store.get_historical_features(asked, found)
        folder = self._read(job, service)
        if progress:
            progress("join features", len(asked), len(asked))
        return parquet.read_table(folder).replace_schema_metadata()

    def _read(self, job: Any, name: str) -> Path:
        """Let Spark run Feast's query, and return the folder of its files."""
        self._spark.session.conf.set("spark.sql.parser.quotedRegexColumnNames", "false")  # Feast's job sets it
        return self._spark.write(job.to_spark_df(), name)

    def _over_spark(self, name: str) -> "FeatureView":
        from feast.errors import FeastObjectNotFoundException

        self._view(name)
        try:
            with _quietly():
                return self._spark_store.registry.get_feature_view(name, PROJECT)
        except FeastObjectNotFoundException:
            raise InvalidInput(f"Spark cannot read {name}: its source is neither files nor Spark's own.") from None


def _over_spark(applied: "FeatureStore", spark: Spark) -> "FeatureStore":
    """Return a store with the views and services that are applied, each source of files as Spark's workers find it.

    Names of features are in backquotes there: Feast writes them into its SQL as they are, and an attribute may be
    called anything.
    """
    from feast import FileSource
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    from features.sources import spark_source

    store = open_spark_store(Path(tempfile.mkdtemp(prefix="feast-", dir=spark.scratch)))
    applied.registry.refresh()
    for entity in applied.registry.list_entities(PROJECT):
        store.registry.apply_entity(entity, PROJECT)
    for view in applied.registry.list_feature_views(PROJECT):
        if isinstance(view.batch_source, FileSource | SparkSource):
            moved = copy(view)
            moved.stream_source = None
            moved.features = _quoted(view.features)
            if isinstance(view.batch_source, FileSource):
                moved.batch_source = spark_source(view.batch_source, spark.address_of)
            store.registry.apply_feature_view(moved, PROJECT)
    for service in applied.registry.list_feature_services(PROJECT):
        for projection in service.feature_view_projections:
            projection.features = _quoted(projection.features)
        store.registry.apply_feature_service(service, PROJECT)
    return store


def _quoted(fields: "list[Field]") -> "list[Field]":
    from feast import Field

    return [Field(name=_in_backquotes(one.name), dtype=one.dtype) for one in fields]


def _in_backquotes(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back what Feast says of its Spark store at each call: that it may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
