"""What is known about a customer: the profile the bank imports, and what their events say."""

from collections.abc import Mapping
from pathlib import Path

from feast import FeatureView, Field
from feast.types import Array, Bool, FeastType, Float64, Int64, String

from features.customer_history import HISTORY_FEATURES
from features.entities import customer
from features.feature_tables import FeatureTable
from features.from_events import INTERACTION_FEATURES, PROFILE_FEATURES
from features.sources import pushed_source, table_source

_TYPES: dict[object, FeastType] = {
    int: Int64,
    float: Float64,
    str: String,
    bool: Bool,
    list[str]: Array(String),
    list[float]: Array(Float64),
}


def customer_profile(folder: Path) -> FeatureView:
    """Return the view of segment, language, risk level and every attribute the profile table below `folder` has."""
    known = {name: _TYPES[kind] for name, kind in PROFILE_FEATURES.items()}
    return FeatureView(
        name=FeatureTable.PROFILE,
        entities=[customer],
        schema=[Field(name=name, dtype=kind) for name, kind in {**known, **_attributes(folder)}.items()],
        source=table_source(folder, FeatureTable.PROFILE),
        description="The customer as the bank describes them; no name, no permission flag.",
    )


def customer_interactions(folder: Path) -> FeatureView:
    """Return the view of counts, last answers and moods; outcomes are pushed into it while serving."""
    said = "What a customer's interactions, answers and contacts say as of one moment."
    return _pushed(folder, FeatureTable.INTERACTIONS, INTERACTION_FEATURES, said)


def customer_history(folder: Path) -> FeatureView:
    """Return the view of the history that models fold in; pushed with the interactions."""
    said = "The evidence of interest in each offer: what is held, signals faded to the row's moment."
    return _pushed(folder, FeatureTable.HISTORY, HISTORY_FEATURES, said)


def _pushed(folder: Path, table: FeatureTable, features: Mapping[str, object], description: str) -> FeatureView:
    return FeatureView(
        name=table,
        entities=[customer],
        schema=[Field(name=name, dtype=_TYPES[kind]) for name, kind in features.items()],
        source=pushed_source(folder, table),
        description=description,
    )


def _attributes(folder: Path) -> dict[str, FeastType]:
    """Return name and type of every `attr_` column of the profile table; none before the first export."""
    import pyarrow as pa
    from pyarrow.parquet import read_schema

    file = FeatureTable.PROFILE.file(folder)
    if not file.exists():
        return {}

    def feast_type(kind: pa.DataType) -> FeastType:
        if pa.types.is_boolean(kind):
            return Bool
        return Float64 if pa.types.is_floating(kind) or pa.types.is_integer(kind) else String

    return {field.name: feast_type(field.type) for field in read_schema(file) if field.name.startswith("attr_")}
