"""The bundle's files: one trained model version as plain arrays and JSON, checked completely before it may score."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.errors import BundleRefused
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from recsys.models.base import RelevanceModel
from recsys.models.bundle import Bundle, Scale, TrainingFacts
from recsys.models.canary import HISTORIES, Case, check_canary, record_canary
from recsys.models.families import FAMILIES
from recsys.models.sealed_files import canonical_json, open_sealed, read_arrays, read_json, seal, write_arrays

ARRAYS, OFFERS, FACTS, CANARY = "arrays.npz", "offers.json", "facts.json", "canary.json"
FILES = (ARRAYS, OFFERS, FACTS, CANARY)
_FORMAT = 2
_LARGEST_NUMBER = 1e6
_STANDARDISED_CUSTOMERS = 5_000


def save_bundle(
    directory: Path,
    model: RelevanceModel,
    interactions: InteractionMatrix,
    rng: np.random.Generator,
    facts: TrainingFacts | None = None,
    side_features: SideFeatures | None = None,
) -> Bundle:
    """Write the fitted `model` into the new folder `directory` and return it as `load_bundle` reads it back.

    `interactions` and `side_features` are those it was fitted on; `rng` draws the customers for scales and
    canary. Raises FileExistsError, and BundleRefused when the model does not pass its own checks.
    """
    directory.mkdir(parents=True)
    facts = facts or TrainingFacts()
    scale = Scale.of(_score_sample(model, interactions, side_features, rng))
    popularity_scale = Scale.of(model.popularity)
    spaces = _spaces(side_features)
    unsealed = Bundle("", model, interactions.offer_ids, scale, popularity_scale, {}, {}, *spaces)
    cases = _cases(interactions, side_features, rng)
    documents = {
        OFFERS: {"offer_ids": interactions.offer_ids},
        FACTS: {"customers": spaces[0].to_json(), "offers": spaces[1].to_json()},
        CANARY: record_canary(unsealed.score, cases, unsealed.offer_ids),
    }
    write_arrays(directory / ARRAYS, model.to_arrays())
    for name, document in documents.items():
        (directory / name).write_bytes(canonical_json(document))
    manifest = {
        "format": _FORMAT,
        "model": model.name,
        "parameters": model.parameters(),
        "scale": [scale.mean, scale.deviation],
        "popularity_scale": [popularity_scale.mean, popularity_scale.deviation],
        "canaries": len(cases),
        "training": dict(facts.window),
    }
    seal(directory, FILES, manifest)
    return load_bundle(directory)


def _score_sample(
    model: RelevanceModel, interactions: InteractionMatrix, side: SideFeatures | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    rows = _sample(interactions.matrix.shape[0], _STANDARDISED_CUSTOMERS, rng)
    customers = side.customers[rows] if side else None
    return model.score(interactions.matrix[rows], np.arange(len(interactions.offer_ids)), customers)


def _spaces(side: SideFeatures | None) -> tuple[FeatureSpace, FeatureSpace]:
    return (side.customer_space, side.offer_space) if side else (FeatureSpace(), FeatureSpace())


def _cases(interactions: InteractionMatrix, side: SideFeatures | None, rng: np.random.Generator) -> list[Case]:
    """Return customers of the training data with their facts, every third asked for an offer known by facts only."""
    matrix, offer_ids = interactions.matrix, interactions.offer_ids
    cases = []
    for number, row in enumerate(_sample(matrix.shape[0], HISTORIES, rng)):
        one = matrix[row]
        history = {offer_ids[c]: round(float(weight), 6) for c, weight in zip(one.indices, one.data, strict=True)}
        if side is None:
            cases.append(Case(history, {}, {}))
            continue
        resembled = side.offers[int(rng.integers(len(offer_ids)))]
        new = {f"new offer {number}": side.offer_space.decode(resembled)} if number % 3 == 0 else {}
        cases.append(Case(history, side.customer_space.decode(side.customers[row]), new))
    return cases


def _sample(count: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))


def load_bundle(directory: Path, version: str | None = None) -> Bundle:
    """Return the bundle in `directory` after every check; raises BundleRefused that names the failed one.

    Checked: that it is `version`, where given; sizes and SHA-256 of every file, array kinds, shapes and
    finiteness, ids, scales, the canary.
    """
    manifest, content = open_sealed(directory, FILES)
    found = f"m-{hashlib.sha256(content).hexdigest()[:12]}"
    if version not in (None, found):
        raise BundleRefused(f"version: the files are those of {found}, not of {version}")
    offer_ids, answer_counts = _read_offers(directory)
    customer_space, offer_space = _read_spaces(directory)
    arrays = read_arrays(directory / ARRAYS)
    _check_numbers(arrays)
    try:
        if manifest["format"] != _FORMAT:
            raise BundleRefused(f"format: {manifest['format']} is not {_FORMAT}")
        model = FAMILIES[manifest["model"]].from_arrays(arrays, manifest["parameters"])
        scale, popularity_scale = (_read_scale(manifest[name]) for name in ("scale", "popularity_scale"))
        canaries = int(manifest["canaries"])
    except (KeyError, ValueError, TypeError, np.linalg.LinAlgError) as error:
        raise BundleRefused(f"shapes: arrays, parameters or scales do not fit ({error})") from error
    if model.popularity.shape != (len(offer_ids),):
        raise BundleRefused(f"ids: {len(offer_ids)} offers for {model.popularity.size} columns")
    bundle = Bundle(
        found, model, offer_ids, scale, popularity_scale, answer_counts, manifest, customer_space, offer_space
    )
    try:
        check_canary(bundle.score, read_json(directory / CANARY), offer_ids, canaries)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise BundleRefused(f"canary: the model cannot score ({error})") from error
    return bundle


def _read_offers(directory: Path) -> tuple[tuple[str, ...], dict[str, tuple[int, int]]]:
    document = read_json(directory / OFFERS)
    try:
        offer_ids = tuple(document["offer_ids"])
        counts = {str(o): (int(taken), int(asked)) for o, (taken, asked) in document.get("answer_counts", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleRefused("ids: offers.json is unreadable") from error
    if not offer_ids or not all(isinstance(offer, str) for offer in offer_ids):
        raise BundleRefused("ids: every offer id is text, and there is at least one")
    if len(set(offer_ids)) != len(offer_ids):
        raise BundleRefused("ids: an offer id appears twice")
    if not all(0 <= taken <= asked for taken, asked in counts.values()):
        raise BundleRefused("ids: an offer was accepted more often than it was answered")
    return offer_ids, counts


def _read_spaces(directory: Path) -> tuple[FeatureSpace, FeatureSpace]:
    document = read_json(directory / FACTS)
    try:
        return FeatureSpace.from_json(document["customers"]), FeatureSpace.from_json(document["offers"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleRefused("facts: facts.json is unreadable") from error


def _check_numbers(arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        if not np.isfinite(array).all():
            raise BundleRefused(f"finiteness: {name} contains NaN or infinity")
        if array.size and not 0 < np.abs(array).max() <= _LARGEST_NUMBER:
            raise BundleRefused(f"norms: {name} is all zero or larger than any real one")


def _read_scale(numbers: Sequence[float]) -> Scale:
    mean, deviation = (float(number) for number in numbers)
    if not (np.isfinite(mean) and 0 < deviation < np.inf):
        raise ValueError("a scale is a finite mean and a positive deviation")
    return Scale(mean, deviation)
