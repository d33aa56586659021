"""The feature store from the outside: real Feast, real Redis."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from features.from_events import interaction_features
from features.gateway import FeatureGateway, OnlineFeatures
from recsys.domain.customer import Customer
from recsys.domain.errors import FeaturesUnavailable, InvalidInput
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.interactions.served_history import history_row
from tests.features.conftest import NOW, SetClock, Settings, Store
from tests.features.exported import Given, write_export
from tests.redis_server import RedisServer, a_redis_server

VIEWS = ["customer_profile", "customer_interactions", "customer_history", "offer_answers", "offer_channel_answers"]


def push(store: Store, customer_id: str, event: Interaction) -> None:
    at = event.occurred_at
    values = interaction_features((event,), (), (), at)
    store.gateway.push(customer_id, values, history_row((event,), at), at)


def test_what_is_materialised_is_read_with_its_age(store: Store) -> None:
    found = store.gateway.read_online("客户-1")
    assert found.age_seconds == pytest.approx(3600)
    assert (found.values["declined_count_90d"], found.values["last_answer"]) == (1, "declined")
    assert found.values["days_since_last_contact"] == pytest.approx(20 + 1 / 24)


def test_a_customer_without_events_has_known_zeros(store: Store) -> None:
    assert store.gateway.read_online("quiet-0").values["accepted_count_365d"] == 0


def test_a_customer_the_store_has_never_heard_of_has_no_features(store: Store) -> None:
    assert store.gateway.read_online("nobody") == OnlineFeatures({}, None)


def test_what_is_known_of_an_offer_is_read_as_of_the_export(store: Store) -> None:
    found = store.gateway.read_offer_answers(["fund", "nobody's"])
    assert list(found) == ["fund"]
    assert found["fund"].moment == NOW
    assert found["fund"].values["offer_declined_count_30d"] == found["fund"].values["offer_shown_count_365d"] == 1


def test_the_next_read_after_a_push_sees_it(store: Store) -> None:
    at = store.clock.now
    accepted = Interaction("quiet-1", "loan", at, InteractionKind.ACCEPTED)
    push(store, "quiet-1", accepted)
    found = store.gateway.read_online("quiet-1")
    assert (found.values["accepted_count_365d"], found.values["last_answer"]) == (1, "accepted")
    assert found.age_seconds == 0


def test_a_push_older_than_what_is_stored_changes_nothing(store: Store) -> None:
    late = NOW - timedelta(days=1)
    declined = Interaction("quiet-2", "loan", late, InteractionKind.DECLINED)
    push(store, "quiet-2", declined)
    assert store.gateway.read_online("quiet-2").values["declined_count_90d"] == 0


def test_a_later_materialisation_leaves_what_was_pushed_meanwhile(store: Store) -> None:
    at = store.clock.now
    accepted = Interaction("quiet-3", "loan", at, InteractionKind.ACCEPTED)
    push(store, "quiet-3", accepted)
    written = store.gateway.materialize(everybody=True)
    assert [(view.view, view.rows) for view in written] == [
        ("customer_profile", 6), ("customer_interactions", 6), ("customer_history", 6), ("offer_answers", 1),
        ("offer_channel_answers", 1),
    ]  # fmt: skip
    assert store.gateway.read_online("quiet-3").values["accepted_count_365d"] == 1


def test_a_past_moment_knows_nothing_of_what_came_after(store: Store) -> None:
    moments = [NOW - timedelta(days=days) for days in (10, 94, 96, 210)]
    found = store.gateway.history(["客户-1"] * 4, moments)
    assert found["event_timestamp"].tolist() == moments
    assert found["declined_count_90d"].fillna(-1).tolist() == [2, 1, 0, -1]
    assert found["last_answer"].fillna("").tolist() == ["declined", "declined", "accepted", ""]
    assert found["days_since_last_accepted"].fillna(-1).tolist() == pytest.approx([190, 106, 104, -1])
    assert found["attr_年龄"].fillna(-1).tolist() == [41.0, 41.0, 41.0, -1]


def test_a_past_moment_is_right_to_the_microsecond(store: Store) -> None:
    declined_at = NOW - timedelta(days=20)
    just_before = declined_at - timedelta(microseconds=1)
    found = store.gateway.history(["客户-1", "客户-1"], [just_before, declined_at])
    assert found["declined_count_90d"].tolist() == [1, 2]


def test_a_profile_changed_on_day_10_is_the_old_one_for_a_label_of_day_9(store: Store, tmp_path: Path) -> None:
    changed = NOW - timedelta(days=10)
    old, new = (Customer("c", segment=segment, attributes={"tier": segment}) for segment in ("mass", "gold"))
    versions = ((NOW - timedelta(days=40), old), (changed, new))
    write_export(tmp_path / "offline" / "events", [Given(new, versions=versions)], NOW)
    gateway = FeatureGateway(Settings(tmp_path, tmp_path / "offline", store.settings.redis_url), clock=store.clock)
    gateway.build_feature_tables(tmp_path / "offline" / "events", as_of=NOW)
    gateway.apply()
    moments = [changed - timedelta(days=1), changed - timedelta(microseconds=1), changed, NOW - timedelta(days=41)]
    found = gateway.history(["c"] * 4, moments)
    assert found["segment"].fillna("").tolist() == ["mass", "mass", "gold", ""]
    assert found["attr_tier"].fillna("").tolist() == ["mass", "mass", "gold", ""]
    gateway.close()


def test_training_and_serving_read_the_same_values(store: Store) -> None:
    served = store.gateway.read_online("客户-1").values
    trained = store.gateway.history(["客户-1"], [store.clock.now]).iloc[0].to_dict()
    assert {name: trained[name] for name in served} == {name: pytest.approx(v) for name, v in served.items()}


def test_no_name_and_no_permission_flag_reaches_redis(store: Store) -> None:
    with redis.Redis.from_url(store.settings.redis_url or "") as client:
        stored = b"".join(
            key + b"".join(field + value for field, value in client.hgetall(key).items()) for key in client.scan_iter()
        )
    assert "客户-1".encode() in stored
    assert b"Lovelace" not in stored
    assert "vulnerable" not in store.gateway.history(["客户-1"], [NOW]).columns


def test_a_hung_redis_is_reported_at_once_and_recovers_by_itself(store: Store, redis_server: RedisServer) -> None:
    assert store.gateway.read_online("客户-1").values
    with redis_server.hung():
        for _ in range(6):
            started = time.perf_counter()
            with pytest.raises(FeaturesUnavailable):
                store.gateway.read_online("客户-1")
            assert time.perf_counter() - started < 0.25
    assert _is_back_within(store.gateway, seconds=5)


def test_a_restarted_redis_keeps_the_features_and_is_found_again(store: Store) -> None:
    with a_redis_server() as server:
        gateway = FeatureGateway(
            Settings(store.settings.home, store.settings.offline, None), server.url, clock=store.clock
        )
        gateway.materialize()
        before = gateway.read_online("客户-1")
        server.kill()
        with pytest.raises(FeaturesUnavailable):
            gateway.read_online("客户-1")
        server.start()
        assert _is_back_within(gateway, seconds=5)
        assert gateway.read_online("客户-1") == before
        gateway.close()


def test_an_interrupted_materialisation_goes_on_where_it_stopped(store: Store) -> None:
    def interrupt(what: str, done: int, total: int | None) -> None:
        if "interactions" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.gateway.materialize(interrupt, everybody=True)
    seen: list[str] = []
    written = store.gateway.materialize(lambda what, done, total: seen.append(what), everybody=True)
    assert [view.view for view in written] == VIEWS
    assert {what.split()[-1] for what in seen} == set(VIEWS[1:])


def test_an_attribute_that_comes_with_a_later_export_is_known_after_apply(store: Store, tmp_path: Path) -> None:
    home = tmp_path
    with a_redis_server() as server:
        gateway = FeatureGateway(Settings(home, home / "offline", server.url), clock=SetClock(NOW))
        gateway.apply()
        write_export(home / "offline" / "events", [store.ada], NOW)
        gateway.build_feature_tables(home / "offline" / "events")
        gateway.apply()
        gateway.materialize()
        assert gateway.history(["客户-1"], [NOW])["attr_owner"].tolist() == [True]
        gateway.close()


def test_feast_leaves_the_metrics_of_the_service_where_they_are(store: Store) -> None:
    before = [name for name in os.environ if name.startswith("PROMETHEUS_")]
    store.gateway.read_online("quiet-0")
    assert [name for name in os.environ if name.startswith("PROMETHEUS_")] == before == []


def test_two_may_apply_at_once(store: Store) -> None:
    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(lambda gateway: gateway.apply(), [store.gateway, store.gateway]))
    assert applied == [[*VIEWS, "interaction_events"]] * 2
    assert store.gateway.read_online("客户-1").values


def test_each_step_says_which_one_must_come_before(redis_server: RedisServer, tmp_path: Path) -> None:
    home = tmp_path
    gateway = FeatureGateway(Settings(home, home / "offline", redis_server.url), clock=SetClock(NOW))
    with pytest.raises(InvalidInput, match="nbo features export"):
        gateway.materialize()
    write_export(home / "offline" / "events", [Given(Customer("c"))], NOW)
    gateway.build_feature_tables(home / "offline" / "events")
    with pytest.raises(InvalidInput, match="nbo features apply"):
        gateway.materialize()
    with pytest.raises(InvalidInput, match="nbo features apply"):
        gateway.history(["c"], [NOW])
    with pytest.raises(FeaturesUnavailable, match="nbo features apply"):
        gateway.read_online("c")
    gateway.close()


def _is_back_within(gateway: FeatureGateway, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return bool(gateway.read_online("客户-1").values)
        except FeaturesUnavailable:
            time.sleep(0.05)
    return False


def test_the_registry_may_live_in_a_schema_of_its_own_in_postgresql(
    store: Store, postgresql_url: str, tmp_path: Path
) -> None:
    settings = Settings(tmp_path, store.settings.offline, store.settings.redis_url, postgresql_url)
    gateway = FeatureGateway(settings, clock=store.clock)
    with pytest.raises(FeaturesUnavailable, match="nbo features apply"):
        gateway.read_online("客户-1")
    gateway.apply()
    gateway.materialize()
    assert gateway.read_online("客户-1").values["last_answer"] == "declined"
    assert not (tmp_path / "feast" / "registry.db").exists()
    gateway.close()
