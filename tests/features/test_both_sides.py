"""What decisions read online is what training reads of the same person and moment: every feature, arrays included."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from features.customer_history import HISTORY_FEATURES, as_values
from features.from_events import INTERACTION_FEATURES, PROFILE_FEATURES, with_ages
from features.gateway import FeatureGateway
from features.service_names import DECISION_SERVICE
from recsys.domain.customer import Customer
from recsys.interactions.served_history import fold
from recsys.interactions.weights import history_weights
from tests.features.conftest import NOW, SetClock, Settings
from tests.features.exported import Given, write_export
from tests.features.test_from_events import random_customers
from tests.redis_server import RedisServer, redis_server  # noqa: F401  (a fixture)

MOMENTS = [NOW - timedelta(days=200), NOW - timedelta(days=31, microseconds=1), NOW - timedelta(days=1), NOW]


@pytest.mark.parametrize("people", [40, pytest.param(2_500, marks=pytest.mark.slow)])
def test_online_is_offline_for_every_person_moment_and_feature(
    people: int,
    tmp_path: Path,
    redis_server: RedisServer,  # noqa: F811
) -> None:
    given = [with_versions(one, np.random.default_rng(number)) for number, one in enumerate(people_with_events(people))]
    names = [one.customer.customer_id for one in given]
    compared, features = 0, set[str]()
    with a_store(tmp_path / "afterwards", redis_server.url, given, NOW + timedelta(days=6)) as afterwards:
        for moment in MOMENTS:
            Redis.from_url(redis_server.url).flushall()
            with a_store(tmp_path / f"{moment:%Y%m%d}", redis_server.url, given, moment) as then:
                then.materialize()
                later = rows(afterwards, names, moment)
                as_built = rows(then, names, moment)
                for one in given:
                    name = one.customer.customer_id
                    online = then.read_online(name)
                    offline = told(later[name], moment)
                    assert (online.profile or {}, online.values) == offline, (name, moment)
                    assert online.history is not None
                    assert as_values(online.history) == {n: as_built[name][n] for n in HISTORY_FEATURES}, (name, moment)
                    past = history_weights(one.history, moment)
                    assert fold(online.history, one.history, moment) == pytest.approx(past, abs=1e-9)
                    features |= offline[0].keys() | online.values.keys() | as_values(online.history).keys()
                    compared += 1
    assert compared == people * len(MOMENTS)
    assert len(features) == len(PROFILE_FEATURES) + len(INTERACTION_FEATURES) + len(HISTORY_FEATURES) + 2


def people_with_events(count: int) -> list[Given]:
    """Random people, some of whose events happened at the very moments and a microsecond later."""
    people = random_customers(np.random.default_rng(11), count)
    at_once = [moment + timedelta(microseconds=later) for moment in MOMENTS for later in (0, 1)]

    def busier(one: Given) -> Given:
        again = (replace(event, occurred_at=at) for event, at in zip(one.history, at_once, strict=False))
        return replace(one, history=(*one.history, *again))

    return [busier(one) if number % 3 == 0 else one for number, one in enumerate(people)]


def with_versions(one: Given, chance: np.random.Generator) -> Given:
    """Give a person up to four versions of their facts, known since moments of which some are those asked about."""
    dated = {MOMENTS[chance.integers(4)] + timedelta(microseconds=int(chance.integers(2))) for _ in range(4)}
    since = sorted({NOW - timedelta(days=600), *dated})
    name = one.customer.customer_id
    versions = [
        (at, Customer(name, segment=str(chance.choice(["gold", "mass"])), risk_level=int(chance.integers(1, 6)),
                      attributes={"age": float(chance.integers(18, 90)), "owner": bool(chance.random() < 0.5)}))
        for at in since
    ]  # fmt: skip
    return replace(one, versions=tuple(versions))


def as_known(one: Given, moment: datetime) -> Given:
    """A person as the log has them at the moment; what happens later is left in, and must not be seen."""
    versions = tuple(version for version in one.versions if version[0] <= moment)
    return replace(one, customer=versions[-1][1], versions=versions)


@contextmanager
def a_store(home: Path, redis_url: str, given: list[Given], as_of: datetime) -> Iterator[FeatureGateway]:
    """A feature store whose tables were built at `as_of` from all there is."""
    gateway = FeatureGateway(Settings(home, home / "offline", redis_url), clock=SetClock(as_of))
    try:
        write_export(home / "offline" / "events", [as_known(one, as_of) for one in given], as_of)
        gateway.build_feature_tables(home / "offline" / "events", as_of=as_of)
        gateway.apply()
        yield gateway
    finally:
        gateway.close()


def rows(gateway: FeatureGateway, names: list[str], moment: datetime) -> dict[str, dict[str, Any]]:
    """What training reads, by person."""
    table = gateway.offline.known_at(DECISION_SERVICE, names, moment).to_pylist()
    return {row["customer_id"]: row for row in table}


def told(row: dict[str, Any], moment: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts and the behaviour that training reads, by the names that decisions have for them."""
    facts = {name.removeprefix("attr_"): row[name] for name in row if name in PROFILE_FEATURES or name[:5] == "attr_"}
    known = {name: row[name] for name in INTERACTION_FEATURES}
    return ({} if all(value is None for value in facts.values()) else facts), with_ages(known, moment)
