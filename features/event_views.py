"""The exported interactions themselves, which collaborative filtering learns from: read offline only, never served."""

from pathlib import Path

from feast import FeatureView, Field, FileSource
from feast.data_format import ParquetFormat
from feast.types import Float64, String

from features.entities import customer
from features.service_names import EVENTS_VIEW


def interaction_events(events: Path) -> FeatureView:
    """Return the view of every interaction in the export below `events`."""
    source = FileSource(
        name=f"{EVENTS_VIEW}_files",
        path=str(events / "interactions" / "*" / "*.parquet"),
        file_format=ParquetFormat(),
        timestamp_field="occurred_at",
    )
    # The key is named, too, and every type: Feast would look into the files for what is missing, and there may be none.
    names = {**dict.fromkeys(("customer_id", "offer_id", "kind", "channel"), String), "weight": Float64}
    return FeatureView(
        name=EVENTS_VIEW,
        entities=[customer],
        schema=[Field(name=name, dtype=kind) for name, kind in names.items()],
        source=source,
        online=False,
        description="Every interaction of the event log: what the matrix of the models is made of, as of any moment.",
    )
