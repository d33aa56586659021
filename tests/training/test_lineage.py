"""Lineage against a real MLflow: from a version to its data and code, and from any of these back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.domain.errors import ModelVersionNotFound
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import save_bundle
from recsys.models.popularity import Popularity
from training.lineage import lineage_of, versions_from
from training.registry import Findings, Registry
from training.tracking import RunRecord, TrainingData, log_run

DATA = TrainingData(
    name="interactions", source="offline/events", sha256="ab" * 32, rows=12, cutoff="2026-01-01T00:00:00+00:00",
    service="relevance_v1", views={"customer_profile": "v2", "interaction_events": "v1"}, facts=("age", "segment"),
)  # fmt: skip


def registered(uri: str, folder: Path, data: TrainingData | None, customers: int) -> str:
    world, rng = build_matrix(["a"] * customers + ["b"], ["x"] * customers + ["y"]), np.random.default_rng(0)
    bundle = save_bundle(folder, Popularity().fit(world, rng=rng), world, rng)
    tags = {"code_version": "0.1.0+0123456789ab"}
    run_id = log_run(uri, RunRecord("popularity", {}, {}, tags, bundle=folder, data=data))
    return Registry(uri).register(bundle, run_id, Findings({}, ())).version


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def versions(uri: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """One version whose data was logged, and one of before that was done."""
    folder = tmp_path_factory.mktemp("bundles")
    return registered(uri, folder / "new", DATA, 1), registered(uri, folder / "old", None, 2)


def test_a_version_is_traced_to_its_data_features_and_code(uri: str, versions: tuple[str, str]) -> None:
    traced = lineage_of(uri, versions[0])
    assert traced.data is not None
    assert (traced.data.digest, traced.data.sha256, traced.data.rows) == (DATA.digest, DATA.sha256, 12)
    assert (traced.data.service, dict(traced.data.views)) == ("relevance_v1", dict(DATA.views))
    assert (traced.data.facts, traced.data.cutoff) == (DATA.facts, DATA.cutoff)
    assert traced.code == "0.1.0+0123456789ab"
    assert lineage_of(uri, versions[1]).data is None


@pytest.mark.parametrize("name", [DATA.digest, DATA.sha256, "relevance_v1", "interaction_events", "age"])
def test_whatever_it_was_made_from_leads_back_to_it(uri: str, versions: tuple[str, str], name: str) -> None:
    assert [one.version for one in versions_from(uri, name)] == [versions[0]]


def test_a_commit_leads_to_everything_made_by_it_and_a_name_nobody_knows_to_an_error(
    uri: str, versions: tuple[str, str]
) -> None:
    assert {one.version for one in versions_from(uri, "0123456")} == set(versions)
    with pytest.raises(ModelVersionNotFound):
        versions_from(uri, "nothing")


@pytest.mark.parametrize(
    "other",
    [
        replace(DATA, sha256="cd" * 32),
        replace(DATA, cutoff="2026-01-01T00:00:00.000001+00:00"),
        replace(DATA, service="relevance_v2"),
        replace(DATA, views={**DATA.views, "customer_profile": "v3"}),
        replace(DATA, facts=("age",)),
    ],
)
def test_the_digest_differs_with_content_cut_off_service_views_and_facts(other: TrainingData) -> None:
    assert other.digest != DATA.digest
