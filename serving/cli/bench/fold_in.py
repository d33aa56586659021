"""Measures the fold-in of histories at request time: how long it takes, and how close it comes to a full refit."""

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from serving.cli.bench.synthetic_events import Sizes, write_events
from serving.cli.output import Progress

_TIMED_CUSTOMERS = 2_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: sizes of the export, the families, and the factors of those that have any."""

    sizes: Sizes
    models: tuple[str, ...]
    factors: int
    seed: int


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Write an export below `folder`, fit every family on it and return the document: parity and times by family."""
    from features.offline import features_of_export
    from recsys.models.families import create_model
    from training.dataset import Dataset
    from training.folds import Recipe
    from training.parity import measure_parity

    rows = plan.sizes.interactions
    write_events(folder, plan.sizes, np.random.default_rng(plan.seed), lambda d: progress("write events", d, rows))
    with features_of_export(folder, datetime(2100, 1, 1, tzinfo=UTC)) as features, Dataset(features) as dataset:
        interactions = dataset.as_of(dataset.window().last).interactions
    results = {}
    for number, name in enumerate(plan.models):
        progress("fit, fold in, refit", number, len(plan.models))
        known = create_model(name).parameters()
        recipe = Recipe(name, {"factors": plan.factors} if "factors" in known else {})
        parity = measure_parity(recipe, interactions, None, plan.seed)
        times = _times(recipe.fit(interactions, None, plan.seed), interactions.matrix, plan.seed)
        results[name] = {"parity": asdict(parity) if parity else None, **times}
    progress("fit, fold in, refit", len(plan.models), len(plan.models))
    return {**asdict(plan.sizes), "factors": plan.factors, "seed": plan.seed, "models": results}


def _times(model: Any, matrix: Any, seed: int) -> dict[str, float]:
    """Return milliseconds a customer: to score every offer one customer at a time, and in one batch."""
    count = min(_TIMED_CUSTOMERS, matrix.shape[0])
    drawn = np.random.default_rng(seed).choice(matrix.shape[0], count, replace=False)
    rows, columns = [matrix[row] for row in drawn], np.arange(matrix.shape[1])
    single = []
    for row in rows:
        began = time.perf_counter()
        model.score(row, columns)
        single.append(time.perf_counter() - began)
    began = time.perf_counter()
    model.score(matrix[drawn], columns)
    batch = (time.perf_counter() - began) / count
    milliseconds = {
        "single_p50_ms": float(np.median(single)),
        "single_p99_ms": float(np.quantile(single, 0.99)),
        "batch_ms": batch,
    }
    return {name: round(1000 * seconds, 4) for name, seconds in milliseconds.items()}
