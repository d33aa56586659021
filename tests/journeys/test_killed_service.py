"""The service killed while agents answer: what was acknowledged is there, once."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx2

from recsys.storage.database import open_database
from serving.access import EVERYONE
from tests.journeys.service import RunningService, nbo, serving

OUTCOMES, AGENTS, KILLS = 1000, 8, 4


def test_every_acknowledged_outcome_survives_kill_9_exactly_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _import_offers(home, tmp_path / "import")
    acknowledged: dict[str, str] = {}
    with serving(home, mode="degraded") as service:
        with ThreadPoolExecutor(AGENTS) as pool:
            decisions = list(pool.map(partial(_open, service), (f"c{number}" for number in range(OUTCOMES))))
        keys = [f"key-{number}" for number in range(OUTCOMES)]
        agents = [
            threading.Thread(
                target=_answer, args=(service, keys[start::AGENTS], decisions[start::AGENTS], acknowledged)
            )
            for start in range(AGENTS)
        ]
        for agent in agents:
            agent.start()
        for kill in range(1, KILLS + 1):
            _wait_for(acknowledged, kill * OUTCOMES // (KILLS + 1))
            service.kill()
            service.start(mode="degraded")
        for agent in agents:
            agent.join(300)
    assert sorted(acknowledged) == sorted(keys)
    assert _stored(home, keys) == acknowledged
    with closing(sqlite3.connect(home / "nbo.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM outcomes").fetchone() == (OUTCOMES,)


def _answer(
    service: RunningService, keys: Sequence[str], decisions: Sequence[tuple[str, str]], acknowledged: dict[str, str]
) -> None:
    """Post one outcome a key, again with the same key until it is acknowledged, as an agent's desktop would."""
    with httpx2.Client(base_url=service.url, timeout=10) as client:
        for key, (decision_id, offer_id) in zip(keys, decisions, strict=True):
            body = {"decision_id": decision_id, "offer_id": offer_id, "answer": "not_pitched"}
            while key not in acknowledged:
                try:
                    answer = client.post("/v1/outcomes", json=body, headers={"Idempotency-Key": key})
                except httpx2.TransportError:
                    time.sleep(0.05)
                    continue
                assert answer.status_code in (200, 201), answer.text
                acknowledged[key] = answer.json()["outcome_id"]


def _open(service: RunningService, customer_id: str) -> tuple[str, str]:
    body = {"customer_id": customer_id, "channel": "phone", "agent_id": "a1"}
    decision = httpx2.post(f"{service.url}/v1/contacts", json=body).json()["decision"]
    return decision["decision_id"], decision["offers"][0]["offer_id"]


def _stored(home: Path, keys: Sequence[str]) -> dict[str, str]:
    database = open_database(f"sqlite:///{home / 'nbo.db'}")
    with database.read() as log:
        receipts = {key: log.outcome_receipt(f"{EVERYONE.name} {key}") for key in keys}
    database.close()
    return {key: receipt[1]["outcome_id"] for key, receipt in receipts.items() if receipt}


def _import_offers(home: Path, directory: Path) -> None:
    directory.mkdir()
    (directory / "offers.csv").write_text("offer_id,title\ncard,Card\nloan,Loan\n")
    (directory / "interactions.csv").write_text("customer_id,offer_id,occurred_at\nx,card,2026-01-01\n")
    nbo(home, "import", str(directory))


def _wait_for(acknowledged: dict[str, str], enough: int) -> None:
    deadline = time.monotonic() + 300
    while len(acknowledged) < enough and time.monotonic() < deadline:
        time.sleep(0.002)
    assert len(acknowledged) >= enough
