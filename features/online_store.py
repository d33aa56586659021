"""Feast's Redis store with a deadline: short socket timeouts, no retries, and a breaker for callers that must answer.

redis-py retries by default, which turns a hung Redis into a call of almost a minute, and Feast's
configuration cannot switch that off; so this store builds the client itself, from a URL.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from feast import FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from features.online_marker import BEGUN_KEY, FIELD, KEY

Stored = tuple[datetime | None, Mapping[str, Value] | None]
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
        self._fields: dict[tuple[str, tuple[str, ...]], tuple[list[str], list[str | bytes]]] = {}

    def _get_client(self, online_store_config: RedisOnlineStoreConfig) -> Redis | RedisCluster:
        assert isinstance(online_store_config, DeadlineRedisOnlineStoreConfig)
        self._client = self._client or _client(online_store_config, online_store_config.read_timeout_ms)
        return self._client

    def read_views(
        self, config: RepoConfig, views: Mapping[str, Sequence[str]], entity: EntityKey
    ) -> tuple[list[Stored], bytes | None]:
        """Return what `online_read` of each view's features returns of this entity, and the marker, in one round trip.

        Feast's own read makes a round trip a view, and hashes the features' names anew at each.
        """
        client = self._get_client(config.online_store)
        key = serialize_entity_key(entity, config.entity_key_serialization_version) + config.project.encode()
        parts = [self._hashed(view, tuple(names)) for view, names in views.items()]
        with client.pipeline(transaction=False) as pipe:
            pipe.hmget(cast("str", key), [field for _, fields in parts for field in fields])
            pipe.hget(KEY, FIELD)
            values, marker = pipe.execute()
        found, begin = [], 0
        for (names, fields), view in zip(parts, views, strict=True):
            of_view = values[begin : (begin := begin + len(fields))]
            found.append(cast("Stored", self._get_features_for_entity(of_view, view, names)))
        return found, marker

    def marker(self, config: RepoConfig) -> bytes | None:
        """Return the marker as it is stored."""
        return cast("bytes | None", self._get_client(config.online_store).hget(KEY, FIELD))

    def set_marker(self, config: RepoConfig, run: str, marker: str | None) -> bool:
        """Write down that `run` has begun, or with its `marker` that it is done; False: emptied in between."""
        client = self._writing._get_client(config.online_store)
        if marker is None:
            client.hset(BEGUN_KEY, FIELD, run)
            return True
        is_there = self.has_begun(config, run)
        if is_there:
            client.hset(KEY, FIELD, marker)
        return is_there

    def has_begun(self, config: RepoConfig, run: str) -> bool:
        """Return whether the store still knows that `run` has begun."""
        begun = cast("bytes | None", self._writing._get_client(config.online_store).hget(BEGUN_KEY, FIELD))
        return begun == run.encode()

    def _hashed(self, view: str, names: tuple[str, ...]) -> tuple[list[str], list[str | bytes]]:
        """Return the features of the view, its moment last, and the fields of the entity's hash they stand in."""
        known = self._fields.get((view, names))
        if known is None:
            known = self._fields[view, names] = self._generate_hset_keys_for_features(
                cast("FeatureView", None), [*names], fv_name_override=view
            )
        return known

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
