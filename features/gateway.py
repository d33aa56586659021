"""The only door to the feature store: read online, read as of a past moment, push, build, apply, materialise."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from features.breaker import Breaker, BreakerOpen
from features.customer_history import as_row, as_values
from features.feast_store import (
    PATIENCE_OF_BATCHES,
    PROJECT,
    REGISTRY_SECONDS,
    StoreSettings,
    close_store,
    exported_events_folder,
    feature_tables_folder,
    one_at_a_time,
    open_store,
    state_folder,
)
from features.feature_tables import (
    FeatureTable,
    Progress,
    build_feature_tables,
    built_as_of,
    facts_version_of,
)
from features.from_events import age_name, with_ages
from features.materialization import Materialized, Run, materialize_views
from features.offer_rows import OfferRow
from features.offline import NOT_APPLIED, OfflineFeatures
from features.online_marker import Marker
from features.own_features import NOTHING_OWN, OwnFeatures, OwnView
from features.service_names import PROPENSITY_SERVICE
from recsys.domain.clock import Clock, system_clock
from recsys.domain.customer import AttributeValue
from recsys.domain.errors import FeaturesUnavailable, InvalidInput
from recsys.domain.interaction import HistoryRow

if TYPE_CHECKING:
    import pandas as pd
    from feast import FeatureView
    from feast.feast_object import FeastObject
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    from features.online_store import DeadlineRedisOnlineStore, Stored

_LOOK_AGAIN_SECONDS = 2.0
"""How long after a look nobody looks again whether definitions were applied."""
_OURS = frozenset(map(str, FeatureTable))
_CUSTOMER_VIEWS = (FeatureTable.PROFILE, FeatureTable.INTERACTIONS, FeatureTable.HISTORY)


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """What the online store knows of a customer.

    `values` is what their events say, only what is known, as of `known_at`, and `age_seconds` how old that is;
    `profile` the bank's facts by the names they have in rules, `history` the row that later events are folded into.
    None, or an age of None: there is no such row. `marker` says what the last complete materialisation wrote (None:
    there was none since the store was last emptied). `own` is what the bank's own views say, by view, unknown values
    as None.
    """

    values: Mapping[str, AttributeValue] = field(default_factory=lambda: MappingProxyType({}))
    age_seconds: float | None = None
    profile: Mapping[str, AttributeValue] | None = None
    history: HistoryRow | None = None
    marker: Marker | None = field(default=None, compare=False)
    known_at: datetime | None = field(default=None, compare=False)
    own: Mapping[str, Mapping[str, AttributeValue] | None] = field(default_factory=lambda: MappingProxyType({}))


class FeatureGateway:
    """Feast over the tables below `{offline}/features`, a SQL registry and the Redis of the settings or `redis_url`.

    Making one imports Feast, which takes seconds the first time. Redis need not be there yet. `own` are the bank's own
    features, which are applied and materialised with ours; what is read online is what was materialised.
    """

    def __init__(
        self,
        settings: StoreSettings,
        redis_url: str | None = None,
        *,
        clock: Clock = system_clock,
        own: OwnFeatures = NOTHING_OWN,
    ) -> None:
        address = redis_url or settings.redis_url
        if address is None:
            raise InvalidInput("The feature store needs a Redis: set NBO_REDIS_URL or start the embedded one.")
        self._settings = settings
        self._redis_url = address
        self._clock = clock
        self._own = own
        self._folder = feature_tables_folder(settings)
        self._breaker = Breaker()
        self._store = open_store(settings, address)
        self._applied: tuple[float, Mapping[str, FeatureView]] | None = None
        self._pinned: tuple[bytes | None, Marker | None] = None, None
        self._looked_at = 0.0

    def prepare(self) -> None:
        """Make what Feast makes at first use, its registry's tables among it: two threads must not do so at once."""
        assert self._store.registry is not None
        assert self._store.provider is not None

    def close(self) -> None:
        """Give the Redis connections back and stop following the registry."""
        close_store(self._store)

    def read_online(self, customer_id: str) -> OnlineFeatures:
        """Return what is known of one customer, by one round trip; without rows for one the store does not know.

        The features are those that were materialised last, whatever was applied since: one that is new is read from
        the next materialisation on. Raises FeaturesUnavailable when Redis does not answer in time, has just failed
        repeatedly, or nothing was applied yet.
        """
        person = _entity(customer_id)
        with self._deadline():
            # Not `get_online_features`: it takes a millisecond to put together an answer for many customers and views.
            reading = self._reading()
            rows, marker = self._online_store.read_views(self._store.config, reading, person)
            if marker != self._pinned[0]:  # materialised, emptied or restored since the last read
                self._pinned = marker, Marker.of_json(marker) or self._pinned[1]
                reading = self._reading()
                rows, marker = self._online_store.read_views(self._store.config, reading, person)
            known = Marker.of_json(marker) if marker != self._pinned[0] else self._pinned[1]
        found = dict(zip(reading, rows, strict=True))
        return _online_features(found, known if marker else None, self._clock())

    def read_offer_answers(self, offer_ids: Sequence[str]) -> dict[str, OfferRow]:
        """Return what the store knows of the answers to each offer; offers that it does not know are left out.

        Raises FeaturesUnavailable as `read_online` does.
        """
        keys = [_entity(offer_id, "offer_id") for offer_id in offer_ids]
        with self._deadline():
            view = self._views()[FeatureTable.OFFERS]
            names = [one.name for one in view.features]
            rows = self._store.provider.online_read(self._store.config, view, keys, names)
        return {
            offer_id: OfferRow(moment.astimezone(UTC), {name: value.int64_val for name, value in row.items()})
            for offer_id, (moment, row) in zip(offer_ids, rows, strict=True)
            if row is not None and moment is not None and moment.timestamp() > 0
        }

    def marker(self) -> Marker | None:
        """Return what the last complete materialisation wrote, None where the store was emptied since.

        Raises FeaturesUnavailable as `read_online` does.
        """
        with self._deadline():
            self._views()
            return Marker.of_json(self._online_store.marker(self._store.config))

    def push(self, customer_id: str, row: Mapping[str, AttributeValue], history: HistoryRow, at: datetime) -> None:
        """Make `row` (of `from_events.interaction_features`) and `history` what the next read of this customer sees.

        Rows not newer than the stored ones are ignored. Raises FeaturesUnavailable as `read_online` does.
        """
        with self._deadline():
            # Not `push`: that reads every feature service from the registry's database first.
            for table, values in ((FeatureTable.INTERACTIONS, row), (FeatureTable.HISTORY, as_values(history))):
                view = self._views()[table]
                stored = _entity(customer_id), _protos(view, values), at, None
                self._store.provider.online_write_batch(self._store.config, view, [stored], None)

    def push_own(self, view: OwnView, customer_id: str, values: Mapping[str, AttributeValue], at: datetime) -> bool:
        """Make `values` what the next read of this customer sees of a view of the bank's own, as `push` does.

        Returns whether it sees them: a view that is new is read from the next materialisation on.
        """
        from features.own_definitions import own_view

        with self._deadline():
            applied = own_view(view, self._folder)  # what the registry is known to say may be a minute old
            stored = _entity(customer_id), _protos(applied, values), at, None
            self._store.provider.online_write_batch(self._store.config, applied, [stored], None)
            marker = Marker.of_json(self._online_store.marker(self._store.config))
        return marker is not None and view.name in marker.views

    def history(
        self, customer_ids: Sequence[str], moments: Sequence[datetime], service: str = PROPENSITY_SERVICE
    ) -> "pd.DataFrame":
        """Return the features each customer had at the moment beside them, one row a pair, in the given order.

        Columns: customer_id, event_timestamp, the profile, then the names `read_online` gives; unknown is null.
        Raises InvalidInput when nothing was applied or exported yet.
        """
        import pandas as pd

        frame: pd.DataFrame = self.offline.known_at(service, customer_ids, moments).to_pandas()
        seconds = pd.Series([moment.timestamp() for moment in moments], dtype=float)
        for name, age in [(name, age_name(name)) for name in frame]:
            if age:
                frame[age] = (seconds - frame.pop(name)) / 86_400
        return frame

    @property
    def offline(self) -> OfflineFeatures:
        """What training reads, over the same definitions and tables; raises InvalidInput when there are none yet."""
        return OfflineFeatures(self._store, self._folder, exported_events_folder(self._settings), self._own)

    def build_feature_tables(
        self,
        events: Path,
        as_of: datetime | None = None,
        progress: Progress | None = None,
        facts_version: int | None = None,
    ) -> dict[str, int]:
        """Build the feature tables from the export in `events`, which knows all before `as_of`; rows by table."""
        return build_feature_tables(events, self._folder, as_of or self._clock(), progress, facts_version)

    def apply(self) -> list[str]:
        """Register the definitions, with the attributes the tables have now; returns the names of the views."""
        from features.services import definitions

        found = definitions(self._folder, exported_events_folder(self._settings), self._own)
        with one_at_a_time(self._settings), redirect_stdout(StringIO()):
            self._store.apply(cast("list[FeastObject]", found.all()))
        self._store.registry.refresh()
        self._applied = None
        return [str(view.name) for view in found.views()]

    def materialize(self, progress: Progress | None = None, *, everybody: bool = False) -> list[Materialized]:
        """Write online what has changed since the last materialisation, view by view, and the marker at the end.

        That is every row, too, where the marker is missing or says other features, or where `everybody` is asked for.
        What is pushed meanwhile stays, being newer. After a failure the views already written are skipped. Raises
        InvalidInput when nothing was exported or applied yet, or the store was emptied meanwhile.
        """
        as_of = built_as_of(self._folder)
        if not self._store.list_feature_views():
            raise InvalidInput(NOT_APPLIED)
        with one_at_a_time(self._settings):
            store = open_store(self._settings, self._redis_url, patience=PATIENCE_OF_BATCHES)
            version = facts_version_of(self._folder)
            run = Run(as_of, self._folder, state_folder(self._settings), version, everybody, self._own)
            try:
                return materialize_views(store, run, self._clock, progress)
            finally:
                close_store(store)

    def serve_pages(self, host: str, port: int) -> None:
        """Serve Feast's own pages of what is registered until the process is told to end.

        They have no sign-in, and routes that write: `host` must be an address of this machine only. Raises
        InvalidInput when nothing was applied yet.
        """
        if not self._store.list_feature_views():
            raise InvalidInput(NOT_APPLIED)
        self._store.serve_ui(host=host, port=port)

    @property
    def _online_store(self) -> "DeadlineRedisOnlineStore":
        return cast("DeadlineRedisOnlineStore", self._store.provider.online_store)

    def _reading(self) -> Mapping[str, Sequence[str]]:
        """Return the features to read by view: those materialised, or applied where nothing is known of that."""
        marker = self._pinned[1]
        if marker is not None:
            return {view: names for view, names in marker.views.items() if _is_of_customer(view)}
        return {view: [one.name for one in self._views()[view].features] for view in _CUSTOMER_VIEWS}

    def _views(self) -> "Mapping[str, FeatureView]":
        """Return the applied views, looked up once a minute: Feast needs longer for that than Redis to answer."""
        known = self._applied
        if known is None or time.monotonic() - known[0] > REGISTRY_SECONDS:
            registry = self._store.registry
            views = (*_CUSTOMER_VIEWS, FeatureTable.OFFERS)
            found = {str(view): registry.get_feature_view(view, PROJECT, allow_cache=True) for view in views}
            known = self._applied = time.monotonic(), found
        return known[1]

    def _look_again(self) -> None:
        """Look in the background whether somebody has applied meanwhile: no decision waits for the registry."""
        now = time.monotonic()
        if now - self._looked_at > _LOOK_AGAIN_SECONDS:
            self._looked_at = now
            threading.Thread(target=self._store.registry.refresh, name="registry", daemon=True).start()

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
            self._look_again()
            raise FeaturesUnavailable(NOT_APPLIED) from None
        except Exception as error:  # Feast raises many kinds, and none may stop a decision
            raise FeaturesUnavailable(f"The feature store failed: {type(error).__name__}: {error}") from error


