"""The only door to the feature store: read online, read as of a past moment, push, build, apply, materialise."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from features.breaker import Breaker, BreakerOpen
from features.feast_store import (
    PATIENCE_OF_BATCHES,
    PROJECT,
    REGISTRY_SECONDS,
    StoreSettings,
    feature_tables_folder,
    one_at_a_time,
    open_store,
    state_folder,
)
from features.feature_tables import Progress, build_feature_tables, built_as_of
from features.from_events import with_ages
from features.materialization import Materialized, materialize_views
from features.offer_rows import OfferRow
from recsys.domain.clock import Clock, system_clock
from recsys.domain.customer import AttributeValue
from recsys.domain.errors import FeaturesUnavailable, InvalidInput

if TYPE_CHECKING:
    import pandas as pd
    from feast import FeatureStore, FeatureView
    from feast.feast_object import FeastObject
    from feast.protos.feast.types.Value_pb2 import Value

_NOT_APPLIED = "Nothing is applied to the feature store yet: run `nbo features apply`."


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """What the online store knows of a customer: only known values, and how old what their events say is."""

    values: Mapping[str, AttributeValue] = field(default_factory=dict)
    age_seconds: float | None = None


class FeatureGateway:
    """Feast over the tables below `{offline}/features`, a SQL registry and the Redis of the settings or `redis_url`.

    Making one imports Feast, which takes seconds the first time. Redis need not be there yet.
    """

    def __init__(self, settings: StoreSettings, redis_url: str | None = None, *, clock: Clock = system_clock) -> None:
        address = redis_url or settings.redis_url
        if address is None:
            raise InvalidInput("The feature store needs a Redis: set NBO_REDIS_URL or start the embedded one.")
        self._settings = settings
        self._redis_url = address
        self._clock = clock
        self._folder = feature_tables_folder(settings)
        self._breaker = Breaker()
        self._store = open_store(settings, address)
        self._known: tuple[float, FeatureView, list[str]] | None = None
        self._offers: tuple[float, FeatureView, list[str]] | None = None

    def close(self) -> None:
        """Give the Redis connections back and stop following the registry."""
        _close(self._store)

    def read_online(self, customer_id: str) -> OnlineFeatures:
        """Return what the events say of one customer; empty for one the store does not know.

        Raises FeaturesUnavailable when Redis does not answer in time, has just failed repeatedly, or
        nothing was applied yet.
        """
        from feast.protos.feast.types.EntityKey_pb2 import EntityKey
        from feast.protos.feast.types.Value_pb2 import Value

        person = EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val=customer_id)])
        with self._deadline():
            view, names = self._interactions()
            # Not `get_online_features`: it takes a millisecond to put together an answer for many customers and views.
            # The names are copied: Feast adds to the list it is given.
            ((moment, row),) = self._store.provider.online_read(self._store.config, view, [person], [*names])
        if row is None or moment is None or moment.timestamp() == 0:
            return OnlineFeatures()
        now = self._clock()
        age = max((now - moment.astimezone(UTC)).total_seconds(), 0.0)
        return OnlineFeatures(with_ages({name: _plain(value) for name, value in row.items()}, now), age)

    def read_offer_answers(self, offer_ids: Sequence[str]) -> dict[str, OfferRow]:
        """Return what the store knows of the answers to each offer; offers that it does not know are left out.

        Raises FeaturesUnavailable as `read_online` does.
        """
        from feast.protos.feast.types.EntityKey_pb2 import EntityKey
        from feast.protos.feast.types.Value_pb2 import Value

        keys = [EntityKey(join_keys=["offer_id"], entity_values=[Value(string_val=one)]) for one in offer_ids]
        with self._deadline():
            known = self._offers
            if known is None or time.monotonic() - known[0] > REGISTRY_SECONDS:
                view = self._store.registry.get_feature_view("offer_answers", PROJECT, allow_cache=True)
                known = self._offers = time.monotonic(), view, [field.name for field in view.features]
            rows = self._store.provider.online_read(self._store.config, known[1], keys, [*known[2]])
        return {
            offer_id: OfferRow(moment.astimezone(UTC), {name: value.int64_val for name, value in row.items()})
            for offer_id, (moment, row) in zip(offer_ids, rows, strict=True)
            if row is not None and moment is not None and moment.timestamp() > 0
        }

    def push_interactions(self, customer_id: str, row: Mapping[str, AttributeValue], at: datetime) -> None:
        """Make `row` (of `from_events.interaction_features`) what the next read of this customer sees.

        A row not newer than the stored one is ignored. Raises FeaturesUnavailable as `read_online` does.
        """
        import pandas as pd

        frame = pd.DataFrame([{"customer_id": customer_id, "event_timestamp": at, **row}])
        with self._deadline():
            # Not `push`: that reads every feature service from the registry's database first.
            self._store.write_to_online_store("customer_interactions", frame)

    def history(self, customer_ids: Sequence[str], moments: Sequence[datetime]) -> "pd.DataFrame":
        """Return the features each customer had at the moment beside them, one row a pair, in the given order.

        Columns: customer_id, event_timestamp, the profile, then the names `read_online` gives; unknown is null.
        Raises InvalidInput when nothing was applied or exported yet.
        """
        import pandas as pd
        from feast.errors import FeastObjectNotFoundException

        built_as_of(self._folder)
        times = pd.to_datetime(pd.Series(list(moments), dtype=object), utc=True).astype("datetime64[us, UTC]")
        asked = pd.DataFrame({"customer_id": list(customer_ids), "event_timestamp": times, "row": range(len(times))})
        try:
            service = self._store.get_feature_service("decision")
        except FeastObjectNotFoundException:
            raise InvalidInput(_NOT_APPLIED) from None
        frame = self._store.get_historical_features(asked, service).to_df()
        frame = frame.sort_values("row", ignore_index=True).drop(columns="row")
        seconds = pd.Series([moment.timestamp() for moment in moments], dtype=float)
        for name in [name for name in frame if name.startswith("last_") and name.endswith("_at")]:
            frame[f"days_since_{name.removesuffix('_at')}"] = (seconds - frame.pop(name)) / 86_400
        return frame

    def build_feature_tables(
        self, events: Path, as_of: datetime | None = None, progress: Progress | None = None
    ) -> dict[str, int]:
        """Build the feature tables from the export in `events`, which knows all before `as_of`; rows by table."""
        return build_feature_tables(events, self._folder, as_of or self._clock(), progress)

    def apply(self) -> list[str]:
        """Register the definitions, with the attributes the tables have now; returns the names of the views."""
        from features.services import definitions

        found = definitions(self._folder)
        with one_at_a_time(self._settings), redirect_stdout(StringIO()):
            self._store.apply(cast("list[FeastObject]", found.all()))
        self._store.registry.refresh()
        self._known = self._offers = None
        return [view.name for view in found.views()]

    def materialize(self, progress: Progress | None = None) -> list[Materialized]:
        """Write everybody's features as of the export to the online store, view by view.

        What is pushed meanwhile stays, being newer. After a failure the views already written are skipped.
        Raises InvalidInput when nothing was exported or applied yet.
        """
        as_of = built_as_of(self._folder)
        if not self._store.list_feature_views():
            raise InvalidInput(_NOT_APPLIED)
        with one_at_a_time(self._settings):
            store = open_store(self._settings, self._redis_url, patience=PATIENCE_OF_BATCHES)
            try:
                return materialize_views(store, as_of, state_folder(self._settings) / "unfinished.json", progress)
            finally:
                _close(store)

    def _interactions(self) -> "tuple[FeatureView, list[str]]":
        """Return what a decision reads, looked up once a minute: Feast needs longer for that than Redis to answer."""
        known = self._known
        if known is None or time.monotonic() - known[0] > REGISTRY_SECONDS:
            view = self._store.registry.get_feature_view("customer_interactions", PROJECT, allow_cache=True)
            known = self._known = time.monotonic(), view, [field.name for field in view.features]
        return known[1], known[2]

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """Turn whatever Redis or the registry fails with into FeaturesUnavailable, at once while it keeps failing."""
        from feast.errors import FeastObjectNotFoundException
        from redis.exceptions import RedisError

        try:
            with self._breaker.guarding(RedisError, OSError):
                yield
        except BreakerOpen:
            raise FeaturesUnavailable("The online feature store failed a moment ago; it is tried again soon.") from None
        except (RedisError, OSError) as error:
            raise FeaturesUnavailable(f"The online feature store does not answer: {error}") from error
        except FeastObjectNotFoundException:
            raise FeaturesUnavailable(_NOT_APPLIED) from None
        except Exception as error:  # Feast raises many kinds, and none may stop a decision
            raise FeaturesUnavailable(f"The feature store failed: {type(error).__name__}: {error}") from error


def _close(store: "FeatureStore") -> None:
    online_store: Any = store.provider.online_store
    registry: Any = store.registry
    online_store.disconnect()
    registry.registry_refresh_thread.cancel()


def _plain(value: "Value") -> AttributeValue:
    kind = value.WhichOneof("val")
    return None if kind is None else cast(AttributeValue, getattr(value, kind))
