"""Registered relevance versions and the propensities that were trained on them."""

from pathlib import Path

import numpy as np

from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import save_bundle
from recsys.models.popularity import Popularity
from recsys.models.propensity_model import PropensityModel
from tests.recsys.models.propensity import a_propensity_model
from training.config import PROPENSITY_NAME
from training.gates import Gate, Verdict
from training.model_kinds import PROPENSITY
from training.registry import Findings, Registry
from training.tracking import RunRecord, log_run

GREEN = Gate("judged", Verdict.PASSED, "in a test")
RED = Gate("judged", Verdict.REFUSED, "in a test")


def register_relevance(uri: str, folder: Path, count: int) -> str:
    """Register a popularity model whose content depends on `count`, trained by Linus."""
    world = build_matrix([*(f"c{number}" for number in range(count)), "z"], ["x"] * count + ["y"])
    directory, rng = folder / f"relevance-{count}", np.random.default_rng(0)
    bundle = save_bundle(directory, Popularity().fit(world, rng=rng), world, rng)
    run_id = log_run(uri, RunRecord("popularity", {}, {}, bundle=directory))
    return Registry(uri).register(bundle, run_id, Findings({}, (GREEN,), trainer="Linus")).version


def register_propensity(
    uri: str, folder: Path, relevance: str | None, count: int, gate: Gate = GREEN, trainer: str = "Linus"
) -> str:
    """Register a propensity of `count` answers that was trained on this relevance version."""
    directory = folder / f"q-{relevance}-{count}"
    model: PropensityModel = a_propensity_model(directory, count, relevance=relevance)
    run_id = log_run(uri, RunRecord("propensity", {}, {}, bundle=directory), experiment_name=PROPENSITY_NAME)
    return Registry(uri, PROPENSITY).register(model, run_id, Findings({}, (gate,), trainer=trainer)).version
