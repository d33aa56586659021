"""The model in service stays in service while damaged and poisoned ones are promoted in the registry."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused
from recsys.models.bundle import Bundle
from recsys.models.bundle_files import load_bundle
from recsys.models.sealed_files import MANIFEST, canonical_json
from serving.champion import ChampionInService
from tests.recsys.models.bundles import a_bundle, edit_arrays, reseal
from training.gates import Gate, Verdict
from training.registry import Findings, Registry
from training.tracking import RunRecord, log_run

PASSED = Findings({}, (Gate("judged", Verdict.PASSED, "in a test"),))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> tuple[ChampionInService, Registry, Path]:
    """A registry whose champion is a good item_item model, in service."""
    folder = tmp_path_factory.mktemp("champion")
    registry = Registry(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    champion = ChampionInService(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}", folder / "bundles")
    promote(registry, folder, folder / "good", a_bundle(folder / "good", "item_item"))
    champion.check()
    assert champion.bundle is not None
    return champion, registry, folder


def promote(registry: Registry, folder: Path, files: Path, bundle: Bundle) -> None:
    """Register and promote what `files` are, as a trainer whose own checks were broken would."""
    run_id = log_run(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}", RunRecord("test", {}, {}, bundle=files))
    info = registry.register(bundle, run_id, PASSED)
    registry._point_champion(info.number)


def named_as_it_is(files: Path, bundle: Bundle) -> Bundle:
    """The bundle under the version that the (poisoned) files now have."""
    return replace(bundle, version=f"m-{hashlib.sha256((files / MANIFEST).read_bytes()).hexdigest()[:12]}")


def multiplied(array: str, row: float) -> Callable[[Path], None]:
    def poison(files: Path) -> None:
        edit_arrays(files, lambda arrays: arrays.__setitem__(array, arrays[array] * np.float32(row)))

    return poison


def one_row(value: float) -> Callable[[Path], None]:
    def poison(files: Path) -> None:
        edit_arrays(files, lambda arrays: arrays["item_factors"].__setitem__(0, value))

    return poison


def one_offer_a_hundred_times(files: Path) -> None:
    edit_arrays(files, lambda arrays: arrays["item_factors"].__setitem__(0, arrays["item_factors"][0] * 100))


def permuted_ids(files: Path) -> None:
    offers = json.loads((files / "offers.json").read_bytes())
    offers["offer_ids"] = offers["offer_ids"][::-1]
    (files / "offers.json").write_bytes(canonical_json(offers))
    reseal(files)


def another_parameter(files: Path) -> None:
    parameters = json.loads((files / MANIFEST).read_bytes())["parameters"]
    reseal(files, parameters={**parameters, "alpha": 400.0})


POISONS: dict[str, Callable[[Path], None]] = {
    "a NaN row": one_row(np.nan),
    "an infinite row": one_row(np.inf),
    "all zero": multiplied("item_factors", 0.0),
    "far too large": multiplied("item_factors", 1e9),
    "one offer a hundred times": one_offer_a_hundred_times,
    "permuted ids": permuted_ids,
    "another parameter": another_parameter,
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_champion_is_refused_and_the_old_model_serves_on(
    poison: str, service: tuple[ChampionInService, Registry, Path], tmp_path: Path
) -> None:
    champion, registry, folder = service
    before = champion.bundle
    assert before is not None
    bundle = a_bundle(tmp_path / "b", "als")
    POISONS[poison](tmp_path / "b")
    promote(registry, folder, tmp_path / "b", named_as_it_is(tmp_path / "b", bundle))
    with pytest.raises(BundleRefused):
        champion.check()
    assert champion.bundle is before
    assert np.isfinite(before.score({"产品01": 1.0}, before.offer_ids)).all()
    champion.check()  # a version that was refused once is not fetched again
    assert champion.bundle is before


def test_after_all_of_them_a_good_model_is_served(
    service: tuple[ChampionInService, Registry, Path], tmp_path: Path
) -> None:
    champion, registry, folder = service
    good = a_bundle(tmp_path / "b", "ease")
    promote(registry, folder, tmp_path / "b", good)
    champion.check()
    assert champion.bundle is not None
    assert champion.bundle.version == good.version


def test_a_local_copy_that_was_changed_is_not_served(
    service: tuple[ChampionInService, Registry, Path], tmp_path: Path
) -> None:
    _, registry, folder = service
    version = registry.champion()
    assert version is not None
    copy = folder / "bundles" / version
    other = a_bundle(tmp_path / "other", "lmf")
    for file in copy.iterdir():
        file.write_bytes((tmp_path / "other" / file.name).read_bytes())
    assert load_bundle(copy).version == other.version
    again = ChampionInService(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}", folder / "bundles")
    again.check()
    assert again.bundle is not None
    assert again.bundle.version == version
