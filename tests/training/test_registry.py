"""The model registry on a real MLflow: versions, the champion, and bundles as checked files."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused, ModelVersionNotFound, NoChampion, NotPromotable
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle import load_bundle, save_bundle
from recsys.models.popularity import Popularity
from training.registry import Registry
from training.tracking import RunRecord, log_run, open_tracking


def register(tracking_uri: str, folder: Path, *customers: str, refusals: tuple[str, ...] = ()) -> str:
    """Register a popularity model whose content depends on `customers`."""
    world = build_matrix([*customers, "z"], ["x"] * len(customers) + ["y"])
    directory = folder / f"bundle-{len(customers)}"
    rng = np.random.default_rng(0)
    bundle = save_bundle(directory, Popularity().fit(world, rng=rng), world, rng)
    run_id = log_run(tracking_uri, RunRecord("popularity", {}, {}, bundle=directory))
    return Registry(tracking_uri).register(bundle, run_id, {"NDCG@5": 0.5}, refusals).version


def test_a_registry_that_nobody_has_used_is_empty_and_stays_uncreated(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    assert (registry.champion(), registry.versions()) == (None, [])
    with pytest.raises(ModelVersionNotFound):
        registry.version("m-1")
    with pytest.raises(NoChampion):
        registry.rollback()
    assert not (tmp_path / "mlflow").exists()


def test_a_registry_with_tables_and_no_versions_has_no_champion(tracking_uri: str) -> None:
    assert Registry(tracking_uri).champion() is None


def test_versions_are_listed_newest_first_with_what_is_known_of_them(tmp_path: Path, tracking_uri: str) -> None:
    first, second = register(tracking_uri, tmp_path, "a"), register(tracking_uri, tmp_path, "a", "b")
    listed = Registry(tracking_uri).versions()
    assert [(info.version, info.number) for info in listed] == [(second, 2), (first, 1)]
    assert (listed[0].model, listed[0].metrics, listed[0].aliases) == ("popularity", {"NDCG@5": 0.5}, ())


def test_a_version_goes_by_its_name_or_its_number(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    registry = Registry(tracking_uri)
    assert registry.version("1") == registry.version(version)
    with pytest.raises(ModelVersionNotFound):
        registry.version("2")


def test_promotion_moves_the_champion_and_rollback_brings_the_previous_one_back(
    tmp_path: Path, tracking_uri: str
) -> None:
    first, second = register(tracking_uri, tmp_path, "a"), register(tracking_uri, tmp_path, "a", "b")
    registry = Registry(tracking_uri)
    registry.promote(first, "Ada")
    promoted = registry.promote("2", "Grace")
    assert (promoted.version, promoted.aliases, promoted.approver) == (second, ("champion",), "Grace")
    assert registry.version(first).aliases == ("previous",)
    assert registry.rollback().version == first
    assert registry.champion() == first
    with pytest.raises(NoChampion):
        registry.rollback()


def test_promoting_the_champion_again_changes_nothing(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    registry = Registry(tracking_uri)
    registry.promote(version, "Ada")
    registry.promote(version, "Grace")
    assert registry.version(version).aliases == ("champion",)
    assert registry.version(version).approver == "Ada"


def test_a_version_that_a_gate_refused_is_not_promoted_over_a_champion(tmp_path: Path, tracking_uri: str) -> None:
    first = register(tracking_uri, tmp_path, "a", refusals=("better than popularity: 0",))
    refused = register(tracking_uri, tmp_path, "a", "b", refusals=("better than popularity: NDCG@5 differs by -0.1",))
    registry = Registry(tracking_uri)
    registry.promote(first, "Ada")
    with pytest.raises(NotPromotable, match=r"better than popularity: NDCG@5 differs by -0\.1"):
        registry.promote(refused, "Ada")
    assert registry.champion() == first


def test_fetch_brings_the_checked_bundle_and_only_once(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    fetched = Registry(tracking_uri).fetch(version, tmp_path / "bundles")
    assert fetched == tmp_path / "bundles" / version
    assert load_bundle(fetched).version == version
    written = (fetched / "arrays.npz").stat().st_mtime_ns
    assert Registry(tracking_uri).fetch(version, tmp_path / "bundles") == fetched
    assert (fetched / "arrays.npz").stat().st_mtime_ns == written
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == [version]


def test_a_damaged_local_copy_is_fetched_again(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    fetched = Registry(tracking_uri).fetch(version, tmp_path / "bundles")
    (fetched / "arrays.npz").write_bytes(b"damaged")
    assert load_bundle(Registry(tracking_uri).fetch(version, tmp_path / "bundles")).version == version


def test_files_that_changed_in_the_registry_are_neither_fetched_nor_promoted(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    stored = next((tmp_path / "mlflow" / "artifacts").rglob("arrays.npz"))
    stored.write_bytes(stored.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleRefused, match="sha256"):
        Registry(tracking_uri).fetch(version, tmp_path / "bundles")
    with pytest.raises(BundleRefused, match="sha256"):
        Registry(tracking_uri).promote(version, "Ada")
    assert Registry(tracking_uri).champion() is None
    assert list((tmp_path / "bundles").iterdir()) == []


def test_another_good_bundle_in_its_place_is_refused(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    stored = next((tmp_path / "mlflow" / "artifacts").rglob("manifest.json")).parent
    world = build_matrix(["a", "b", "c"], ["x", "y", "y"])
    rng = np.random.default_rng(0)
    save_bundle(tmp_path / "other", Popularity().fit(world, rng=rng), world, rng)
    for file in (tmp_path / "other").iterdir():
        (stored / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BundleRefused, match="version"):
        Registry(tracking_uri).fetch(version, tmp_path / "bundles")


def test_asking_for_the_champion_takes_milliseconds(tmp_path: Path, tracking_uri: str) -> None:
    registry = Registry(tracking_uri)
    registry.promote(register(tracking_uri, tmp_path, "a"), "Ada")
    started = time.perf_counter()
    for _ in range(10):
        Registry(tracking_uri).champion()
    assert (time.perf_counter() - started) / 10 < 0.1


def open_it(tracking_uri: str) -> None:
    """Run in a process of its own: create what is missing."""
    open_tracking(tracking_uri)


def test_two_processes_may_create_the_registry_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=open_it, args=(uri,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert Registry(uri).versions() == []
