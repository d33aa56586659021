"""Measures the feature store at size: the join beside bare DuckDB, reads beside Redis, writes beside Feast."""

import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serving.cli.bench.synthetic_events import DAYS, FIRST_DAY, Sizes, write_events
from serving.cli.output import Progress
from serving.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from features.gateway import FeatureGateway

T = TypeVar("T")
_BARE_JOIN = """
    SELECT l.row, p.* EXCLUDE (customer_id, event_timestamp), i.* EXCLUDE (customer_id, event_timestamp)
    FROM labels AS l
    ASOF LEFT JOIN read_parquet(?) AS p ON p.customer_id = l.customer_id AND p.event_timestamp <= l.event_timestamp
    ASOF LEFT JOIN read_parquet(?) AS i ON i.customer_id = l.customer_id AND i.event_timestamp <= l.event_timestamp
    ORDER BY l.row"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: sizes of the export, labels to join, customers to read one by one, and the seed."""

    sizes: Sizes
    labels: int
    reads: int
    seed: int


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Write an export below `folder`, build, apply, join, materialise and read; returns the document."""
    from features.feast_store import import_feast
    from features.gateway import FeatureGateway
    from serving.embedded_redis import embedded_redis

    import_feast()
    rng, as_of = np.random.default_rng(plan.seed), _moment(DAYS)
    settings = Settings(home=folder, database_url=None, redis_url=None, offline_path=None)
    rows = plan.sizes.interactions
    write_events(settings.events, plan.sizes, rng, lambda done: progress("write events", done, rows))
    with embedded_redis(folder) as redis_url:
        gateway = FeatureGateway(settings, redis_url)
        try:
            tables, building = _timed(lambda: gateway.build_feature_tables(settings.events, as_of, progress))
            gateway.apply()
            return {
                "customers": plan.sizes.customers,
                "interactions": rows,
                "table_rows": tables,
                "build_seconds": round(building, 2),
                "join": _joins(gateway, settings, plan, rng),
                "materialise": _writes(gateway, settings, redis_url, progress),
                "read_ms": _reads(gateway, redis_url, plan, rng),
            }
        finally:
            gateway.close()


def _joins(gateway: "FeatureGateway", settings: Settings, plan: Plan, rng: np.random.Generator) -> dict[str, Any]:
    """Join the labels through Feast and by DuckDB alone; both must say the same."""
    from features.feast_store import feature_tables_folder
    from features.feature_tables import FeatureTable
    from features.service_names import PROPENSITY_SERVICE
    from recsys.interactions.file_queries import open_duckdb

    customers = [f"c{number:09d}" for number in rng.integers(plan.sizes.customers, size=plan.labels)]
    moments = [_moment(float(day)) for day in rng.uniform(30, DAYS, plan.labels)]
    joined, through_feast = _timed(lambda: gateway.offline.known_at(PROPENSITY_SERVICE, customers, moments))
    folder = feature_tables_folder(settings)
    files = [str(table.file(folder)) for table in (FeatureTable.PROFILE, FeatureTable.INTERACTIONS)]

    def alone() -> "pa.Table":
        import pyarrow as pa

        labels = pa.table({"customer_id": customers, "event_timestamp": moments, "row": range(plan.labels)})
        with open_duckdb() as database:
            database.register("labels", labels)
            return database.sql(_BARE_JOIN, params=files).to_arrow_table()

    bare, by_duckdb = _timed(alone)
    names = [name for name in bare.column_names if name in joined.column_names]
    differ = sum(joined[name].combine_chunks().to_pylist() != bare[name].combine_chunks().to_pylist() for name in names)
    return {
        "labels": plan.labels,
        "seconds": round(through_feast, 2),
        "duckdb_seconds": round(by_duckdb, 2),
        "over_duckdb": round(through_feast / by_duckdb, 2),
        "features": len(names),
        "features_that_differ": differ,
    }


def _writes(gateway: "FeatureGateway", settings: Settings, redis_url: str, progress: Progress) -> dict[str, Any]:
    """Materialise everybody, once more where nothing has changed, and as Feast does it by itself."""
    from features.feast_store import PATIENCE_OF_BATCHES, close_store, feature_tables_folder, open_store
    from features.feature_tables import built_as_of

    written, ours = _timed(lambda: gateway.materialize(progress, everybody=True))
    again, nothing = _timed(lambda: gateway.materialize(progress))
    as_of = built_as_of(feature_tables_folder(settings))
    store = open_store(settings, redis_url, patience=PATIENCE_OF_BATCHES)
    try:
        names = [view.view for view in written]
        with redirect_stdout(StringIO()):
            _, feast = _timed(lambda: store.materialize(as_of, as_of, feature_views=names))
    finally:
        close_store(store)
    rows = sum(view.rows for view in written)
    return {
        "rows": rows,
        "seconds": round(ours, 2),
        "rows_per_second": round(rows / ours),
        "feast_seconds": round(feast, 2),
        "over_feast": round(ours / feast, 2),
        "nothing_changed_rows": sum(view.rows for view in again),
        "nothing_changed_seconds": round(nothing, 2),
    }


def _reads(gateway: "FeatureGateway", redis_url: str, plan: Plan, rng: np.random.Generator) -> dict[str, Any]:
    """Read all of a customer's views, and the bare hash that they stand in, by turns."""
    import redis

    asked = [f"c{number:09d}" for number in rng.integers(plan.sizes.customers, size=plan.reads)]
    ours, bare = [], []
    with redis.Redis.from_url(redis_url) as client:
        keys = {_customer_of(key): key for key in client.scan_iter(count=10_000)}
        for customer_id in asked[:100]:
            gateway.read_online(customer_id)
        for customer_id in asked:
            ours.append(_timed(partial(gateway.read_online, customer_id))[1])
            bare.append(_timed(partial(client.hgetall, keys.get(customer_id, b"nobody")))[1])
    found = {"all_views": np.array(ours) * 1e3, "bare_hgetall": np.array(bare) * 1e3}
    return {
        name: {f"p{share}": round(float(np.percentile(times, share)), 3) for share in (50, 99)}
        for name, times in found.items()
    }


def _customer_of(key: bytes) -> str:
    """Return the customer whose hash has this key: the id ends before the project's name."""
    begin = key.find(b"c0")
    return key[begin : begin + 10].decode(errors="replace")


def _timed(run: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = run()
    return result, time.perf_counter() - began


def _moment(days: float) -> datetime:
    return datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC) + timedelta(days=days)
