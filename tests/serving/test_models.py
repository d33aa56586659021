"""Model versions over HTTP: listed with their gates, promoted only when these hold, rolled back."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from recsys.domain.errors import StoreUnavailable
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import save_bundle
from recsys.models.popularity import Popularity
from recsys.storage.event_log import EventLog
from serving.idempotency import Once
from training.gates import Gate, Verdict
from training.registry import Findings, Registry
from training.tracking import RunRecord, log_run

GREEN = Gate("better than popularity", Verdict.PASSED, "NDCG@5 differs by +0.1")
RED = Gate("even across segments", Verdict.REFUSED, "HR@5 of young is 0.40 × everybody's")


@pytest.fixture
def versions(empty_api: TestClient, tmp_path: Path) -> list[str]:
    """Two good versions, and a third that a gate refuses, all trained by Linus."""
    uri = f"sqlite:///{tmp_path / 'home' / 'mlflow' / 'mlflow.db'}"
    names = []
    for number, gate in enumerate((GREEN, GREEN, RED), 1):
        world, rng = build_matrix(["a"] * number + ["b"], ["x"] * number + ["y"]), np.random.default_rng(0)
        directory = tmp_path / f"bundle-{number}"
        bundle = save_bundle(directory, Popularity().fit(world, rng=rng), world, rng)
        run_id = log_run(uri, RunRecord("popularity", {}, {}, bundle=directory))
        names.append(Registry(uri).register(bundle, run_id, Findings({}, (gate,), trainer="Linus")).version)
    return names


def test_versions_are_promoted_and_rolled_back(empty_api: TestClient, versions: list[str]) -> None:
    for version in versions[:2]:
        promoted = empty_api.post(f"/v1/models/{version}/promote", headers={"nbo-actor": "Ada"})
        assert (promoted.status_code, promoted.json()) == (200, {"champion": version})
    assert empty_api.post("/v1/models/rollback").json() == {"champion": versions[0]}
    listed = empty_api.get("/v1/models").json()
    assert listed["champion"] == versions[0]
    assert [version["gates"][0]["passed"] for version in listed["versions"]] == [False, True, True]


def promote_both(api: TestClient, versions: list[str]) -> None:
    for version in versions[:2]:
        api.post(f"/v1/models/{version}/promote", headers={"nbo-actor": "Ada", "idempotency-key": version})


def test_a_change_of_the_champion_that_is_sent_again_late_changes_nothing(
    empty_api: TestClient, versions: list[str]
) -> None:
    promote_both(empty_api, versions)
    promote_both(empty_api, versions[:1])
    assert empty_api.get("/v1/models").json()["champion"] == versions[1]
    key = {"idempotency-key": "back"}
    rolled = [empty_api.post("/v1/models/rollback", headers=key) for _ in range(2)]
    assert [one.json() for one in rolled] == [{"champion": versions[0]}] * 2
    empty_api.post(f"/v1/models/{versions[1]}/promote", headers={"nbo-actor": "Ada"})
    assert empty_api.post("/v1/models/rollback", headers=key).json() == {"champion": versions[0]}
    assert empty_api.get("/v1/models").json()["champion"] == versions[1]


def test_a_roll_back_of_which_only_the_beginning_is_known_is_finished_once(
    empty_api: TestClient, versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote_both(empty_api, versions)
    key, end, ends = {"idempotency-key": "back"}, Once.end, []

    def end_once(once: Once, log: EventLog, **made: object) -> None:
        ends.append(made)
        if len(ends) == 2:
            raise StoreUnavailable("gone")
        end(once, log, **made)

    monkeypatch.setattr(Once, "end", end_once)
    found = [empty_api.post("/v1/models/rollback", headers=key) for _ in range(3)]
    assert [one.status_code for one in found] == [503, 200, 200]
    assert [one.json() for one in found[1:]] == [{"champion": versions[0]}] * 2


def test_a_refused_gate_and_the_trainer_s_own_approval_are_conflicts_with_the_figure(
    empty_api: TestClient, versions: list[str]
) -> None:
    refused = empty_api.post(f"/v1/models/{versions[2]}/promote", headers={"nbo-actor": "Ada"})
    own = empty_api.post(f"/v1/models/{versions[0]}/promote", headers={"nbo-actor": "Linus"})
    assert (refused.status_code, own.status_code) == (409, 409)
    assert "even across segments: HR@5 of young is 0.40" in refused.json()["detail"]
    assert "approved by somebody else" in own.json()["detail"]
    assert empty_api.get("/v1/models").json()["champion"] is None
