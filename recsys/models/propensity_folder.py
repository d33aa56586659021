"""The propensity model as a sealed folder: trees as text, numbers as arrays, checked completely before it may score."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import BundleRefused
from recsys.models.calibration import Calibration
from recsys.models.propensity_model import LINEAR, PropensityModel
from recsys.models.sealed_files import open_sealed, read_arrays, seal, write_arrays
from recsys.models.tree_text import load_trees

TREES, ARRAYS = "trees.txt", "arrays.npz"
FILES = (TREES, ARRAYS)
_FORMAT = 1
_LARGEST_LOG_ODDS = 1e3
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class PropensityParts:
    """What training found: everything of a model but its version; `parameters` and `window` are JSON values.

    `canary` (rows, signals) are rows whose log-odds must come out again wherever the model is loaded.
    """

    signals: tuple[str, ...]
    trees: str
    tree_count: int
    relevance_weight: float
    unknown_base: float
    calibration: Calibration
    canary: NDArray[np.float64]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    window: Mapping[str, Any] = field(default_factory=dict)


def save_propensity_model(directory: Path, parts: PropensityParts) -> PropensityModel:
    """Write the model into the new folder `directory` and return it as `load_propensity_model` reads it back.

    Raises FileExistsError, and BundleRefused when it does not pass its own checks.
    """
    directory.mkdir(parents=True)
    canary = np.vstack([parts.canary, np.full((1, len(parts.signals)), np.nan)])
    unsealed = unsealed_model(parts)
    (directory / TREES).write_bytes(parts.trees.encode())
    arrays = {
        "linear": np.array([parts.relevance_weight, parts.unknown_base]),
        "calibration": parts.calibration.numbers,
        "canary": canary,
        "expected": unsealed.log_odds(canary),
    }
    write_arrays(directory / ARRAYS, arrays)
    manifest = {
        "format": _FORMAT,
        "model": unsealed.model_name,
        "signals": list(parts.signals),
        "trees": parts.tree_count,
        "calibration": parts.calibration.family,
        "canaries": len(canary),
        "parameters": dict(parts.parameters),
        "training": dict(parts.window),
    }
    seal(directory, FILES, manifest)
    return load_propensity_model(directory)


def unsealed_model(parts: PropensityParts) -> PropensityModel:
    """Return the model of `parts` without a version, as training evaluates it."""
    booster = load_trees(parts.trees, parts.tree_count, len(parts.signals) - len(LINEAR))
    numbers = (parts.relevance_weight, parts.unknown_base, parts.calibration)
    return PropensityModel("", parts.signals, booster, *numbers, manifest={"parameters": dict(parts.parameters)})


def load_propensity_model(directory: Path, version: str | None = None) -> PropensityModel:
    """Return the model in `directory` after every check; raises BundleRefused that names the failed one.

    Checked, in this order: sizes and SHA-256 of every file, that it is `version` where given, numbers, the text of the
    trees (before LightGBM parses it), the canary.
    """
    manifest, content = open_sealed(directory, FILES)
    found = f"q-{hashlib.sha256(content).hexdigest()[:12]}"
    if version not in (None, found):
        raise BundleRefused(f"version: the files are those of {found}, not of {version}")
    arrays = read_arrays(directory / ARRAYS)
    try:
        text = (directory / TREES).read_bytes().decode()
        signals = _read_signals(manifest)
        weight, base = _read_linear(arrays["linear"])
        calibration = Calibration(str(manifest["calibration"]), arrays["calibration"])
        canary, expected = arrays["canary"], arrays["expected"]
        booster = load_trees(text, int(manifest["trees"]), len(signals) - len(LINEAR))
        model = PropensityModel(found, signals, booster, weight, base, calibration, manifest)
        _check_canary(model, canary, expected, int(manifest["canaries"]))
    except (KeyError, ValueError, TypeError) as error:
        raise BundleRefused(f"shapes: the numbers do not fit ({error})") from error
    return model


def _read_signals(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    if manifest["format"] != _FORMAT:
        raise BundleRefused(f"format: {manifest['format']} is not {_FORMAT}")
    signals = tuple(manifest["signals"])
    if signals[: len(LINEAR)] != LINEAR or not all(isinstance(name, str) for name in signals):
        raise BundleRefused(f"signals: {', '.join(LINEAR)} come first, and all are text")
    if len(set(signals)) != len(signals) or len(signals) == len(LINEAR):
        raise BundleRefused("signals: one appears twice, or the trees have none")
    return signals


def _read_linear(numbers: NDArray[np.float64]) -> tuple[float, float]:
    weight, base = (float(number) for number in numbers)
    if not (0 <= weight <= _LARGEST_LOG_ODDS and abs(base) <= _LARGEST_LOG_ODDS):
        raise BundleRefused("finiteness: a weight is negative, not finite or larger than any real one")
    return weight, base


def _check_canary(
    model: PropensityModel, canary: NDArray[np.float64], expected: NDArray[np.float64], count: int
) -> None:
    if canary.shape != (count, len(model.signals)) or expected.shape != (count,) or count < 1:
        raise BundleRefused(f"canary: not {count} rows of {len(model.signals)} signals")
    found = model.log_odds(canary)
    if not np.isfinite(found).all() or np.abs(found).max() > _LARGEST_LOG_ODDS:
        raise BundleRefused("canary: log-odds are not finite, or larger than any real ones")
    if not np.allclose(found, expected, rtol=0, atol=_TOLERANCE):
        raise BundleRefused("canary: a row no longer gets its log-odds")
