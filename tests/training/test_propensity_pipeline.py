"""Training the propensity model, start to finish, with a real registry."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.service_names import PROPENSITY_SERVICE
from recsys.models.propensity_folder import load_propensity_model
from tests.training.answers import Given, a_logistic_world, answered
from tests.training.events import bought, export, features_of
from training.gates import Verdict
from training.model_kinds import PROPENSITY, RELEVANCE, kind_of
from training.propensity_card import SECTIONS
from training.propensity_data import is_in_evaluation
from training.propensity_fit import FitOptions
from training.propensity_pipeline import PropensityConfig, PropensityResult, summarise_propensity, train_propensity
from training.registry import Registry
from training.tracking import open_tracking

WORLD = a_logistic_world(3_000)


def run(tracking_uri: str, world: list[Given], **changes: Any) -> PropensityResult:
    events = export(Path(tracking_uri.removeprefix("sqlite:///")).parent / "events", bought("somebody else", "x", 1))
    features = features_of(events, PROPENSITY_SERVICE)
    config = PropensityConfig(features, tracking_uri, promote_if_better=True, trainer="Ada", **changes)
    return train_propensity(config, answered(*world), lambda what, done, total: None)


@pytest.fixture(scope="module")
def trained(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[PropensityResult, str]:
    folder = tmp_path_factory.mktemp("propensity") / "mlflow"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(tables.read_bytes())
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return run(uri, WORLD), uri


def test_a_model_that_learned_the_law_is_better_than_the_declared_weights_and_becomes_champion(
    trained: tuple[PropensityResult, str],
) -> None:
    result, _ = trained
    found = summarise_propensity(result)
    assert found["models"]["this model"]["ΔAUC"]["low"] > 0
    assert found["models"]["this model"]["ECE"]["mean"] < found["models"]["declared weights"]["ECE"]["mean"] / 2
    assert (result.is_promoted, result.champion) == (True, result.registered.version)


def test_every_gate_is_judged_and_kept_with_the_version(trained: tuple[PropensityResult, str]) -> None:
    result, _ = trained
    assert {gate.name: gate.verdict for gate in result.registered.gates} == {
        "calibration error": Verdict.PASSED,
        "AUC not below the declared weights": Verdict.PASSED,
        "same features in service": Verdict.NOT_APPLICABLE,
        "bundle checks and canary": Verdict.PASSED,
        "approved by somebody else": Verdict.NOT_APPLICABLE,
        "complete model card": Verdict.PASSED,
    }


def test_the_card_has_every_section_and_names_both_baselines(trained: tuple[PropensityResult, str]) -> None:
    card = Path((trained[0].registered.card or "").removeprefix("file://")).read_text(encoding="utf-8")
    assert all(f"## {heading}\n" in card for heading in SECTIONS.values())
    assert "| metric | this model | before calibration | declared weights | logistic regression |" in card


def test_the_run_has_bundle_card_reliability_and_metrics(trained: tuple[PropensityResult, str]) -> None:
    result, uri = trained
    client, run_id = open_tracking(uri), result.registered.run_id
    names = {entry.path for folder in ("", "plots") for entry in client.list_artifacts(run_id, folder)}
    assert names >= {"bundle", "model_card.md", "model_card.json", "plots/reliability.png", "plots/reliability.svg"}
    metrics = client.get_run(run_id).data.metrics
    assert metrics["this_model_AUC_low"] < metrics["this_model_AUC"] < metrics["this_model_AUC_high"]


def test_versions_are_a_registered_model_of_their_own(trained: tuple[PropensityResult, str], tmp_path: Path) -> None:
    result, uri = trained
    version = result.registered.version
    assert (kind_of(version), kind_of("m-123"), kind_of("4")) == (PROPENSITY, RELEVANCE, RELEVANCE)
    assert Registry(uri).versions() == []
    fetched = Registry(uri, PROPENSITY).fetch(version, tmp_path)
    assert load_propensity_model(fetched, version).manifest["training"]["digest"] == result.rows.window()["digest"]


def test_trained_again_it_is_the_same_version_and_another_seed_is_another(
    trained: tuple[PropensityResult, str],
) -> None:
    result, uri = trained
    again, other = run(uri, WORLD), run(uri, WORLD, options=FitOptions(seed=1))
    assert (again.registered.version, again.is_promoted) == (result.registered.version, False)
    assert other.registered.version != result.registered.version


def test_answers_of_the_evaluation_slice_change_nothing_that_is_fitted(tracking_uri: str) -> None:
    turned = [
        replace(one, signals={**one.signals, "noise": 9.0}) if is_in_evaluation(one.customer) else one for one in WORLD
    ]
    assert turned != WORLD
    one, other = (run(tracking_uri, world).fitted for world in (WORLD, turned))
    assert one.fit.parts.trees == other.fit.parts.trees
    np.testing.assert_array_equal(one.fit.parts.calibration.numbers, other.fit.parts.calibration.numbers)
    assert (one.evaluation.table != other.evaluation.table).any()


def test_where_chances_stop_being_true_the_gate_keeps_the_version_out(tracking_uri: str) -> None:
    changed = [replace(one, answer=WORLD[n % 800].answer) if n >= 2_400 else one for n, one in enumerate(WORLD)]
    result = run(tracking_uri, changed)
    assert not result.is_promoted
    assert any(text.startswith("AUC not below the declared weights") for text in result.registered.refusals)
