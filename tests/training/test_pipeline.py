"""Training, start to finish, on small event logs with a real registry."""

from pathlib import Path
from typing import Any

import pytest

from recsys.models.bundle import load_bundle
from tests.training.events import one_taste, two_tastes
from training.config import TrainingConfig
from training.pipeline import TrainResult, summarise, train
from training.registry import Registry
from training.tracking import open_tracking

PARAMETERS: dict[str, dict[str, Any]] = {"als": {"factors": 8, "iterations": 5}, "item_item": {"weighting": "cosine"}}


def run(events: Path, tracking_uri: str, *models: str, promote: bool = True, seed: int = 7) -> TrainResult:
    names = models or ("popularity", "item_item", "als")
    config = TrainingConfig(events, tracking_uri, names, PARAMETERS, seed=seed, promote_if_better=promote)
    return train(config, lambda what, done, total: None)


def test_where_tastes_differ_a_personal_model_wins_and_becomes_champion(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri)
    assert result.comparison.best.name in ("item_item", "als")
    assert not result.comparison.baseline_wins
    assert result.is_promoted
    assert result.champion == result.registered.version


def test_where_tastes_are_alike_popularity_wins_and_it_is_said(tmp_path: Path, tracking_uri: str) -> None:
    assert summarise(run(one_taste(tmp_path / "events"), tracking_uri))["popularity_wins"]


def test_a_challenger_that_is_not_better_than_popularity_is_registered_but_not_promoted(
    tmp_path: Path, tracking_uri: str
) -> None:
    events = one_taste(tmp_path / "events")
    champion = run(events, tracking_uri, "popularity").champion
    result = run(events, tracking_uri, "als")
    assert not result.is_promoted
    assert result.champion == champion
    assert result.registered.refusals[0].startswith("better than popularity: NDCG@5 differs by")


def test_nothing_is_promoted_unless_asked_for(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, promote=False)
    assert (result.is_promoted, result.champion) == (False, None)


def test_training_again_on_the_same_events_gives_the_same_version(tmp_path: Path, tracking_uri: str) -> None:
    events = two_tastes(tmp_path / "events")
    one, again = (run(events, tracking_uri, "als") for _ in range(2))
    assert one.registered.version == again.registered.version
    assert not again.is_promoted
    assert [info.number for info in Registry(tracking_uri).versions()] == [1]


def test_another_seed_is_another_version(tmp_path: Path, tracking_uri: str) -> None:
    events = two_tastes(tmp_path / "events")
    versions = {run(events, tracking_uri, "als", seed=seed).registered.version for seed in (1, 2)}
    assert len(versions) == 2


def test_the_registered_bundle_is_the_model_of_everything(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, "item_item")
    bundle = load_bundle(Registry(tracking_uri).fetch(result.registered.version, tmp_path / "bundles"))
    assert bundle.version == result.registered.version
    assert bundle.manifest["training"]["digest"] == result.window.digest
    scores = bundle.score({"a1": 1.0, "a2": 1.0}, ["a3", "b3"])
    assert scores[0] > scores[1]


def test_runs_keep_parameters_metrics_data_and_code_version(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri)
    logged = open_tracking(tracking_uri).get_run(result.registered.run_id).data
    best = result.comparison.best
    assert logged.metrics["NDCG_at_5"] == pytest.approx(best.headline)
    assert logged.metrics["NDCG_at_5_low"] < logged.metrics["NDCG_at_5"] < logged.metrics["NDCG_at_5_high"]
    assert logged.params["digest"] == result.window.digest
    assert {name: logged.params[name] for name in best.parameters} == {k: str(v) for k, v in best.parameters.items()}
    assert logged.tags["code_version"]
    assert open_tracking(tracking_uri).get_run(logged.tags["mlflow.parentRunId"]).data.params["seed"] == "7"


def test_every_candidate_has_a_run_of_its_own(tmp_path: Path, tracking_uri: str) -> None:
    run(two_tastes(tmp_path / "events"), tracking_uri)
    client = open_tracking(tracking_uri)
    experiment = client.get_experiment_by_name("nbo-relevance")
    names = sorted(entry.info.run_name for entry in client.search_runs([experiment.experiment_id]))
    assert names == ["als", "item_item", "popularity", "train"]
