"""The feature store in service: opened beside the first requests, and tried again where that fails."""

import gc
import threading
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import features.gateway
from recsys.domain.clock import Clock
from serving import wiring
from serving.app import create_app
from serving.champion import ChampionInService
from serving.settings import Settings
from serving.wiring import FeaturesInService


def test_a_feature_store_that_cannot_be_opened_at_first_is_opened_later(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    real = features.gateway.FeatureGateway

    def fails_once(settings: Settings, clock: Clock) -> features.gateway.FeatureGateway:
        tries.append(len(tries))
        if len(tries) == 1:
            raise SystemError("AST constructor recursion depth mismatch")
        return real(settings, clock=clock)

    monkeypatch.setattr(features.gateway, "FeatureGateway", fails_once)
    monkeypatch.setattr(wiring, "OPEN_AGAIN_SECONDS", (0.05,))
    service = FeaturesInService(Settings(home=tmp_path, redis_url=redis_url))
    service.start()
    service.wait()
    deadline = time.monotonic() + 90
    while service._gateway is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tries == [0, 1]
    assert service.gateway is not None
    service.close()


def test_a_service_that_has_just_started_is_starting_until_all_was_loaded_and_read_once(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load, read = threading.Event(), list[str]()
    real = ChampionInService.allow_propensity

    def allow(champion: ChampionInService) -> None:
        may_load.wait()
        real(champion)

    monkeypatch.setattr(ChampionInService, "allow_propensity", allow)
    monkeypatch.setattr(features.gateway.FeatureGateway, "read_online", lambda _, customer: read.append(customer))
    with TestClient(create_app(Settings(home=tmp_path / "home", redis_url=redis_url))) as client:
        deadline = time.monotonic() + 90
        while client.get("/readyz").json().get("awaited") != ["propensity"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ready = client.get("/readyz").json()
        assert (ready["status"], ready["mode"], read) == ("ready", "starting", [])
        may_load.set()
        while (ready := client.get("/readyz").json())["mode"] == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "awaited" not in ready
        assert read == [""]


def test_garbage_is_collected_again_once_all_is_loaded(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = wiring.build_services(Settings(home=tmp_path / "home", redis_url=redis_url))
    is_loaded = threading.Event()
    monkeypatch.setattr(services.features, "wait", is_loaded.wait)
    services.start()
    try:
        while_loading = gc.isenabled()
        is_loaded.set()
        deadline = time.monotonic() + 90
        while not gc.isenabled() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (while_loading, gc.isenabled()) == (False, True)
        assert gc.get_freeze_count() > 0
    finally:
        services.close()
    assert gc.get_freeze_count() == 0
