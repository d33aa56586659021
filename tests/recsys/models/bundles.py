"""Bundles on disk for the tests, and ways to tamper with them behind their checksums."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from recsys.models.bundle import Bundle, TrainingFacts
from recsys.models.bundle_files import FILES, load_bundle, save_bundle
from recsys.models.families import FAMILIES, create_model
from recsys.models.sealed_files import MANIFEST, seal, write_arrays
from tests.recsys.models.worlds import a_market, facts_of

every_model = pytest.mark.parametrize("name", FAMILIES)


def build_bundle(directory: Path, name: str) -> Bundle:
    world = a_market(customers=60)
    facts = TrainingFacts({"events": 1000})
    side = facts_of(world)
    model = create_model(name).fit(world, side, rng=np.random.default_rng(1))
    return save_bundle(directory, model, world, np.random.default_rng(2), facts, side)


@cache
def built_once(name: str) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        build_bundle(Path(folder) / "b", name)
        return {path.name: path.read_bytes() for path in (Path(folder) / "b").iterdir()}


def a_bundle(directory: Path, name: str = "als") -> Bundle:
    directory.mkdir()
    for file, content in built_once(name).items():
        (directory / file).write_bytes(content)
    return load_bundle(directory)


def reseal(directory: Path, **changes: Any) -> None:
    """Seal the files as they are now: only the checks behind the checksums can still refuse them."""
    manifest = {**json.loads((directory / MANIFEST).read_text()), **changes}
    seal(directory, FILES, manifest)


def edit_arrays(directory: Path, edit: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(directory / "arrays.npz") as stored:
        arrays = {name: stored[name].copy() for name in stored}
    edit(arrays)
    write_arrays(directory / "arrays.npz", arrays)
    reseal(directory)
