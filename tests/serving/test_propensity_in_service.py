"""The propensity model in service goes with its relevance version, and nothing waits for it."""

import json
import threading
from pathlib import Path

import pytest

from recsys.domain.errors import BundleRefused
from recsys.models.propensity_folder import TREES
from serving.champion import ChampionInService
from tests.recsys.models.propensity import reseal
from tests.training.pairs import register_propensity, register_relevance
from training.model_kinds import PROPENSITY
from training.registry import Registry


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"


def in_service(uri: str, folder: Path) -> ChampionInService:
    """A service that may load a propensity and follows nothing by itself."""
    service = ChampionInService(uri, folder / "bundles")
    service._has_propensity = True
    return service


def versions_of(service: ChampionInService) -> tuple[str | None, str | None]:
    pair = service.pair
    return pair.relevance and pair.relevance.version, pair.propensity and pair.propensity.version  # type: ignore[return-value]


def test_the_pair_is_followed_swapped_and_kept_on_disk_and_a_damaged_propensity_is_refused(
    tmp_path: Path, uri: str
) -> None:
    service = in_service(uri, tmp_path)
    service.check()
    assert versions_of(service) == (None, None)
    pairs = []
    for count in (1, 2):
        relevance = register_relevance(uri, tmp_path, count)
        pairs.append((relevance, register_propensity(uri, tmp_path, relevance, 1_400 + 100 * count)))
        Registry(uri).promote(relevance, "Grace")
        service.check()
        assert versions_of(service) == pairs[-1]
    pointer = {"version": pairs[1][0], "propensity": pairs[1][1]}
    assert json.loads((tmp_path / "bundles" / "champion.json").read_text()) == pointer
    Registry(uri).rollback()
    service.check()
    assert versions_of(service) == pairs[0]

    restarted = in_service("sqlite:////nowhere/mlflow.db", tmp_path)
    restarted.load_last_good()
    assert versions_of(restarted) == pairs[0]

    copy = tmp_path / "bundles" / pairs[0][1]
    (copy / TREES).write_text("tree\n")
    reseal(copy)
    again = in_service("sqlite:////nowhere/mlflow.db", tmp_path)
    again.load_last_good()
    assert versions_of(again) == (pairs[0][0], None)


def test_a_propensity_whose_files_are_damaged_is_refused_and_the_one_in_service_stays(tmp_path: Path, uri: str) -> None:
    service, relevance = in_service(uri, tmp_path), register_relevance(uri, tmp_path, 1)
    good = register_propensity(uri, tmp_path, relevance, 1_500)
    Registry(uri).promote(relevance, "Grace")
    service.check()
    bad = register_propensity(uri, tmp_path, relevance, 1_600)
    Registry(uri, PROPENSITY).promote(bad, "Grace")
    for stored in (tmp_path / "mlflow").rglob(TREES):
        if (tmp_path / f"q-{relevance}-1600" / TREES).read_bytes() == stored.read_bytes():
            stored.write_bytes(stored.read_bytes()[:-50])
    with pytest.raises(BundleRefused):
        service.check()
    assert versions_of(service) == (relevance, good)
    service.check()
    assert versions_of(service) == (relevance, good)


def test_a_propensity_of_another_relevance_version_is_not_used_whatever_the_registry_says(
    tmp_path: Path, uri: str
) -> None:
    service, relevance = in_service(uri, tmp_path), register_relevance(uri, tmp_path, 1)
    stranger = register_propensity(uri, tmp_path, "m-another", 1_500)
    Registry(uri).promote(relevance, "Grace")
    registry = Registry(uri)
    registry._tag(registry.version(relevance), "partner", stranger)
    with pytest.raises(BundleRefused, match="m-another"):
        service.check()
    assert versions_of(service) == (relevance, None)


def test_what_an_older_program_promoted_serves_on(tmp_path: Path, uri: str) -> None:
    service, relevance = in_service(uri, tmp_path), register_relevance(uri, tmp_path, 1)
    Registry(uri).promote(relevance, "Grace")
    old = register_propensity(uri, tmp_path, None, 1_500)
    registry = Registry(uri)
    registry._client.delete_model_version_tag("nbo-relevance", "1", "partner")
    Registry(uri, PROPENSITY)._point_champion(1)
    service.check()
    assert versions_of(service) == (relevance, old)
    later = register_relevance(uri, tmp_path, 2)
    assert registry.promote(later, "Grace").partner is None
    service.check()
    assert versions_of(service) == (later, None)
    assert registry.rollback().partner == old
    service.check()
    assert versions_of(service) == (relevance, old)


def test_both_change_at_once_for_whoever_reads_meanwhile(tmp_path: Path, uri: str) -> None:
    service, pairs = in_service(uri, tmp_path), set()
    for count in (1, 2):
        relevance = register_relevance(uri, tmp_path, count)
        pairs.add((relevance, register_propensity(uri, tmp_path, relevance, 1_400 + 100 * count)))
    registry = Registry(uri)
    first, second = sorted(relevance for relevance, _ in pairs)
    registry.promote(first, "Grace")
    service.check()
    seen, is_over = set(), threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.add(versions_of(service))

    reader = threading.Thread(target=read)
    reader.start()
    registry.promote(second, "Grace")
    service.check()
    registry.rollback()
    service.check()
    is_over.set()
    reader.join()
    assert seen <= pairs
    assert len(seen) == 2


def test_stopped_before_it_started_it_loads_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    service = ChampionInService(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "bundles")
    service.stop()
    service.start()
    service.wait()
    service.allow_propensity()
    assert versions_of(service) == (None, None)
