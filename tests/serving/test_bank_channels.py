"""The bank's own channels and days in offers, campaign plans and what-ifs; what was stored stays readable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings
from tests.experiments.plans import a_plan_document

KIOSK: dict[str, Any] = {"channels": {"kiosk": {"spellings": ["大堂机"], "label": {"en": "Kiosk", "zh": "大堂终端"}}}}
SPELLINGS = ["kiosk", "Kiosk", "大堂机", "KIOSK "]
OFFER: dict[str, Any] = {"offer_id": "screen", "title": "Screen"}


@pytest.fixture
def bank(api: TestClient) -> TestClient:
    """A service of a bank that has a channel of its own."""
    assert api.post("/v1/policy", json={"vocabulary": KIOSK, "list_length": 6}).status_code == 201
    return api


def drop_the_channel(api: TestClient) -> None:
    assert api.post("/v1/policy", json={"vocabulary": {}, "drop_words": True}).status_code == 201


def channels_of(api: TestClient, offer_id: str = "screen") -> list[str]:
    offers = api.get("/v1/offers").json()["offers"]
    return next(list(one["channels"]) for one in offers if one["offer_id"] == offer_id)


@pytest.mark.parametrize("word", SPELLINGS)
def test_an_offer_is_made_on_a_channel_of_the_bank(word: str, bank: TestClient) -> None:
    offer = {**OFFER, "channels": [word]}
    assert bank.post("/v1/offers/validate", json=offer).json()["valid"]
    assert bank.post("/v1/offers", json=offer).status_code == 201
    assert channels_of(bank) == ["kiosk"]
    there = bank.post("/v1/contacts", json={"customer_id": "c1", "channel": word}).json()["decision"]["offers"]
    elsewhere = bank.post("/v1/contacts", json={"customer_id": "c2", "channel": "phone"}).json()["decision"]["offers"]
    assert "screen" in {one["offer_id"] for one in there}
    assert "screen" not in {one["offer_id"] for one in elsewhere}
    preview = {"offer": offer, "customer_id": "c1", "channel": word}
    assert bank.post("/v1/offers/preview", json=preview).status_code == 200
    tried = bank.post("/v1/offers/what-if", json={"offers": [offer]}, params={"channel": word})
    assert (tried.status_code, tried.json()["channel"]) == (200, "kiosk")


def test_without_the_banks_words_its_channel_is_refused(api: TestClient) -> None:
    offer = {**OFFER, "channels": ["kiosk"]}
    assert api.post("/v1/offers", json=offer).status_code == 422
    assert api.post("/v1/offers/what-if", json={"offers": [offer]}).status_code == 422
    assert api.post("/v1/campaigns", json=a_plan(channels=["kiosk"])).status_code == 422
    treated = a_plan()
    treated["arms"][1]["treatment"] = {"offers": [{**OFFER, "channels": ["kiosk"]}]}
    assert api.post("/v1/campaigns", json=treated).status_code == 422


def a_plan(**changes: Any) -> dict[str, Any]:
    pushed = {"name": "pushed", "weight": 1, "treatment": {"levers": {"card": 2}}}
    arms = [{"name": "control", "weight": 1, "control": True}, pushed]
    return {**a_plan_document(arms=arms), **changes}


def test_a_campaign_takes_place_on_a_channel_of_the_bank_and_outlives_it(bank: TestClient) -> None:
    plan = a_plan(channels=["大堂机", "phone"])
    plan["arms"][1]["treatment"] = {"offers": [{**OFFER, "channels": ["大堂机"]}]}
    drafted = bank.post("/v1/campaigns", json=plan)
    assert (drafted.status_code, drafted.json()["plan"]["channels"]) == (201, ["kiosk", "phone"])
    campaign = f"/v1/campaigns/{drafted.json()['campaign_id']}"
    assert bank.post(f"{campaign}/approve").status_code == 200
    assert bank.post(f"{campaign}/start").status_code == 200
    assert bank.post("/v1/contacts", json={"customer_id": "c1", "channel": "kiosk"}).json()["decision"]
    drop_the_channel(bank)
    assert bank.get(campaign).json()["status"] == "running"
    assert bank.get(f"{campaign}/results").status_code == 200
    assert bank.post("/v1/contacts", json={"customer_id": "c2", "channel": "phone"}).json()["decision"]
    assert bank.get(f"{campaign}/results").json()["units"]["assigned"] == 2


def test_a_catalogue_outlives_a_channel_that_the_bank_drops(bank: TestClient) -> None:
    assert bank.post("/v1/offers", json={**OFFER, "channels": ["kiosk", "phone"]}).status_code == 201
    decided = bank.post("/v1/contacts", json={"customer_id": "c1", "channel": "kiosk"}).json()["decision"]
    drop_the_channel(bank)
    assert channels_of(bank) == ["kiosk", "phone"]
    replayed = bank.post(f"/v1/decisions/{decided['decision_id']}/replay").json()
    assert (replayed["identical"], replayed["differences"]) == (True, [])
    offers = bank.post("/v1/contacts", json={"customer_id": "c2", "channel": "phone"}).json()["decision"]["offers"]
    assert "screen" in {one["offer_id"] for one in offers}
    assert bank.post("/v1/offers", json={**OFFER, "offer_id": "other"}).status_code == 201
    assert channels_of(bank) == ["kiosk", "phone"]


@pytest.fixture
def shanghai(tmp_path: Path, redis_url: str) -> Iterator[TestClient]:
    settings = Settings(home=tmp_path / "home", redis_url=redis_url, time_zone="Asia/Shanghai")
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize("written", ["2026-06-01", " 2026-06-01 "])
def test_a_date_without_a_time_is_a_day_of_the_bank(written: str, shanghai: TestClient) -> None:
    offer = {**OFFER, "valid_from": written, "valid_to": written}
    saved = shanghai.post("/v1/offers", json=offer).json()["offers"][0]
    assert (saved["valid_from"], saved["valid_to"]) == ("2026-05-31T16:00:00+00:00", "2026-06-01T16:00:00+00:00")
    exact = {**OFFER, "valid_from": "2026-06-01T00:00:00Z", "valid_to": "2026-06-01T12:00:00+08:00"}
    again = shanghai.post("/v1/offers", json=exact).json()["offers"][0]
    assert (again["valid_from"], again["valid_to"]) == ("2026-06-01T00:00:00+00:00", "2026-06-01T04:00:00+00:00")
    assert shanghai.post("/v1/offers", json={**OFFER, "valid_to": "9999-12-31"}).status_code == 201


def test_in_utc_a_date_without_a_time_ends_with_its_day(api: TestClient) -> None:
    saved = api.post("/v1/offers", json={**OFFER, "valid_from": "2026-06-01", "valid_to": "2026-06-01"}).json()
    offer = next(one for one in saved["offers"] if one["offer_id"] == "screen")
    assert (offer["valid_from"], offer["valid_to"]) == ("2026-06-01T00:00:00+00:00", "2026-06-02T00:00:00+00:00")


def test_a_zone_that_there_is_not_stops_the_start_with_a_clear_word(monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys.domain.errors import SettingsInvalid
    from serving.cli.environment import current_settings

    monkeypatch.setenv("NBO_TIME_ZONE", "Shanghai")
    with pytest.raises(SettingsInvalid, match=r"NBO_TIME_ZONE.*'Shanghai' is no time zone.*Asia/Shanghai"):
        current_settings()
