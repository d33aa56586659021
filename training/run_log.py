"""What a training run tells MLflow: one run for it, one below for every family, and one below that for every trial."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recsys.evaluation.intervals import Interval
from training.artifacts import draw_trials
from training.comparison import Candidate, Comparison
from training.config import HEADLINE, Progress
from training.dataset import Window
from training.parity import Parity
from training.tracking import RunRecord, TrainingData, log_run

VALIDATION = f"validation_{HEADLINE}"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The folders of what a run made: the bundle, what lies beside it, and room for pictures of each family."""

    bundle: Path
    artifacts: Path
    scratch: Path


@dataclass(frozen=True, slots=True)
class Learned:
    """What the refit learned from: the `sizes` of it, and the `data` as MLflow is told of it."""

    sizes: Mapping[str, Any]
    data: TrainingData


def log_runs(
    comparison: Comparison,
    window: Window,
    learned: Learned,
    parity: Parity | None,
    outputs: Outputs,
    progress: Progress,
) -> str:
    """Log everything and return the best candidate's run, which has the bundle, the model card and the pictures."""
    config, best, candidates = comparison.config, comparison.best, comparison.candidates
    data = {**window.described(), **learned.sizes, **_asked(comparison)}
    tags = {"code_version": code_version(), "trainer": config.trainer}
    metrics = {candidate.name: _metrics(candidate) for candidate in candidates}
    metrics[best.name] |= _parity_metrics(parity)
    whole = RunRecord(
        "train", data, metrics[best.name], {**tags, "best": best.name}, artifacts=outputs.artifacts, data=learned.data
    )
    parent, chosen = log_run(config.tracking_uri, whole), ""
    for number, candidate in enumerate(candidates):
        progress("log runs", number, len(candidates))
        record = RunRecord(
            name=candidate.name,
            parameters={**candidate.parameters, **data},
            metrics=metrics[candidate.name],
            tags=tags,
            bundle=outputs.bundle if candidate is best else None,
            artifacts=_artifacts_of(candidate, candidate is best, outputs),
            data=learned.data,
            curves=_curves(candidate),
        )
        run_id = log_run(config.tracking_uri, record, parent)
        _log_trials(config.tracking_uri, candidate, run_id)
        chosen = run_id if candidate is best else chosen
    progress("log runs", len(candidates), len(candidates))
    return chosen


def _asked(comparison: Comparison) -> dict[str, Any]:
    config = comparison.config
    return {
        "seed": config.seed,
        "test_share": config.test_share,
        "validation_share": config.validation_share if config.tune else 0,
        "tune": config.tune or 0,
        "tasks": len(comparison.fold.tasks),
        "engine": config.engine.name,
    }


def _artifacts_of(candidate: Candidate, is_best: bool, outputs: Outputs) -> Path | None:
    directory = outputs.artifacts if is_best else outputs.scratch / candidate.name
    draw_trials(candidate, directory)
    return directory if directory.exists() else None


def _curves(candidate: Candidate) -> dict[str, list[float]]:
    if not candidate.search:
        return {}
    values = [trial.value for trial in candidate.search.trials]
    return {VALIDATION: values, f"{VALIDATION}_best_so_far": candidate.search.best_so_far}


def _log_trials(tracking_uri: str, candidate: Candidate, parent: str) -> None:
    for number, trial in enumerate(candidate.search.trials if candidate.search else (), 1):
        metrics = {VALIDATION: trial.value, "seconds": trial.seconds}
        tags = {"failure": trial.failure} if trial.failure else {}
        log_run(tracking_uri, RunRecord(f"{candidate.name} trial {number}", trial.parameters, metrics, tags), parent)


def _metrics(candidate: Candidate) -> dict[str, float]:
    metrics = {**candidate.evaluation.coverage, "score_seconds": candidate.evaluation.score_seconds}
    metrics[f"gini@{candidate.exposure.length}"] = candidate.exposure.gini
    intervals = dict(candidate.intervals)
    if candidate.against_popularity:
        intervals[f"{HEADLINE}_against_popularity"] = candidate.against_popularity
    return {**metrics, **flat(intervals)}


def _parity_metrics(parity: Parity | None) -> dict[str, float]:
    if parity is None:
        return {}
    found = {
        f"parity_overlap@{parity.list_length}": parity.overlap,
        "parity_NDCG@5_refit_minus_fold_in": parity.difference,
    }
    return flat(found)


def flat(intervals: Mapping[str, Interval]) -> dict[str, float]:
    """Return mean, low and high of every interval as metrics of their own."""
    metrics: dict[str, float] = {}
    for name, interval in intervals.items():
        metrics |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return metrics


def code_version() -> str:
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


def described(candidate: Candidate) -> dict[str, Any]:
    """Return one candidate as JSON values."""
    against, found = candidate.against_popularity, candidate.search
    return {
        **{name: interval.rounded() for name, interval in candidate.intervals.items()},
        **{name: round(share, 6) for name, share in candidate.evaluation.coverage.items()},
        f"gini@{candidate.exposure.length}": round(candidate.exposure.gini, 6),
        "against_popularity": {HEADLINE: against.rounded()} if against else None,
        "parameters": candidate.parameters,
        "warning": candidate.sameness.value if candidate.sameness else None,
        "search": {
            "trials": len(found.trials),
            "defaults": round(found.trials[0].value, 6),
            "best": round(found.best.value, 6),
        } if found else None,
    }  # fmt: skip
