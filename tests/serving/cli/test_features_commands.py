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
from serving.cli.own_features import applied_own
from serving.embedded_redis import embedded_redis
from serving.settings import Settings
from tests.builders import a_contact
from tests.features.own import payroll_folder


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


@pytest.fixture
def own(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documented example beside the home, with one salary of the one customer."""
    database = open_database(settings.event_log_url)
    with database.transaction() as log:
        log.set_attribute_types({"monthly_income_cny": "number"})
    database.close()
    paid = [("c1", system_clock() - timedelta(days=1), 900.0, "rail")]
    folder = payroll_folder(tmp_path / "bank", paid)
    monkeypatch.setenv("NBO_FEATURES", str(folder))
    return folder


def refused(*arguments: str) -> str:
    """Return what a command that fails says."""
    result = CliRunner().invoke(build(), [*arguments])
    assert result.exit_code == 1
    return (
        result.output if result.exception is None or isinstance(result.exception, SystemExit) else str(result.exception)
    )


def test_the_documented_example_goes_from_its_file_to_the_customer_online(own: Path, settings: Settings) -> None:
    assert nbo("features", "export")["tables"]["payroll"] == 1
    assert "payroll" in nbo("features", "apply")["views"]
    assert {one["view"]: one["rows"] for one in nbo("features", "materialize")["views"]}["payroll"] == 1
    with embedded_redis(settings.home) as redis_url:
        gateway = FeatureGateway(settings, redis_url)
        assert gateway.read_online("c1").own == {"payroll": {"salary_paid": 900.0, "employer_sector": "rail"}}
        gateway.close()
    assert nbo("features", "skew")["decisions"] == 0


def test_what_is_wrong_is_said_by_the_command_and_nothing_is_applied(own: Path, settings: Settings) -> None:
    nbo("features", "export")
    nbo("features", "apply")
    text = (own / "payroll.py").read_text()
    (own / "payroll.py").write_text(text.replace('"salary_paid", float', '"salary_paid", str'))
    said = refused("features", "export")
    assert f"{own / 'payroll.parquet'}, column salary_paid: expected str, found double" in said
    assert "customer_profile: " in said  # ours are built all the same
    (own / "payroll.py").write_text(text.replace("salary_paid", "vulnerable"))
    assert "payroll.py: view payroll, feature vulnerable: we have a feature of this name" in refused(
        "features", "apply"
    )
    assert applied_own(settings).names.keys() == {"salary_paid", "employer_sector", "salary_share"}
    nbo("features", "materialize")


def test_materialise_before_export_says_what_to_run(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="nbo features export"):
        nbo("features", "materialize")


def test_export_without_an_event_log_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBO_HOME", str(tmp_path / "nothing"))
    with pytest.raises(InvalidInput, match="nbo import"):
        nbo("features", "export")
