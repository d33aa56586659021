"""The propensity model in service follows its own champion, and nothing waits for it."""

import json
from pathlib import Path

import pytest

from recsys.domain.errors import BundleRefused
from recsys.models.propensity_folder import TREES
from serving.champion import PropensityInService
from tests.recsys.models.propensity import a_propensity_model, reseal
from training.gates import Gate, Verdict
from training.model_kinds import PROPENSITY
from training.registry import Findings, Registry
from training.tracking import RunRecord, log_run

PASSED = Findings({}, (Gate("judged", Verdict.PASSED, "in a test"),))


def promoted(folder: Path, uri: str, name: str, count: int) -> str:
    """Fit, register and promote a model; returns its version."""
    model = a_propensity_model(folder / name, count)
    run_id = log_run(uri, RunRecord(name, {}, {}, bundle=folder / name), experiment_name="nbo-propensity")
    registry = Registry(uri, PROPENSITY)
    registry.register(model, run_id, PASSED)
    return registry.promote(model.version, "Grace").version


def test_the_champion_is_followed_swapped_and_kept_on_disk_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    service = PropensityInService(uri, tmp_path / "bundles")
    service.check()
    assert service.model is None
    for name, count in (("first", 1_500), ("second", 1_600)):
        version = promoted(tmp_path, uri, name, count)
        service.check()
        assert service.model is not None
        assert service.model.version == version
    assert json.loads((tmp_path / "bundles" / "propensity.json").read_text()) == {"version": version}

    restarted = PropensityInService("sqlite:////nowhere/mlflow.db", tmp_path / "bundles")
    restarted.load_last_good()
    assert restarted.model is not None
    assert restarted.model.version == version

    copy = tmp_path / "bundles" / version
    (copy / TREES).write_text("tree\n")
    reseal(copy)
    again = PropensityInService("sqlite:////nowhere/mlflow.db", tmp_path / "bundles")
    again.load_last_good()
    assert again.model is None


def test_a_champion_whose_files_are_damaged_is_refused_and_the_one_in_service_stays(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    service = PropensityInService(uri, tmp_path / "bundles")
    good = promoted(tmp_path, uri, "good", 1_500)
    service.check()
    bad = promoted(tmp_path, uri, "bad", 1_600)
    for stored in (tmp_path / "mlflow").rglob(TREES):
        if (tmp_path / "bad" / TREES).read_bytes() == stored.read_bytes():
            stored.write_bytes(stored.read_bytes()[:-50])
    with pytest.raises(BundleRefused):
        service.check()
    assert service.model is not None
    assert service.model.version == good != bad


def test_stopped_before_it_started_it_loads_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    service = PropensityInService(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "bundles")
    service.stop()
    service.start()
    service.wait()
    assert service.model is None
