"""The feature view `customer_history` of one customer, in plain Python: the row of their events, and its values.

`features.table_queries` makes the same rows for everybody in SQL; a test holds both equal. What the row and the
events after it say together is `recsys.interactions.served_history.fold`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recsys.domain.interaction import HistoryRow

HISTORY_FEATURES: Mapping[str, Any] = {
    "offers": list[str],
    "held": list[float],
    "signalled": list[float],
    "last_at": list[float],
    "event_count": int,
}


def as_values(row: HistoryRow) -> dict[str, Any]:
    """Return the row as the values of the view's features."""
    lists = {name: list(getattr(row, name)) for name in HISTORY_FEATURES if name != "event_count"}
    return {**lists, "event_count": row.event_count}


def as_row(values: Mapping[str, Any], at: datetime) -> HistoryRow | None:
    """Return the row of values that were right at the moment `at`; None where they make none, lists cut off say."""
    lists = {name: tuple(values.get(name) or ()) for name in HISTORY_FEATURES if name != "event_count"}
    count = values.get("event_count")
    if count is None or len({len(one) for one in lists.values()}) != 1:
        return None
    return HistoryRow(at=at, event_count=int(count), **lists)
