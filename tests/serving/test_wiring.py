"""The feature store in service: opened beside the first requests, and tried again where that fails."""

import gc
import threading
import time
from pathlib import Path

import pytest

import features.gateway
from recsys.domain.clock import Clock
from serving import wiring
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
