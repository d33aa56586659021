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
from feast.infra.registry.base_registry import BaseRegistry
from feast.infra.registry.sql import SqlRegistry
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from features.online_marker import BEGUN_KEY, KEY

_ID_LENGTH = 12
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
    """RedisOnlineStore that fails rather than waits, and keeps the rows of each home apart.

    `on_written` hears of rows written. Feast's keys end with the project's name, which is the same in every home; ours
    end with the home's id, so that homes which share a Redis neither read nor write each other's rows.
    """

    on_written: Callable[[int], None] | None = None

    def __init__(self) -> None:
        self._home: str | None = None
        self._writing = _WritingStore()
        self._of_home: tuple[RepoConfig | None, RepoConfig | None] = None, None
        self._fields: dict[tuple[str, tuple[str, ...]], tuple[list[str], list[str | bytes]]] = {}

    def belong_to(self, registry: BaseRegistry, project: str) -> None:
        """Keep rows under the id that Feast gave this registry when it was made: it goes wherever the registry goes."""
        self._home = str(registry.get_project_metadata(project, "project_uuid")).replace("-", "")[:_ID_LENGTH]

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
        client, project = self._get_client(config.online_store), self._own(config).project
        key = serialize_entity_key(entity, config.entity_key_serialization_version) + project.encode()
        parts = [self._hashed(view, tuple(names)) for view, names in views.items()]
        with client.pipeline(transaction=False) as pipe:
            pipe.hmget(cast("str", key), [field for _, fields in parts for field in fields])
            pipe.hget(KEY, project)
            values, marker = pipe.execute()
        found, begin = [], 0
        for (names, fields), view in zip(parts, views, strict=True):
            of_view = values[begin : (begin := begin + len(fields))]
            found.append(cast("Stored", self._get_features_for_entity(of_view, view, names)))
        return found, marker

    def marker(self, config: RepoConfig) -> bytes | None:
        """Return the marker of this home as it is stored."""
        client = self._get_client(config.online_store)
        return cast("bytes | None", client.hget(KEY, self._own(config).project))

    def other_homes(self, config: RepoConfig) -> int:
        """Return how many other homes have a marker in the same Redis."""
        homes = cast("list[bytes]", self._get_client(config.online_store).hkeys(KEY))
        return len([home for home in homes if home != self._own(config).project.encode()])

    def set_marker(self, config: RepoConfig, run: str, marker: str | None) -> bool:
        """Write down that `run` has begun, or with its `marker` that it is done; False: emptied in between."""
        client, home = self._writing._get_client(config.online_store), self._own(config).project
        if marker is None:
            client.hset(BEGUN_KEY, home, run)
            return True
        is_there = self.has_begun(config, run)
        if is_there:
            client.hset(KEY, home, marker)
        return is_there

    def has_begun(self, config: RepoConfig, run: str) -> bool:
        """Return whether the store still knows that `run` has begun."""
        client = self._writing._get_client(config.online_store)
        return cast("bytes | None", client.hget(BEGUN_KEY, self._own(config).project)) == run.encode()

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """Read as the parent does, of this home."""
        return super().online_read(self._own(config), table, entity_keys, requested_features)

    def delete_table(self, config: RepoConfig, table: FeatureView) -> None:
        """Delete a view's rows as the parent does, of this home."""
        super().delete_table(self._own(config), table)

    def delete_entity_values(self, config: RepoConfig, join_keys: list[str]) -> None:
        """Delete rows as the parent does, of this home."""
        super().delete_entity_values(self._own(config), join_keys)

    def _own(self, config: RepoConfig) -> RepoConfig:
        """Return the same, with a project whose name has the id of this home's registry."""
        known, own = self._of_home
        if own is None or known is not config:
            if self._home is None:  # the plain `feast` command has opened the store
                self.belong_to(SqlRegistry(config.registry, config.project, None), config.project)
            own = config.model_copy(update={"project": f"{config.project}:{self._home}"})
            self._of_home = config, own
        return own

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
        self._writing.online_write_batch(self._own(config), table, data, progress)
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