def _is_of_customer(view: str) -> bool:
    """Return whether a view that was materialised is one of a customer: every view of the bank's own is."""
    return view in _CUSTOMER_VIEWS or view not in _OURS


def _entity(name: str, key: str = "customer_id") -> "EntityKey":
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    return EntityKey(join_keys=[key], entity_values=[Value(string_val=name)])


def _protos(view: "FeatureView", values: Mapping[str, Any]) -> "dict[str, Value]":
    """Return the values as Feast stores them; null what the view has and `values` do not."""
    from feast.type_map import python_values_to_proto_values

    return {
        one.name: python_values_to_proto_values([values.get(one.name)], one.dtype.to_value_type())[0]
        for one in view.features
    }


def _online_features(rows: "Mapping[str, Stored]", marker: Marker | None, now: datetime) -> OnlineFeatures:
    found: dict[str, tuple[datetime, dict[str, Any]]] = {}
    for view, (moment, row) in rows.items():
        if moment is not None and row is not None and moment.timestamp() > 0:
            found[view] = moment.astimezone(UTC), {name: _plain(value) for name, value in row.items()}
    values: Mapping[str, AttributeValue] = {}
    age = profile = history = known_at = None
    if FeatureTable.INTERACTIONS in found:
        at, plain = found[FeatureTable.INTERACTIONS]
        # A row that a later materialisation left as it is, is as new as that.
        known_at = max(at, marker.as_of) if marker else at
        age = max((now - known_at).total_seconds(), 0.0)
        values = with_ages(plain, now)
    if FeatureTable.PROFILE in found:
        plain = found[FeatureTable.PROFILE][1]
        profile = {name.removeprefix("attr_"): value for name, value in plain.items() if name.startswith("attr_")}
        profile |= {name: value for name, value in plain.items() if not name.startswith("attr_")}
    if FeatureTable.HISTORY in found:
        at, plain = found[FeatureTable.HISTORY]
        history = as_row(plain, at)
    expected = (*rows, *(marker.failed if marker is not None else ()))
    own = {view: found[view][1] if view in found else None for view in expected if view not in _OURS}
    return OnlineFeatures(values, age, profile, history, marker, known_at, own)


def _plain(value: "Value") -> Any:
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    plain = getattr(value, kind)
    return list(plain.val) if kind.endswith("_list_val") else plain
