"""Which signals of the propensity model are features of the person: this module alone says so.

In service they are put together by `recsys.ranking.signals.shared_signals`, from the customer and the online store.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.from_events import age_name

if TYPE_CHECKING:
    import pyarrow as pa

_ATTRIBUTE = "attr_"


def signal_of(feature: str) -> str:
    """Return the name under which the model knows a feature: an attribute by its own, a moment by its age."""
    return age_name(feature) or feature.removeprefix(_ATTRIBUTE)


def as_floats(column: "pa.ChunkedArray") -> NDArray[np.float64]:
    """Return numbers or truth values (n,) as models read them: the nearest float, NaN for what is unknown."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def person_signals(table: "pa.Table", moments: Sequence[datetime]) -> dict[str, NDArray[np.float64]]:
    """Return the signals (n,) of the rows of `OfflineFeatures.known_at`, asked at `moments`; NaN is unknown.

    Text is no signal. A feature goes before an attribute of the same name, as in service.
    """
    import pyarrow as pa

    seconds = np.array([moment.timestamp() for moment in moments])
    keys = {"customer_id", "event_timestamp"}
    found: dict[str, NDArray[np.float64]] = {}
    for name in sorted(set(table.column_names) - keys, key=lambda name: not name.startswith(_ATTRIBUTE)):
        kind: Any = table.schema.field(name).type
        if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
            values = as_floats(table[name])
            found[signal_of(name)] = np.maximum(seconds - values, 0.0) / 86_400 if age_name(name) else values
    return found
