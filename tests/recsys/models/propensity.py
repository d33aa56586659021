"""A small trained propensity model over a world whose law is known."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.models.propensity_folder import FILES, save_propensity_model
from recsys.models.propensity_model import PropensityModel
from recsys.models.sealed_files import MANIFEST, canonical_json
from training.propensity_fit import FitOptions, fit_propensity

SIGNALS = ("base_log_odds", "relevance", "intent_match", "times_declined", "noise")


def a_world(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return table, answers and the true log-odds; every signal but the base is unknown in one row of twenty."""
    rng = np.random.default_rng(seed)
    table = np.column_stack([
        rng.choice([-3.0, -2.0, -1.0], count), rng.normal(size=count), (rng.random(count) < 0.4).astype(float),
        rng.integers(0, 3, count).astype(float), rng.normal(size=count),
    ])  # fmt: skip
    table[:, 1:][rng.random((count, 4)) < 0.05] = np.nan
    known = np.nan_to_num(table)
    truth = known[:, 0] + 0.8 * known[:, 1] + 1.0 * known[:, 2] - 0.6 * known[:, 3] + 0.3
    return table, (rng.random(count) < 1 / (1 + np.exp(-truth))).astype(np.float64), truth


def a_propensity_model(
    directory: Path, count: int = 6_000, seed: int = 0, relevance: str | None = None
) -> PropensityModel:
    """Fit, save and load a model of that world, said to be trained on this relevance version."""
    table, answers, _ = a_world(count, seed)
    parts = fit_propensity(SIGNALS, table, answers, FitOptions(seed=seed)).parts
    window = {} if relevance is None else {"relevance": relevance}
    return save_propensity_model(directory, replace(parts, window=window))


def reseal(directory: Path, **changes: Any) -> str:
    """Seal changed files as an attacker would who knows how; returns the version they then have."""
    manifest = json.loads((directory / MANIFEST).read_bytes())
    manifest["files"] = {
        name: {
            "bytes": (directory / name).stat().st_size,
            "sha256": hashlib.sha256((directory / name).read_bytes()).hexdigest(),
        }
        for name in FILES
    }
    (directory / MANIFEST).write_bytes(canonical_json({**manifest, **changes}))
    return f"q-{hashlib.sha256((directory / MANIFEST).read_bytes()).hexdigest()[:12]}"
