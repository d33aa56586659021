"""Where feature values come from: the Parquet tables built from the exported events, and pushes while serving."""

from pathlib import Path

from feast import FileSource, PushSource

from features.feature_tables import FeatureTable, OwnTable


def table_source(folder: Path, table: FeatureTable | OwnTable) -> FileSource:
    """Return the source of one feature table below `folder`; microsecond UTC times, as DuckDB needs them."""
    return FileSource(name=f"{table}_table", path=str(table.file(folder)), timestamp_field="event_timestamp")


def pushed_source(folder: Path, table: FeatureTable | OwnTable) -> PushSource:
    """Return the source that takes a customer's new values of `table` the moment an outcome is committed."""
    return PushSource(name=f"{table}_push", batch_source=table_source(folder, table))


def changed_source(table: FeatureTable | OwnTable, file: Path) -> FileSource:
    """Return the source of the rows of a feature table that have changed, in a file of their own."""
    return FileSource(name=f"{table}_changed", path=str(file), timestamp_field="event_timestamp")
