"""The bank's own views as Feast's registry has them: over their tables, with description, owner and what they hold."""

from collections.abc import Mapping
from pathlib import Path

from feast import FeatureView, Field
from feast.types import Bool, FeastType, Float64, Int64, String

from features.entities import customer
from features.feature_tables import OwnTable
from features.own_features import OwnView
from features.sources import pushed_source, table_source

_TYPES: Mapping[str, FeastType] = {"float": Float64, "int": Int64, "str": String, "bool": Bool}


def own_view(view: OwnView, folder: Path) -> FeatureView:
    """Return the view over its table below `folder`; its transformations are told in its tags.

    They are no on-demand views of Feast's: those take the function's text without the file around it, call it with
    values drawn at random when they are applied, and say nothing of a moment in the DuckDB join that training reads.
    """
    table = OwnTable(view.name)
    return FeatureView(
        name=view.name,
        entities=[customer],
        schema=[Field(name=one.name, dtype=_TYPES[one.type], description=one.description) for one in view.features],
        source=pushed_source(folder, table) if view.is_pushed else table_source(folder, table),
        description=view.description,
        owner=view.owner,
        tags={
            "declared_in": view.place,
            **{f"transformation_{one.name}": f"{one.type} of {', '.join(one.inputs)}" for one in view.transformations},
        },
    )
