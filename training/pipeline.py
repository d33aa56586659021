"""Training, start to finish: hold out the latest purchases, compare, refit the best, register, promote."""

import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from recsys.models.bundle import Bundle, TrainingFacts, save_bundle
from recsys.models.families import create_model
from training.comparison import Candidate, Comparison, compare
from training.config import HEADLINE, Progress, TrainingConfig
from training.dataset import Dataset, Window
from training.promotion import Gate, refusals
from training.registry import Registry, VersionInfo
from training.tracking import RunRecord, log_run


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training run found, registered and promoted; `champion` is the version that serves now."""

    window: Window
    comparison: Comparison
    registered: VersionInfo
    gates: list[Gate]
    is_promoted: bool
    champion: str | None


def train(config: TrainingConfig, progress: Progress) -> TrainResult:
    """Compare `config.models` beside popularity, register the best by `HEADLINE`, and promote it if asked to.

    The first version of a registry is promoted when its bundle passes its checks, a later one when every
    gate holds. The same events, models and seed give the same version. Raises ImportInvalid when the
    events are too few to learn from or to compare models on.
    """
    registry = Registry(config.tracking_uri)
    serving = registry.champion()
    with Dataset(config.events) as dataset, tempfile.TemporaryDirectory() as folder:
        window = dataset.window()
        comparison = compare(config, dataset, progress)
        gates = comparison.judge_best(registry.version(serving) if serving else None)
        progress("train on everything", 0, 1)
        directory = Path(folder) / "bundle"
        bundle = refit(comparison, dataset, window, directory)
        progress("train on everything", 1, 1)
        run_id = log_runs(comparison, window, directory)
    best = comparison.best
    means = {name: round(interval.mean, 6) for name, interval in best.intervals.items()}
    registered = registry.register(bundle, run_id, means, tuple(refusals(gates)))
    is_promoted = config.promote_if_better and registered.version != serving and not (serving and refusals(gates))
    if is_promoted:
        registered = registry.promote(registered.version, approver="promotion gates")
    return TrainResult(window, comparison, registered, gates, is_promoted, registry.champion())


def refit(comparison: Comparison, dataset: Dataset, window: Window, directory: Path) -> Bundle:
    """Fit the best family on every event up to the end of the log and write its bundle to `directory`."""
    config, best = comparison.config, comparison.best
    everything = dataset.as_of(window.last).interactions
    model = create_model(best.name, best.parameters).fit(everything, rng=np.random.default_rng(config.seed))
    facts = TrainingFacts(dataset.answer_counts(), {**window.described(), "seed": config.seed})
    return save_bundle(directory, model, everything, np.random.default_rng(config.seed), facts)


def log_runs(comparison: Comparison, window: Window, directory: Path) -> str:
    """Log one run for the training and one below it for each candidate; return the best one's, with its bundle."""
    config = comparison.config
    data = {**window.described(), "seed": config.seed, "test_share": config.test_share, "tasks": len(comparison.tasks)}
    tags = {"code_version": _code_version()}
    parent = log_run(config.tracking_uri, RunRecord("train", data, {}, tags))
    runs = {}
    for candidate in comparison.candidates:
        files = directory if candidate is comparison.best else None
        record = RunRecord(candidate.name, {**candidate.parameters, **data}, _metrics(candidate), tags, files)
        runs[candidate.name] = log_run(config.tracking_uri, record, parent)
    return runs[comparison.best.name]


def _metrics(candidate: Candidate) -> dict[str, float]:
    metrics = {**candidate.evaluation.coverage, "score_seconds": candidate.evaluation.score_seconds}
    intervals = dict(candidate.intervals)
    if candidate.against_popularity:
        intervals[f"{HEADLINE}_against_popularity"] = candidate.against_popularity
    for name, interval in intervals.items():
        metrics |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return metrics


def _code_version() -> str:
    """Return the installed version, with the commit where the code runs from a checkout."""
    try:
        installed = version("nbo")
    except PackageNotFoundError:
        installed = "not installed"
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return installed
    return f"{installed}+{commit}"


def summarise(result: TrainResult) -> dict[str, Any]:
    """Return the result as JSON values."""
    comparison = result.comparison
    models = {}
    for candidate in comparison.candidates:
        against = candidate.against_popularity
        models[candidate.name] = {
            **{name: interval.rounded() for name, interval in candidate.intervals.items()},
            **{name: round(share, 6) for name, share in candidate.evaluation.coverage.items()},
            "against_popularity": {HEADLINE: against.rounded()} if against else None,
            "parameters": candidate.parameters,
        }
    return {
        "window": result.window.described(),
        "tasks": len(comparison.tasks),
        "split": "time",
        "models": models,
        "best": comparison.best.name,
        "popularity_wins": comparison.baseline_wins,
        "version": result.registered.version,
        "number": result.registered.number,
        "gates": [{"gate": gate.name, "passed": gate.is_passed, "figure": gate.figure} for gate in result.gates],
        "promoted": result.is_promoted,
        "champion": result.champion,
    }
