"""Propensity models damaged at random or poisoned behind their checksums: refused before LightGBM parses a byte."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused
from recsys.models.propensity_folder import ARRAYS, FILES, TREES, load_propensity_model
from recsys.models.sealed_files import MANIFEST, read_arrays, write_arrays
from tests.recsys.models.propensity import a_propensity_model, reseal

EVERY_FILE = (*FILES, MANIFEST)
FLIPS, TRUNCATIONS = 300, 60


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("propensity") / "model"
    return directory, a_propensity_model(directory, 1_500).version


@pytest.fixture
def sound(fitted: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    """A copy of a sound model, to be damaged."""
    return Path(shutil.copytree(fitted[0], tmp_path / "model")), fitted[1]


@pytest.fixture
def _no_parser(sound: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, LightGBM may parse nothing any more."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("LightGBM was asked to parse what is damaged")

    monkeypatch.setattr("lightgbm.Booster", fail)


@pytest.mark.usefixtures("_no_parser")
def test_bit_flips_and_truncations_are_all_refused_before_they_are_parsed(sound: tuple[Path, str]) -> None:
    directory, version = sound
    rng, contents = np.random.default_rng(0), {name: (directory / name).read_bytes() for name in EVERY_FILE}
    for number in range(FLIPS + TRUNCATIONS):
        name = EVERY_FILE[int(rng.integers(len(EVERY_FILE)))]
        damaged, place = bytearray(contents[name]), int(rng.integers(len(contents[name])))
        damaged[place] ^= 1 << int(rng.integers(8))
        (directory / name).write_bytes(damaged if number < FLIPS else contents[name][:place])
        with pytest.raises(BundleRefused):
            load_propensity_model(directory, version)
        (directory / name).write_bytes(contents[name])


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def poison(directory: Path) -> None:
        (directory / TREES).write_text(change((directory / TREES).read_text()))

    return poison


def first(entry: str, value: str) -> Callable[[Path], None]:
    return text(lambda whole: re.sub(rf"\n{entry}=\S+", f"\n{entry}={value}", whole, count=1))


PARSED_BY_NOBODY: dict[str, Callable[[Path], None]] = {
    "a signal that is not there": first("split_feature", "99"),
    "a node that is its own child": first("left_child", "0"),
    "a leaf that is not there": first("right_child", "-99"),
    "an infinite leaf": first("leaf_value", "inf"),
    "a threshold that is no number": first("threshold", "nan"),
    "a number too few": text(lambda whole: re.sub(r"(\nleaf_value=)\S+ ", r"\1", whole, count=1)),
    "a million leaves": first("num_leaves", "1000000"),
    "a tree too few": text(lambda whole: whole.replace("\nTree=1\n", "\nTree 1\n")),
    "a categorical tree": first("num_cat", "1"),
    "a tree that is linear": text(lambda whole: whole.replace("\nis_linear=0", "\nis_linear=1", 1)),
    "more classes": text(lambda whole: whole.replace("num_class=1", "num_class=2", 1)),
    "more signals": text(lambda whole: re.sub(r"max_feature_idx=\d+", "max_feature_idx=40", whole)),
    "no end": text(lambda whole: whole.split("end of trees")[0]),
    "another size": first("leaf_value", "0.5"),
    "a line more": text(lambda whole: whole.replace("\nnum_cat=0", "\nnum_cat=0\nnum_cat=0", 1)),
    "another objective": text(lambda whole: whole.replace("binary sigmoid:1", "lambdarank", 1)),
    "nothing": text(lambda _: ""),
}


@pytest.mark.usefixtures("_no_parser")
@pytest.mark.parametrize("poison", PARSED_BY_NOBODY)
def test_poisoned_trees_are_refused_before_they_are_parsed(poison: str, sound: tuple[Path, str]) -> None:
    directory, _ = sound
    before = (directory / TREES).read_bytes()
    PARSED_BY_NOBODY[poison](directory)
    assert (directory / TREES).read_bytes() != before
    reseal(directory)
    with pytest.raises(BundleRefused, match="trees: "):
        load_propensity_model(directory)


def arrays(name: str, values: np.ndarray) -> Callable[[Path], None]:
    def poison(directory: Path) -> None:
        write_arrays(directory / ARRAYS, {**read_arrays(directory / ARRAYS), name: values})

    return poison


POISONED_NUMBERS: dict[str, Callable[[Path], None]] = {
    "a negative weight": arrays("linear", np.array([-1.0, -2.0])),
    "an infinite base": arrays("linear", np.array([1.0, np.inf])),
    "a falling calibration": arrays("calibration", np.array([-1.0, 1.0, 0.0])),
    "a calibration that is NaN": arrays("calibration", np.array([1.0, np.nan, 0.0])),
    "another weight": arrays("linear", np.array([0.5, -2.0])),
    "another calibration": arrays("calibration", np.array([1.0, 1.0, 0.5])),
    "no canary": arrays("canary", np.empty((0, 5))),
    "another canary": arrays("expected", np.zeros(201)),
    "another leaf": text(lambda whole: re.sub(r"(\nleaf_value=-?0\.)\d", r"\g<1>9", whole, count=1)),
}


@pytest.mark.parametrize("poison", POISONED_NUMBERS)
def test_poisoned_numbers_are_refused(poison: str, sound: tuple[Path, str]) -> None:
    directory, _ = sound
    POISONED_NUMBERS[poison](directory)
    reseal(directory)
    with pytest.raises(BundleRefused):
        load_propensity_model(directory)


@pytest.mark.parametrize(
    "changes",
    [
        {"signals": ["relevance", "base_log_odds", "intent_match", "times_declined", "noise"]},
        {"signals": ["base_log_odds", "relevance", "noise", "noise", "noise"]},
        {"signals": ["base_log_odds", "relevance"]},
        {"calibration": "isotonic"},
        {"calibration": "magic"},
        {"format": 2},
        {"trees": 1},
    ],
)
def test_a_manifest_that_tells_something_else_is_refused(changes: dict[str, object], sound: tuple[Path, str]) -> None:
    reseal(sound[0], **changes)
    with pytest.raises(BundleRefused):
        load_propensity_model(sound[0])


def test_sound_files_under_another_version_are_refused(sound: tuple[Path, str]) -> None:
    with pytest.raises(BundleRefused, match=r"version: the files are those of q-"):
        load_propensity_model(sound[0], "q-000000000000")
