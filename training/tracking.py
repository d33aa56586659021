"""Training runs in MLflow: what was tried on which data, how it did, and the bundle that came out."""

import fcntl
import hashlib
import json
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
class TrainingData:
    """What a run learned from: `sha256` of its content, where it lies, and the feature service it was read through.

    `views` is view → version of the service, `cutoff` the moment (ISO 8601) after which nothing was looked at, and
    `facts` what the model may use of a customer or an offer, by name.
    """

    name: str
    source: str
    sha256: str
    rows: int
    cutoff: str
    service: str
    views: Mapping[str, str]
    facts: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """Name of exactly this content read through this service until then; MLflow takes 36 characters."""
        said = json.dumps([self.sha256, self.service, dict(self.views), self.cutoff, [*self.facts]], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:36]

    def logged(self) -> Any:
        """Return it as MLflow's input of a run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        tags = {"mlflow.data.context": "training", "feature_service": self.service, "cutoff": self.cutoff,
                "sha256": self.sha256, "views": json.dumps(dict(self.views), sort_keys=True)}  # fmt: skip
        dataset = Dataset(
            name=self.name,
            digest=self.digest,
            source_type="local",
            source=json.dumps({"uri": self.source}),
            schema=json.dumps({"facts": [*self.facts]}),
            profile=json.dumps({"num_rows": self.rows}),
        )
        return DatasetInput(dataset, [InputTag(name, value) for name, value in tags.items()])

    @classmethod
    def of_logged(cls, logged: Any) -> "TrainingData":
        """Return what `logged` made MLflow keep."""
        tags, dataset = {tag.key: tag.value for tag in logged.tags}, logged.dataset
        return cls(
            name=dataset.name,
            source=json.loads(dataset.source)["uri"],
            sha256=tags["sha256"],
            rows=json.loads(dataset.profile)["num_rows"],
            cutoff=tags["cutoff"],
            service=tags["feature_service"],
            views=json.loads(tags["views"]),
            facts=tuple(json.loads(dataset.schema)["facts"]),
        )


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
    data: TrainingData | None = None
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
    if record.data is not None:
        client.log_inputs(run_id, datasets=[record.data.logged()])
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
