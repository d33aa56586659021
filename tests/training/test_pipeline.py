"""Training, start to finish, on small event logs with a real registry."""

from pathlib import Path
from typing import Any

import pytest

from recsys.models.bundle_files import load_bundle
from tests.training.events import features_of, one_taste, two_tastes
from training.config import TrainingConfig
from training.gates import Verdict
from training.pipeline import TrainResult, summarise, train
from training.registry import Registry
from training.search_spaces import SPACES
from training.tracking import open_tracking

PARAMETERS: dict[str, dict[str, Any]] = {"als": {"factors": 8, "iterations": 5}, "item_item": {"weighting": "cosine"}}


def run(
    events: Path, tracking_uri: str, *models: str, promote: bool = True, seed: int = 7, tune: int | None = None
) -> TrainResult:
    names = models or ("popularity", "item_item", "als")
    config = TrainingConfig(
        features_of(events), tracking_uri, names, PARAMETERS, seed=seed, promote_if_better=promote, tune=tune
    )
    return train(config, lambda what, done, total: None)


def test_where_tastes_differ_a_personal_model_wins_and_becomes_champion(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri)
    assert result.comparison.best.name in ("item_item", "als")
    assert not result.comparison.baseline_wins
    assert result.is_promoted
    assert result.champion == result.registered.version


def test_where_tastes_are_alike_popularity_wins_and_it_is_said(tmp_path: Path, tracking_uri: str) -> None:
    result = run(one_taste(tmp_path / "events"), tracking_uri)
    assert summarise(result)["popularity_wins"]
    assert (result.registered.model, result.is_promoted, result.registered.approver) == (
        "popularity",
        True,
        "promotion gates",
    )


def test_popularity_becomes_the_first_champion_where_only_others_were_asked_for_and_none_is_better(
    tmp_path: Path, tracking_uri: str
) -> None:
    result = run(one_taste(tmp_path / "events"), tracking_uri, "als")
    assert (result.registered.model, result.champion) == ("popularity", result.registered.version)


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


def test_every_candidate_has_a_run_below_that_of_the_training_and_every_trial_below_its_candidate(
    tmp_path: Path, tracking_uri: str
) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, "item_item", tune=2)
    client = open_tracking(tracking_uri)
    experiment = client.get_experiment_by_name("nbo-relevance")
    runs = {entry.info.run_name: entry for entry in client.search_runs([experiment.experiment_id])}
    above = {name: runs[name].data.tags.get("mlflow.parentRunId") for name in runs}
    ids = {name: entry.info.run_id for name, entry in runs.items()}
    assert above == {
        "train": None,
        "popularity": ids["train"],
        "item_item": ids["train"],
        **{f"{name} trial {n}": ids[name] for name in ("popularity", "item_item") for n in (1, 2)},
    }
    trial = runs["item_item trial 2"].data
    search = result.comparison.candidates[1].search
    assert search is not None
    assert trial.metrics["validation_NDCG_at_5"] == search.trials[1].value
    assert trial.params.keys() == SPACES["item_item"].keys()
    history = client.get_metric_history(ids["item_item"], "validation_NDCG_at_5")
    assert [point.value for point in history] == [one.value for one in search.trials]


def test_the_best_run_has_bundle_card_and_pictures(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, tune=2)
    client = open_tracking(tracking_uri)
    names = {
        entry.path for folder in ("", "plots") for entry in client.list_artifacts(result.registered.run_id, folder)
    }
    pictures = {f"plots/{name}.{kind}" for name in ("recall", "exposure", "against_popularity", "parity", "search")
                for kind in ("png", "svg")}  # fmt: skip
    assert names == {"bundle", "model_card.md", "model_card.json", "plots"} | pictures
    assert result.registered.card == f"{client.get_run(result.registered.run_id).info.artifact_uri}/model_card.md"


def test_a_tuned_model_is_trained_with_what_the_search_found(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, "ease", tune=3)
    best = result.comparison.best
    assert best.search is not None
    assert result.registered.parameters == best.search.best.parameters
    assert summarise(result)["models"]["ease"]["search"]["trials"] == 3


def test_every_gate_is_kept_with_the_version_and_none_passes_unjudged(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, "item_item")
    assert {gate.name: gate.verdict for gate in result.registered.gates} == {
        "better than popularity": Verdict.PASSED,
        "not worse than the champion": Verdict.NOT_APPLICABLE,
        "judged by later purchases": Verdict.PASSED,
        "scores tell offers and customers apart": Verdict.PASSED,
        "even across segments": Verdict.NOT_APPLICABLE,
        "facts without a date": Verdict.NOT_APPLICABLE,
        "calibration error": Verdict.NOT_APPLICABLE,
        "off-policy value": Verdict.NOT_APPLICABLE,
        "bundle checks and canary": Verdict.PASSED,
        "approved by somebody else": Verdict.NOT_APPLICABLE,
        "complete model card": Verdict.PASSED,
    }
    assert result.registered.gates == tuple(result.gates)


def test_fold_in_parity_of_the_best_is_measured(tmp_path: Path, tracking_uri: str) -> None:
    result = run(two_tastes(tmp_path / "events"), tracking_uri, "item_item")
    parity = summarise(result)["parity"]
    assert (parity["customers"], parity["list_length"]) == (24, 10)
    assert 0.5 < parity["overlap"]["mean"] <= 1
    logged = open_tracking(tracking_uri).get_run(result.registered.run_id).data.metrics
    assert logged["parity_overlap_at_10"] == parity["overlap"]["mean"]
