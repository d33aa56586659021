"""Where feature values come from: the Parquet tables built from the exported events, and pushes while serving."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from feast import FileSource, PushSource

from features.feature_tables import FeatureTable, OwnTable

if TYPE_CHECKING:
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource


def table_source(folder: Path, table: FeatureTable | OwnTable) -> FileSource:
    """Return the source of one feature table below `folder`; microsecond UTC times, as DuckDB needs them."""
    return FileSource(name=f"{table}_table", path=str(table.file(folder)), timestamp_field="event_timestamp")


def pushed_source(folder: Path, table: FeatureTable | OwnTable) -> PushSource:
    """Return the source that takes a customer's new values of `table` the moment an outcome is committed."""
    return PushSource(name=f"{table}_push", batch_source=table_source(folder, table))


def changed_source(table: FeatureTable | OwnTable, file: Path) -> FileSource:
    """Return the source of the rows of a feature table that have changed, in a file of their own."""
    return FileSource(name=f"{table}_changed", path=str(file), timestamp_field="event_timestamp")


def spark_source(source: FileSource, address_of: Callable[[str], str]) -> "SparkSource":
    """Return the same files as Spark's workers read them, at what `address_of` says of their path."""
    from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

    return SparkSource(
        name=source.name,
        path=address_of(source.path),
        file_format="parquet",
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        field_mapping=dict(source.field_mapping),
    )
