"""Feast's Redis store with a deadline: short socket timeouts, no retries, and a breaker for callers that must answer.

redis-py retries by default, which turns a hung Redis into a call of almost a minute, and Feast's
configuration cannot switch that off; so this store builds the client itself, from a URL.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


class DeadlineRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """Feast finds this class by the store's name; `connection_string` is a URL: redis://, rediss:// or unix://.

    A read is waited for in a decision, a write after one: each has its own limit, for a single round trip.
    """

    type: str = "features.online_store.DeadlineRedisOnlineStore"  # type: ignore[assignment]  # the parent's is a literal
    read_timeout_ms: int = 50
    write_timeout_ms: int = 250


class _WritingStore(RedisOnlineStore):
    def _get_client(self, online_store_config: RedisOnlineStoreConfig) -> Redis | RedisCluster:
        assert isinstance(online_store_config, DeadlineRedisOnlineStoreConfig)
        self._client = self._client or _client(online_store_config, online_store_config.write_timeout_ms)
        return self._client


class DeadlineRedisOnlineStore(RedisOnlineStore):
    """RedisOnlineStore that fails rather than waits; `on_written` hears of rows written."""

    on_written: Callable[[int], None] | None = None

    def __init__(self) -> None:
        self._writing = _WritingStore()

    def _get_client(self, online_store_config: RedisOnlineStoreConfig) -> Redis | RedisCluster:
        assert isinstance(online_store_config, DeadlineRedisOnlineStoreConfig)
        self._client = self._client or _client(online_store_config, online_store_config.read_timeout_ms)
        return self._client

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write as the parent does, with the time a write may take, then tell `on_written`."""
        self._writing.online_write_batch(config, table, data, progress)
        if self.on_written:
            self.on_written(len(data))

    def disconnect(self) -> None:
        """Give the connections back."""
        for store in (self, self._writing):
            if store._client is not None:
                store._client.close()
                store._client = None


def _client(config: DeadlineRedisOnlineStoreConfig, timeout_ms: int) -> Redis | RedisCluster:
    kind = RedisCluster if config.redis_type == "redis_cluster" else Redis
    seconds = timeout_ms / 1000
    return kind.from_url(
        config.connection_string,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
