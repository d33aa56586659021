"""Measures training at size, in one run: the matrix through Feast and read directly, our fit and the library's."""

import gc
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serving.cli.bench.synthetic_events import Sizes, write_events
from serving.cli.output import Progress

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from recsys.interactions.matrix import InteractionMatrix
    from recsys.models.base import RelevanceModel
    from training.dataset import Window

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: sizes of the export, the model's parameters, and how often both fits take turns."""

    sizes: Sizes
    factors: int
    iterations: int
    threads: int
    seed: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Phase:
    """How long something took, and the most memory (MiB, resident) that the process had meanwhile."""

    seconds: float
    peak_mib: float


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Write an export below `folder`, build the matrix from it and fit it by turns; returns the document."""
    from threadpoolctl import threadpool_limits

    rows = plan.sizes.interactions
    rng = np.random.default_rng(plan.seed)
    _, writing = measured(
        lambda: write_events(folder, plan.sizes, rng, lambda done: progress("write events", done, rows))
    )
    reads, interactions = _reads(folder, plan, progress)
    with threadpool_limits(limits=plan.threads, user_api="openmp"):
        ours, bare = _fits(interactions, plan, progress)
    return {
        **_sizes(plan, interactions),
        "write_seconds": round(writing.seconds, 2),
        **reads,
        "fit_seconds": _each(ours),
        "bare_seconds": _each(bare),
        "fit_over_bare": round(_median(ours) / _median(bare), 3),
        "fit_peak_mib": round(max(phase.peak_mib for phase in ours)),
        "bare_peak_mib": round(max(phase.peak_mib for phase in bare)),
    }


def _reads(folder: Path, plan: Plan, progress: Progress) -> tuple[dict[str, Any], "InteractionMatrix"]:
    """Build the matrix through Feast's offline store and from the files by turns; returns the figures and the matrix.

    What is opened and applied once a training run is not in the time of either; Feast's is measured by itself.
    """
    from features.feast_store import import_feast
    from features.offline import features_of_export

    import_feast()
    window: Window | None = None
    interactions: InteractionMatrix | None = None
    feast, direct = [], []
    with ExitStack() as opened:
        last = datetime(2100, 1, 1, tzinfo=UTC)
        features, applying = measured(lambda: opened.enter_context(features_of_export(folder, last)))
        _build(features, plan.threads)  # what is imported at the first read is not in the time of either
        for pair in range(plan.pairs):
            window = interactions = None  # or the matrix of the turn before would be in the peaks of this one
            progress("build the matrix", 2 * pair, 2 * plan.pairs)
            direct.append(_build(_DirectRead(folder), plan.threads)[1])
            progress("build the matrix", 2 * pair + 1, 2 * plan.pairs)
            (window, interactions), phases = _build(features, plan.threads)
            feast.append(phases)
        progress("build the matrix", 2 * plan.pairs, 2 * plan.pairs)
    assert window is not None
    assert interactions is not None
    windows, builds = zip(*feast, strict=True)
    direct_windows, direct_builds = zip(*direct, strict=True)
    document = {
        "apply_seconds": round(applying.seconds, 2),
        "window_seconds": _each(windows),
        "direct_window_seconds": _each(direct_windows),
        "build_seconds": _each(builds),
        "direct_build_seconds": _each(direct_builds),
        "build_over_direct": round(_median(builds) / _median(direct_builds), 3),
        "build_rows_per_second": round(window.events / _median(builds)),
        "build_peak_mib": round(max(phase.peak_mib for phase in (*windows, *builds))),
        "direct_build_peak_mib": round(max(phase.peak_mib for phase in (*direct_windows, *direct_builds))),
    }
    return document, interactions


class _DirectRead:
    """The interactions as DuckDB reads them by itself, without Feast: only here, to be measured against."""

    def __init__(self, events: Path) -> None:
        self.events = events

    def events_until(self, connection: "DuckDBPyConnection", name: str) -> None:
        files = str(self.events / "interactions" / "*" / "*.parquet")
        connection.read_parquet(files).create_view(name)


def _build(features: Any, threads: int) -> tuple[tuple["Window", "InteractionMatrix"], tuple[Phase, Phase]]:
    """Return the window and the matrix, and how long each took."""
    from training.dataset import Dataset

    with Dataset(features, threads=threads) as dataset:
        window, reading = measured(dataset.window)
        interactions, building = measured(lambda: dataset.as_of(window.last).interactions)
    return (window, interactions), (reading, building)


def _sizes(plan: Plan, interactions: "InteractionMatrix") -> dict[str, Any]:
    return {
        "customers": plan.sizes.customers,
        "offers": plan.sizes.offers,
        "interactions": plan.sizes.interactions,
        "matrix_entries": int(interactions.matrix.nnz),
        "model": "als",
        "factors": plan.factors,
        "iterations": plan.iterations,
        "threads": plan.threads,
        "seed": plan.seed,
    }


def _fits(interactions: "InteractionMatrix", plan: Plan, progress: Progress) -> tuple[list[Phase], list[Phase]]:
    """Fit ours and the bare one by turns, so that what else the machine does meets both."""
    import implicit.cpu.als  # noqa: F401  # or the first fit would pay for the import

    from recsys.models.families import create_model

    ours, bare = [], []
    for pair in range(plan.pairs):
        progress("fit, ours and bare", 2 * pair, 2 * plan.pairs)
        model = create_model("als", {"factors": plan.factors, "iterations": plan.iterations})
        ours.append(measured(lambda: model.fit(interactions, rng=np.random.default_rng(plan.seed)))[1])  # noqa: B023
        progress("fit, ours and bare", 2 * pair + 1, 2 * plan.pairs)
        bare.append(measured(lambda: _fit_bare(interactions, model, plan.seed))[1])  # noqa: B023
    progress("fit, ours and bare", 2 * plan.pairs, 2 * plan.pairs)
    return ours, bare


def _fit_bare(interactions: "InteractionMatrix", model: "RelevanceModel", seed: int) -> None:
    """Fit implicit itself as `model` was: as many factors, the same parameters, BLAS kept out of its threads."""
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    parameters = model.parameters()
    solver = AlternatingLeastSquares(
        factors=model.to_arrays()["item_factors"].shape[1],
        regularization=parameters["regularization"],
        alpha=parameters["alpha"],
        iterations=parameters["iterations"],
        random_state=np.random.default_rng(seed),
    )
    with threadpool_limits(limits=1, user_api="blas"):
        solver.fit(interactions.matrix, show_progress=False)


def measured(work: Callable[[], T]) -> tuple[T, Phase]:
    gc.collect()
    with suppress(OSError):  # Linux forgets the process's peak when told so; elsewhere the peak is of the whole run
        Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    result = work()
    return result, Phase(time.perf_counter() - began, peak_mib())


def peak_mib() -> float:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _each(phases: Sequence[Phase]) -> list[float]:
    return [round(phase.seconds, 2) for phase in phases]


def _median(phases: Sequence[Phase]) -> float:
    return float(np.median([phase.seconds for phase in phases]))
