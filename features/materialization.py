"""Writes everybody's features as of the export to the online store, view by view; an interrupted run goes on."""

import json
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from features.feature_tables import FeatureTable, Progress

if TYPE_CHECKING:
    from feast import FeatureStore

    from features.online_store import DeadlineRedisOnlineStore


@dataclass(frozen=True, slots=True)
class Materialized:
    """One view written to the online store."""

    view: str
    rows: int
    seconds: float


def materialize_views(
    store: "FeatureStore", as_of: datetime, unfinished: Path, progress: Progress | None
) -> list[Materialized]:
    """Write every view's rows as of `as_of`; views the file `unfinished` names for this export are not repeated."""
    kept = json.loads(unfinished.read_text()) if unfinished.exists() else {}
    views = [Materialized(**view) for view in kept["views"]] if kept.get("as_of") == as_of.isoformat() else []
    for table in list(FeatureTable)[len(views) :]:
        views.append(_materialize(store, table, as_of, progress))
        unfinished.write_text(json.dumps({"as_of": as_of.isoformat(), "views": [asdict(view) for view in views]}))
    unfinished.unlink()
    return views


def _materialize(
    store: "FeatureStore", table: FeatureTable, as_of: datetime, progress: Progress | None
) -> Materialized:
    started, rows = time.perf_counter(), 0

    def count(written: int) -> None:
        nonlocal rows
        rows += written
        if progress:
            progress(f"materialising {table}", rows, None)

    cast("DeadlineRedisOnlineStore", store.provider.online_store).on_written = cast("Callable[[int], None]", count)
    # Every entity has a row at exactly `as_of`. Feast prints, which would spoil a command's JSON.
    with redirect_stdout(StringIO()):
        store.materialize(as_of.astimezone(UTC), as_of.astimezone(UTC), feature_views=[table])
    return Materialized(str(table), rows, round(time.perf_counter() - started, 3))
