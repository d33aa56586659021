"""Measures als on this machine and on Spark, on the same held-out purchases: figures, time, and memory of all of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.cli.output import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.offline import OfflineFeatures
    from features.spark_session import SparkSettings
    from training.config import Engine
    from training.folds import Fold

_END = datetime(2100, 1, 1, tzinfo=UTC)
_SAMPLED_EVERY_SECONDS = 0.2
_TEST_SHARE = 0.2
_K = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: als with these parameters, fitted `repeats` times by each."""

    parameters: dict[str, Any]
    repeats: int
    seed: int


@dataclass(slots=True)
class Measured:
    """The seconds of each step, and the most memory (MiB) that this process and all it started held meanwhile."""

    read_seconds: float = 0.0
    fit_seconds: list[float] = field(default_factory=list)
    peak_mib: float = 0.0

    def described(self) -> dict[str, Any]:
        """Return it as JSON values."""
        fits = [round(seconds, 1) for seconds in self.fit_seconds]
        return {"read_seconds": round(self.read_seconds, 1), "fit_seconds": fits, "peak_mib": round(self.peak_mib)}


def measure(settings: "SparkSettings", events: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Read and fit `events` by each, one after the other, and compare what they rank; returns the document."""
    from features.offline import features_of_export
    from features.offline_spark import SparkFeatures
    from features.spark_session import open_spark
    from training.config import HEADLINE, LOCAL
    from training.promotion import difference
    from training.spark import spark_engine

    with features_of_export(events, _END, progress) as features:
        fold, local, here = _run(features, LOCAL, plan, progress)
        began = time.perf_counter()
        with _memory(measured := Measured()), open_spark(settings) as spark:
            starting = time.perf_counter() - began
            _, there, _ = _run(SparkFeatures(features, spark), spark_engine(spark), plan, progress, measured)
    customers, rng = fold.tasks.customers, np.random.default_rng(plan.seed)
    return {
        "customers": fold.interactions.matrix.shape[0],
        "offers": fold.interactions.matrix.shape[1],
        "matrix_entries": int(fold.interactions.matrix.nnz),
        "tasks": len(fold.tasks),
        "parameters": plan.parameters,
        "spark_master": settings.spark_master,
        "spark_start_seconds": round(starting, 1),
        "local": here.described() | {HEADLINE: round(float(local.mean()), 4)},
        "spark": measured.described() | {HEADLINE: round(float(there.mean()), 4)},
        "spark_minus_local": difference(there, local, customers, rng).rounded(),
    }


def _run(
    features: "OfflineFeatures", engine: "Engine", plan: Plan, progress: Progress, into: Measured | None = None
) -> "tuple[Fold, NDArray[np.float64], Measured]":
    """Return what was held out, the figure of each task after the last fit, and what it took."""
    from training.config import HEADLINE
    from training.dataset import Dataset
    from training.folds import Recipe, fit_and_evaluate, fold_at

    measured = into or Measured()
    with _memory(measured):
        began = time.perf_counter()
        with Dataset(features) as dataset:
            fold = fold_at(dataset, dataset.split_at(_TEST_SHARE))
        measured.read_seconds = time.perf_counter() - began
        recipe = Recipe("als", plan.parameters, engine)
        for number in range(plan.repeats):
            progress(f"fit and rank, {engine.name}", number, plan.repeats)
            began = time.perf_counter()
            recipe.fit(fold.interactions, None, plan.seed)
            measured.fit_seconds.append(time.perf_counter() - began)
        outcome = fit_and_evaluate(recipe, fold, (_K,), plan.seed)
        progress(f"fit and rank, {engine.name}", plan.repeats, plan.repeats)
    return fold, outcome.evaluation.values[HEADLINE], measured


@contextmanager
def _memory(into: Measured) -> Iterator[None]:
    """Follow the memory of this process and all it has started, for the length of the block."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(_SAMPLED_EVERY_SECONDS):
            into.peak_mib = max(into.peak_mib, _resident_mib())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _resident_mib() -> float:
    """Return the resident memory of this process and its descendants; 0 where the system does not tell."""
    import os

    parents, resident = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError, KeyError, ValueError):
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
            process = int(status.parent.name)
            parents[process], resident[process] = int(told["PPid"]), int(told["VmRSS"].split()[0])
    ours, before = {os.getpid()}, 0
    while len(ours) > before:
        before = len(ours)
        ours |= {process for process, parent in parents.items() if parent in ours}
    return sum(resident.get(process, 0) for process in ours) / 1024
