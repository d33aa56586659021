"""`nbo features`: from a real event log to features in a real Redis."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.gateway import FeatureGateway
from recsys.domain.clock import system_clock
from recsys.domain.customer import Customer
from recsys.domain.errors import InvalidInput
from recsys.storage.database import open_database
from serving.cli.main import build
from serving.embedded_redis import embedded_redis
from serving.settings import Settings
from tests.builders import a_contact


def nbo(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(build(), [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with an event log that knows one customer."""
    monkeypatch.setenv("NBO_HOME", str(tmp_path))
    settings = Settings()
    database = open_database(settings.event_log_url)
    database.upgrade()
    now = system_clock()
    with database.transaction() as log:
        log.add_customer(Customer("c1", name="Ada", risk_level=2, attributes={"age": 40.0}), now)
        log.add_contact(a_contact(contact_id="k1", customer_id="c1", opened_at=now - timedelta(days=3)))
    database.close()
    return settings


def test_export_apply_and_materialise_make_a_customer_readable_online(settings: Settings) -> None:
    exported = nbo("features", "export")
    assert (exported["events"]["customers"], exported["tables"]["customer_profile"]) == (1, 2)
    assert "customer_interactions" in nbo("features", "apply")["views"]
    materialized = nbo("features", "materialize")
    assert materialized["rows"] == 3
    with embedded_redis(settings.home) as redis_url:
        gateway = FeatureGateway(settings, redis_url)
        values = gateway.read_online("c1").values
        gateway.close()
    assert values["contact_count_90d"] == 1
    assert values["days_since_last_contact"] == pytest.approx(3, abs=0.1)


def test_materialise_before_export_says_what_to_run(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="nbo features export"):
        nbo("features", "materialize")


def test_export_without_an_event_log_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "nothing"))
    with pytest.raises(InvalidInput, match="nbo import"):
        nbo("features", "export")
