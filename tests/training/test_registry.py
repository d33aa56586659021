"""The model registry on a real MLflow: versions, the champion, and bundles as checked files."""

import multiprocessing
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.domain.errors import BundleRefused, ModelVersionNotFound, NoChampion, NotPromotable
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import load_bundle, save_bundle
from recsys.models.popularity import Popularity
from training.gates import Gate, Verdict
from training.registry import Findings, Registry
from training.tracking import RunRecord, log_run, open_tracking

GREEN = Gate("better than popularity", Verdict.PASSED, "NDCG@5 differs by +0.1")
RED = Gate("better than popularity", Verdict.REFUSED, "NDCG@5 differs by -0.1")


def register(tracking_uri: str, folder: Path, *customers: str, gate: Gate = GREEN) -> str:
    """Register a popularity model whose content depends on `customers`, trained by Linus."""
    world = build_matrix([*customers, "z"], ["x"] * len(customers) + ["y"])
    directory = folder / f"bundle-{len(customers)}"
    rng = np.random.default_rng(0)
    bundle = save_bundle(directory, Popularity().fit(world, rng=rng), world, rng)
    run_id = log_run(tracking_uri, RunRecord("popularity", {}, {}, bundle=directory))
    findings = Findings({"NDCG@5": 0.5}, (gate,), {"NDCG@5": (0.4, 0.6)}, trainer="Linus", card="model_card.md")
    return Registry(tracking_uri).register(bundle, run_id, findings).version


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
    assert (listed[0].intervals, listed[0].gates, listed[0].trainer) == ({"NDCG@5": (0.4, 0.6)}, (GREEN,), "Linus")
    assert (listed[0].card or "").endswith("/model_card.md")


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


def test_a_version_that_a_gate_refused_is_not_promoted_whether_there_is_a_champion_or_not(
    tmp_path: Path, tracking_uri: str
) -> None:
    refused = register(tracking_uri, tmp_path, "a", gate=RED)
    registry = Registry(tracking_uri)
    for champion in (None, register(tracking_uri, tmp_path, "a", "b")):
        if champion:
            registry.promote(champion, "Ada")
        with pytest.raises(NotPromotable, match=r"better than popularity: NDCG@5 differs by -0\.1"):
            registry.promote(refused, "Ada")
        assert registry.champion() == champion


def test_nobody_approves_what_they_trained(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    with pytest.raises(NotPromotable, match="approved by somebody else: trained by Linus, approved by linus"):
        Registry(tracking_uri).promote(version, "linus")
    assert Registry(tracking_uri).champion() is None


def test_a_version_of_which_no_gate_was_judged_is_not_promoted(tmp_path: Path, tracking_uri: str) -> None:
    version = register(tracking_uri, tmp_path, "a")
    open_tracking(tracking_uri).delete_model_version_tag("nbo-relevance", "1", "gates")
    with pytest.raises(NotPromotable, match="gates: none were judged"):
        Registry(tracking_uri).promote(version, "Ada")


def test_rolling_back_goes_on_to_the_champion_before_that(tmp_path: Path, tracking_uri: str) -> None:
    versions = [register(tracking_uri, tmp_path, *"abc"[:count]) for count in (1, 2, 3)]
    registry = Registry(tracking_uri)
    for version in versions:
        registry.promote(version, "Ada")
    assert [registry.rollback().version for _ in range(2)] == [versions[1], versions[0]]


def test_rolling_back_to_a_damaged_version_is_refused_with_the_reason(tmp_path: Path, tracking_uri: str) -> None:
    first, second = register(tracking_uri, tmp_path, "a"), register(tracking_uri, tmp_path, "a", "b")
    registry = Registry(tracking_uri)
    registry.promote(first, "Ada")
    registry.promote(second, "Ada")
    stored = tmp_path / "mlflow" / "artifacts" / registry.version(first).run_id / "artifacts" / "bundle" / "arrays.npz"
    stored.write_bytes(stored.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleRefused, match="sha256"):
        registry.rollback()
    assert registry.champion() == second


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """The MLflow client of a process that is killed before its change number `at`, from 0 on."""

    def __init__(self, client: Any, at: int) -> None:
        self._client, self._left = client, at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not name.startswith(("set_", "delete_", "create_")):
            return found

        def change(*words: Any) -> Any:
            if self._left == 0:
                raise Killed
            self._left -= 1
            return found(*words)

        return change


@pytest.mark.parametrize("step", ["promote", "rollback"])
def test_a_change_of_champion_killed_at_any_point_is_wholly_old_or_wholly_new(
    tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first, second, third = (register(tracking_uri, tmp_path, *"abc"[:count]) for count in (1, 2, 3))
    registry, client = Registry(tracking_uri), open_tracking(tracking_uri)
    registry.promote(first, "Ada")
    registry.promote(second, "Ada")
    after = third if step == "promote" else first
    for at in range(10):
        with monkeypatch.context() as patched:
            patched.setattr("training.registry.open_tracking", lambda *_, at=at: Mortal(client, at))
            with suppress(Killed):
                registry.promote(third, "Ada") if step == "promote" else registry.rollback()
        if registry.champion() == after:
            break
        champion, previous = (
            next((i.version for i in registry.versions() if alias in i.aliases), None)
            for alias in ("champion", "previous")
        )
        assert (champion, previous) == (second, first)
    assert registry.champion() == after


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
