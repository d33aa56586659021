"""Gives the transformations of the bank's own features what they read, under the names that rules and models use."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from features.feature_tables import FeatureTable
from features.from_events import INTERACTION_FEATURES, PROFILE_FEATURES, age_name
from features.own_calls import said_while_it_hangs
from features.own_features import OwnFeatures, Transformations
from recsys.domain.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 20_000
_OF_EVENTS = {age_name(name) or name: name for name in INTERACTION_FEATURES}
_ARROW = {"float": "float64", "int": "int64", "str": "string", "bool": "bool_"}


def stored_inputs(own: OwnFeatures) -> list[tuple[str, str]]:
    """Return view and stored name of every feature that the transformations read."""
    return sorted({_stored(name, own) for one in own.transformations for name in one.inputs})


def with_transformations(
    table: "pa.Table", own: OwnFeatures, tell: Callable[[str, int, int | None], None]
) -> "pa.Table":
    """Return rows of the point-in-time join with a column for each transformation, as of each row's moment.

    Raises InvalidInput where a function fails: what a model learns from must not have holes that service has not. One
    that does not return holds it up, and is told to `tell` by its name, with the seconds so far.
    """
    import pyarrow as pa

    inputs = {name: _stored(name, own)[1] for one in own.transformations for name in one.inputs}
    made: dict[str, list[Any]] = {one.name: [] for one in own.transformations}
    transformations = Transformations(own)
    with said_while_it_hangs(transformations, tell):
        for begin in range(0, table.num_rows, _ROWS_AT_ONCE):
            for known in _rows(table.slice(begin, _ROWS_AT_ONCE), inputs):
                found = transformations.apply(known)
                if found.failed:
                    raise InvalidInput(f"{next(iter(found.failed.values()))} (of {_shown(known)})")
                for name, values in made.items():
                    values.append(found.values[name])
    for one in own.transformations:
        kind: Any = getattr(pa, _ARROW[one.type])()
        table = table.append_column(one.name, pa.array(made[one.name], kind))
    return table


def _stored(name: str, own: OwnFeatures) -> tuple[str, str]:
    """Return the view and the stored name of an input."""
    for view in own.views:
        if any(feature.name == name for feature in view.features):
            return view.name, name
    if name in PROFILE_FEATURES:
        return FeatureTable.PROFILE.value, name
    if name in _OF_EVENTS:
        return FeatureTable.INTERACTIONS.value, _OF_EVENTS[name]
    return FeatureTable.PROFILE.value, f"attr_{name}"


def _rows(table: "pa.Table", inputs: Mapping[str, str]) -> "list[dict[str, Any]]":
    """Return what is known in each row by the name of the input; a moment as days since then, as in service."""
    seconds = [moment.timestamp() for moment in table["event_timestamp"].to_pylist()]
    columns: dict[str, Sequence[Any]] = {}
    for name, stored in inputs.items():
        values = table[stored].to_pylist()
        if age_name(stored):
            values = [
                None if at is None else max(now - at, 0.0) / 86_400 for now, at in zip(seconds, values, strict=True)
            ]
        columns[name] = [None if value != value else value for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _shown(known: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in known.items())[:200]
