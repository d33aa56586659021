"""A feature store for tests: real Feast over a real Redis, applied and materialised once a session."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.gateway import FeatureGateway
from recsys.domain.contact import Contact
from recsys.domain.customer import Customer
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from tests.features.exported import Given, write_export
from tests.redis_server import RedisServer, redis_server  # noqa: F401  (a fixture)

NOW = datetime(2026, 3, 1, 9, 30, 0, 123_456, tzinfo=UTC)


@dataclass
class Settings:
    """The part of the service's settings that the feature store needs."""

    home: Path
    offline: Path
    redis_url: str | None
    database_url: str | None = None


@dataclass
class SetClock:
    """A clock that stands where a test puts it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Store:
    """The store, where its tables are, and what was given."""

    gateway: FeatureGateway
    settings: Settings
    clock: SetClock
    ada: Given


def ada() -> Given:
    """Return a customer with a bit of everything."""
    return Given(
        Customer("客户-1", name="Ada Lovelace", segment="gold", risk_level=3, attributes={"年龄": 41.0, "owner": True}),
        history=(
            Interaction("客户-1", "loan", NOW - timedelta(days=200), InteractionKind.ACCEPTED),
            Interaction("客户-1", "card", NOW - timedelta(days=95), InteractionKind.DECLINED),
            Interaction("客户-1", "fund", NOW - timedelta(days=20), InteractionKind.DECLINED),
        ),
        answers=(PastAnswer("fund", Answer.DECLINED, NOW - timedelta(days=20)),),
        contacts=(Contact("k1", "客户-1", NOW - timedelta(days=20), sentiment=-0.5),),
    )


@pytest.fixture(scope="session")
def store(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:  # noqa: F811
    """The shared store; a test that writes takes a customer of its own."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home, home / "offline", redis_server.url)
    clock = SetClock(NOW + timedelta(hours=1))
    gateway = FeatureGateway(settings, clock=clock)
    quiet = [Given(Customer(f"quiet-{number}")) for number in range(5)]
    write_export(settings.offline / "events", [ada(), *quiet], NOW)
    gateway.build_feature_tables(settings.offline / "events", as_of=NOW)
    gateway.apply()
    gateway.materialize()
    yield Store(gateway, settings, clock, ada())
    gateway.close()
