"""Training runs in MLflow: what was tried on which data, how it did, and the bundle that came out."""

import fcntl
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from training.config import RELEVANCE_NAME

BUNDLE_FOLDER = "bundle"
_SQLITE = "sqlite:///"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run to be logged; `bundle` is the folder of the trained model version, if this run made one.

    `curves` are metrics that have one value a step, from step 1 on. The files of `artifacts` are kept as they are.
    """

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict)
    bundle: Path | None = None
    artifacts: Path | None = None
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)


@lru_cache(maxsize=8)
def open_tracking(tracking_uri: str, name: str = RELEVANCE_NAME) -> Any:
    """Return the MLflow client of a tracking server or SQLite file, creating the file's tables when they are missing.

    The experiment and the registered model `name` are created, too. Safe when several processes start at once: the
    first one creates, the others wait.
    """
    for setting, value in _QUIET.items():
        os.environ.setdefault(setting, value)
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with _first_come(tracking_uri):
        client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
        if client.get_experiment_by_name(name) is None:
            client.create_experiment(name, artifact_location=_artifacts(tracking_uri))
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
    return client


def exists(tracking_uri: str) -> bool:
    """Return False for a SQLite file that nobody has created yet."""
    return not tracking_uri.startswith(_SQLITE) or _database_file(tracking_uri).exists()


def log_run(
    tracking_uri: str, record: RunRecord, parent: str | None = None, experiment_name: str = RELEVANCE_NAME
) -> str:
    """Log `record` as a finished run, below the run `parent` if given, and return the run's id."""
    client = open_tracking(tracking_uri, experiment_name)
    from mlflow.entities import Metric, Param

    experiment = client.get_experiment_by_name(experiment_name)
    tags = {**record.tags, **({"mlflow.parentRunId": parent} if parent else {})}
    run_id = str(client.create_run(experiment.experiment_id, tags=tags, run_name=record.name).info.run_id)
    steps = {name: [(0, value)] for name, value in record.metrics.items()}
    steps |= {name: list(enumerate(values, 1)) for name, values in record.curves.items()}
    client.log_batch(
        run_id,
        metrics=[Metric(_metric(name), value, 0, step) for name, points in steps.items() for step, value in points],
        params=[Param(name, str(value)) for name, value in record.parameters.items()],
    )
    if record.artifacts is not None:
        client.log_artifacts(run_id, str(record.artifacts))
    if record.bundle is not None:
        client.log_artifacts(run_id, str(record.bundle), BUNDLE_FOLDER)
    client.set_terminated(run_id)
    return run_id


def _metric(name: str) -> str:
    """Return the name as MLflow allows it."""
    return name.replace("@", "_at_")


def _database_file(tracking_uri: str) -> Path:
    return Path(tracking_uri.removeprefix(_SQLITE))


def _artifacts(tracking_uri: str) -> str | None:
    if not tracking_uri.startswith(_SQLITE):
        return None
    return (_database_file(tracking_uri).parent / "artifacts").absolute().as_uri()


@contextmanager
def _first_come(tracking_uri: str) -> Iterator[None]:
    if not tracking_uri.startswith(_SQLITE):
        yield
        return
    path = _database_file(tracking_uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
