"""The service as production runs it: PostgreSQL and a Redis of its own by address; and with that Redis hung."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.service import RunningService, nbo, nbo_json, serving
from tests.redis_server import RedisServer, a_redis_server

OFFERS = "offer_id,title,family\ncard,Card,card\nloan,Loan,loan\nfund,Fund,fund\ntravel,Travel,travel\n"


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis that only this test uses, and may hang."""
    with a_redis_server() as server:
        yield server


@pytest.fixture
def production(
    tmp_path: Path, empty_database_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningService]:
    """A small bank in the given database, with features and a model, being served."""
    monkeypatch.setenv("NBO_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("NBO_REDIS_URL", redis_server.url)
    home, directory = tmp_path / "home", tmp_path / "import"
    directory.mkdir()
    (directory / "offers.csv").write_text(OFFERS)
    rows = [f"c{n},{offer},2026-0{1 + n % 5}-11" for n in range(40) for offer in ("card", "loan", "fund")[: 1 + n % 3]]
    (directory / "interactions.csv").write_text("customer_id,offer_id,occurred_at\n" + "\n".join(rows) + "\n")
    nbo(home, "import", str(directory))
    for step in ("export", "apply", "materialize"):
        nbo(home, "features", step)
    nbo(home, "train", "--promote-if-better")
    with serving(home) as service:
        yield service


def open_contact(service: RunningService, customer_id: str = "c0") -> dict[str, Any]:
    answer = httpx2.post(f"{service.url}/v1/contacts", json={"customer_id": customer_id, "channel": "phone"})
    assert answer.status_code == 201, answer.text
    decision: dict[str, Any] = answer.json()["decision"]
    return decision


def close(production: RunningService, decision: dict[str, Any]) -> dict[str, Any]:
    """End the decision's contact, whose list would else count as made for the next one; returns the decision."""
    ended = httpx2.post(f"{production.url}/v1/contacts/{decision['contact_id']}/close", json={})
    assert ended.status_code == 200
    return decision


def test_a_decision_knows_holdings_answers_and_features_and_outlives_a_hung_redis(
    production: RunningService, redis_server: RedisServer
) -> None:
    first = open_contact(production)
    assert "card" not in {offer["offer_id"] for offer in first["offers"]}
    assert not first["degraded"]
    assert first["feature_age_seconds"] > 0

    outcome = {"decision_id": first["decision_id"], "offer_id": first["offers"][0]["offer_id"], "answer": "declined"}
    recorded = httpx2.post(f"{production.url}/v1/outcomes", json=outcome, headers={"Idempotency-Key": "k"})
    assert recorded.status_code == 201
    close(production, first)
    second = close(production, open_contact(production))
    assert {one["offer_id"]: one["code"] for one in second["held_back"]}[outcome["offer_id"]] == "cooling_off"

    with redis_server.hung():
        hung = [close(production, open_contact(production)) for _ in range(10)]
    assert [decision["degraded_reasons"] for decision in hung] == [["features_unavailable"]] * 10
    assert all(decision["offers"] for decision in hung)

    deadline = time.monotonic() + 5
    while open_contact(production)["degraded"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not open_contact(production)["degraded"]

    assert nbo_json(production.home, "doctor")["ok"]
    shown = nbo_json(production.home, "decisions", "show", second["decision_id"])
    assert shown["model_version"] == second["model_version"]
