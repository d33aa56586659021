"""Builds Feast's store from the settings; `feature_store.yaml` says the same to the plain `feast` command."""

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from recsys.domain.errors import InvalidInput

if TYPE_CHECKING:
    from feast import FeatureStore

PROJECT = "nbo"
REGISTRY_SECONDS = 60
PATIENCE_OF_BATCHES = 40
_ROWS_A_BATCH = 2_000
_READ_TIMEOUT_MS = 50
_WRITE_TIMEOUT_MS = 250


class StoreSettings(Protocol):
    """What the feature store needs of the service's settings."""

    @property
    def home(self) -> Path: ...
    @property
    def offline(self) -> Path: ...
    @property
    def redis_url(self) -> str | None: ...
    @property
    def database_url(self) -> str | None: ...


def feature_tables_folder(settings: StoreSettings) -> Path:
    """Return the folder of the feature tables."""
    return settings.offline.absolute() / "features"


def exported_events_folder(settings: StoreSettings) -> Path:
    """Return the folder of the exported events, from which the feature tables are built."""
    return settings.offline.absolute() / "events"


def state_folder(settings: StoreSettings) -> Path:
    """Return the folder of the registry file and the locks, made if it is not there."""
    folder = settings.home.absolute() / "feast"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(settings: StoreSettings) -> Iterator[None]:
    """Keep other processes of this machine from applying or materialising for the length of the block."""
    with (state_folder(settings) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def open_store(settings: StoreSettings, redis_url: str, patience: int = 1) -> "FeatureStore":
    """Return a Feast store whose round trips to Redis end within `patience` times what a live contact allows.

    Importing Feast takes seconds, the first time.
    """
    import_feast()
    from feast import FeatureStore, RepoConfig

    # Feast advises against its own background refresh, which is what keeps a hung registry out of a decision.
    logging.getLogger("feast.repo_config").setLevel(logging.ERROR)
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=_registry(settings),
        online_store={
            "type": "features.online_store.DeadlineRedisOnlineStore",
            "connection_string": redis_url,
            "read_timeout_ms": _READ_TIMEOUT_MS * patience,
            "write_timeout_ms": _WRITE_TIMEOUT_MS * patience,
        },
        offline_store={"type": "duckdb"},
        entity_key_serialization_version=3,
        materialization={"pull_latest_features": True, "online_write_batch_size": _ROWS_A_BATCH},
        repo_path=feature_tables_folder(settings),
    )
    store = FeatureStore(config=config)
    online_store: Any = store.provider.online_store
    online_store.belong_to(store.registry, PROJECT)
    return store


def open_spark_store(folder: Path) -> "FeatureStore":
    """Return a Feast store over Spark's offline store, with nothing applied and a registry of its own in `folder`.

    It works on the Spark session that runs.
    """
    import_feast()
    from feast import FeatureStore, RepoConfig

    with warnings.catch_warnings():  # it changes what is shown of warnings, for everybody
        import feast.infra.offline_stores.contrib.spark_offline_store.spark  # noqa: F401

    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=None,
        offline_store={"type": "spark"},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    return FeatureStore(config=config)


def read_markers(settings: StoreSettings, redis_url: str) -> tuple[bytes | None, int]:
    """Return the marker of this home as it is stored, None where there is none, and how many other homes have one.

    Raises RedisError.
    """
    store = open_store(settings, redis_url, PATIENCE_OF_BATCHES)
    online_store: Any = store.provider.online_store
    try:
        return online_store.marker(store.config), online_store.other_homes(store.config)
    finally:
        close_store(store)


def close_store(store: "FeatureStore") -> None:
    """Give the Redis connections back and stop following the registry."""
    online_store: Any = store.provider.online_store
    registry: Any = store.registry
    online_store.disconnect()
    registry.registry_refresh_thread.cancel()


def import_feast() -> None:
    """Import Feast, which takes seconds, without the folder to which its metrics would point Prometheus, ours included.

    Two threads must not do so at once.
    """
    import prometheus_client  # noqa: F401  (where it keeps values is settled by its import)

    names = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.setdefault(names[0], before.get(names[1], "not used"))
    try:
        import feast.metrics  # noqa: F401
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


def _registry(settings: StoreSettings) -> dict[str, Any]:
    """A SQLite file beside the embedded event log, a schema of its own beside a PostgreSQL one."""
    common = {
        "registry_type": "sql",
        "serve_features_while_materializing": True,
        "cache_mode": "thread",
        "cache_ttl_seconds": REGISTRY_SECONDS,
    }
    url = settings.database_url or ""
    if not url.startswith("postgres"):
        return {**common, "path": f"sqlite:///{state_folder(settings) / 'registry.db'}"}
    import psycopg

    address = f"postgresql://{url.split('://', 1)[1]}"
    try:
        with psycopg.connect(address, connect_timeout=5) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS feast")
    except psycopg.OperationalError as error:
        raise InvalidInput(f"The feature registry's database cannot be reached: {error}") from error
    options = {"connect_timeout": 5, "options": "-csearch_path=feast"}
    return {
        **common,
        "path": address.replace("postgresql://", "postgresql+psycopg://", 1),
        "sqlalchemy_config_kwargs": {"connect_args": options, "pool_pre_ping": True},
    }
