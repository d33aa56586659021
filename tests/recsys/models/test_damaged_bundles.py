"""Bundles damaged at random or poisoned behind their checksums: every one is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused
from recsys.models.bundle_files import FILES, load_bundle
from recsys.models.families import FAMILIES
from recsys.models.sealed_files import MANIFEST, canonical_json
from tests.recsys.models.bundles import a_bundle, edit_arrays, every_model, reseal

EVERY_FILE = (*FILES, MANIFEST)
FLIPS, TRUNCATIONS = 1_000, 200
LEARNED = {
    "popularity": "popularity",
    "item_item": "similarity",
    "ease": "weights",
    "als": "item_factors",
    "bpr": "item_factors",
    "lmf": "item_factors",
    "lightfm": "item_vectors",
    "blend": "level",
    "ranker": "blend.level",
}
"""What each family scores with."""


def is_refused(directory: Path, version: str) -> bool:
    try:
        load_bundle(directory, version)
    except BundleRefused:
        return True
    return False


def a_place(rng: np.random.Generator, contents: dict[str, bytes]) -> tuple[str, int]:
    """Any byte of any file, larger files oftener."""
    sizes = np.array([len(content) for content in contents.values()])
    name = list(contents)[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
    return name, int(rng.integers(len(contents[name])))


def test_a_thousand_bit_flips_are_all_refused(tmp_path: Path) -> None:
    rng, accepted = np.random.default_rng(0), []
    for family in FAMILIES:
        version = a_bundle(tmp_path / family, family).version
        contents = {name: (tmp_path / family / name).read_bytes() for name in EVERY_FILE}
        for _ in range(-(-FLIPS // len(FAMILIES))):
            name, place = a_place(rng, contents)
            damaged = bytearray(contents[name])
            damaged[place] ^= 1 << int(rng.integers(8))
            (tmp_path / family / name).write_bytes(damaged)
            if not is_refused(tmp_path / family, version):
                accepted.append((family, name, place))
            (tmp_path / family / name).write_bytes(contents[name])
        assert not is_refused(tmp_path / family, version)
    assert accepted == []


def test_two_hundred_truncations_are_all_refused(tmp_path: Path) -> None:
    rng, accepted = np.random.default_rng(1), []
    for family in FAMILIES:
        version = a_bundle(tmp_path / family, family).version
        contents = {name: (tmp_path / family / name).read_bytes() for name in EVERY_FILE}
        for _ in range(-(-TRUNCATIONS // len(FAMILIES))):
            name = str(rng.choice(EVERY_FILE))
            length = int(rng.integers(len(contents[name])))
            (tmp_path / family / name).write_bytes(contents[name][:length])
            if not is_refused(tmp_path / family, version):
                accepted.append((family, name, length))
            (tmp_path / family / name).write_bytes(contents[name])
    assert accepted == []


def a_nan_row(array: np.ndarray) -> None:
    array[0] = np.nan


def an_infinity(array: np.ndarray) -> None:
    array.flat[-1] = -np.inf


def all_zero(array: np.ndarray) -> None:
    array[:] = 0


def one_offer_a_hundred_times(array: np.ndarray) -> None:
    place = int(np.abs(array).reshape(len(array), -1).sum(axis=1).argmax())
    array[place] *= 100


def far_too_large(array: np.ndarray) -> None:
    array[:] *= np.float32(1e9)


def reversed_rows(array: np.ndarray) -> None:
    array[:] = array[::-1].copy()


POISONS: tuple[Callable[[np.ndarray], None], ...] = (
    a_nan_row, an_infinity, all_zero, one_offer_a_hundred_times, far_too_large, reversed_rows,
)  # fmt: skip


@every_model
@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__)
def test_poisoned_arrays_behind_fresh_checksums_are_refused(
    poison: Callable[[np.ndarray], None], name: str, tmp_path: Path
) -> None:
    a_bundle(tmp_path / "b", name)
    edit_arrays(tmp_path / "b", lambda arrays: poison(arrays[LEARNED[name]]))
    with pytest.raises(BundleRefused, match=r"finiteness|norms|canary"):
        load_bundle(tmp_path / "b")


@every_model
def test_permuted_ids_behind_fresh_checksums_are_refused(name: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", name)
    path = tmp_path / "b" / "offers.json"
    offers = json.loads(path.read_bytes())
    offers["offer_ids"] = np.random.default_rng(0).permutation(offers["offer_ids"]).tolist()
    path.write_bytes(canonical_json(offers))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("change", ["bands", "columns"])
def test_facts_that_mean_something_else_are_refused(change: str, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", "lightfm")
    path = tmp_path / "b" / "facts.json"
    facts = json.loads(path.read_bytes())
    if change == "bands":
        facts["customers"]["bands"]["age"] = [edge + 30 for edge in facts["customers"]["bands"]["age"]]
    else:
        facts["customers"]["columns"] = facts["customers"]["columns"][::-1]
    path.write_bytes(canonical_json(facts))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("document", [{}, [], {"customers": {}, "offers": {}}, {"customers": 3, "offers": 3}])
def test_unreadable_facts_are_refused(document: object, tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", "lightfm")
    (tmp_path / "b" / "facts.json").write_bytes(canonical_json(document))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="facts"):
        load_bundle(tmp_path / "b")


def test_fewer_fact_columns_than_vectors_are_refused(tmp_path: Path) -> None:
    a_bundle(tmp_path / "b", "lightfm")
    path = tmp_path / "b" / "facts.json"
    facts = json.loads(path.read_bytes())
    facts["customers"]["columns"].pop()
    path.write_bytes(canonical_json(facts))
    reseal(tmp_path / "b")
    with pytest.raises(BundleRefused, match="canary"):
        load_bundle(tmp_path / "b")


def test_another_version_in_its_place_is_refused(tmp_path: Path) -> None:
    version = a_bundle(tmp_path / "one", "als").version
    a_bundle(tmp_path / "other", "ease")
    with pytest.raises(BundleRefused, match=f"not of {version}"):
        load_bundle(tmp_path / "other", version)
