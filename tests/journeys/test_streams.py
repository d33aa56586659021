"""Live streams: every change of a contact once, also after a broken connection, also across workers."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.journeys.service import RunningService, serving


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service of two worker processes over an empty bank with two offers."""
    home: Path = tmp_path_factory.mktemp("two-workers")
    with serving(home, mode="degraded", workers=2) as service:
        offers = [{"offer_id": name, "title": name, "family": name} for name in ("card", "loan")]
        assert httpx2.post(f"{service.url}/v1/offers", json={"offers": offers}).status_code == 201
        yield service


def a_contact(service: RunningService) -> str:
    body = {"customer_id": f"c-{uuid4()}", "channel": "app", "agent_id": "a1"}
    contact_id: str = httpx2.post(f"{service.url}/v1/contacts", json=body).json()["contact"]["contact_id"]
    return f"{service.url}/v1/contacts/{contact_id}"


def hear(contact: str, intent: str) -> int:
    decision = httpx2.post(f"{contact}/events", json={"type": "intent", "intent": intent}).json()
    sequence: int = decision["sequence"]
    return sequence


def decisions(contact: str, wanted: int, last_event_id: int | None = None) -> list[tuple[int, str]]:
    """Follow the stream until `wanted` decisions came; returns (event id, offer on top)."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    found: list[tuple[int, str]] = []
    event: dict[str, str] = {}
    with httpx2.stream("GET", f"{contact}/stream", headers=headers, timeout=10) as answer:
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            event[name] = value
            if not line and "data" in event:
                found.append((int(event["id"]), json.loads(event["data"])["offers"][0]["offer_id"]))
                event = {}
            if len(found) == wanted:
                break
    return found


def test_a_stream_tells_every_decision_in_order_with_its_sequence_number(two_workers: RunningService) -> None:
    contact = a_contact(two_workers)
    heard = [hear(contact, intent) for intent in ("loan", "card")]
    assert [sequence for sequence, _ in decisions(contact, 3)][1:] == heard


def test_a_broken_stream_goes_on_after_the_last_event_it_saw(two_workers: RunningService) -> None:
    contact = a_contact(two_workers)
    first = decisions(contact, 1)[0][0]
    missed = [hear(contact, "loan") for _ in range(3)]
    assert [sequence for sequence, _ in decisions(contact, 3, last_event_id=first)] == missed
    assert [sequence for sequence, _ in decisions(contact, 1, last_event_id=missed[1])] == missed[2:]


def test_a_change_reaches_open_streams_whichever_worker_made_it(two_workers: RunningService) -> None:
    contact = a_contact(two_workers)
    headers = {"Last-Event-ID": "1"}
    for number in range(6):
        with httpx2.stream("GET", f"{contact}/stream", headers=headers, timeout=10) as answer:
            lines = answer.iter_lines()
            next(lines)
            sequence = hear(contact, "loan" if number % 2 else "card")
            assert f"id: {sequence}" in lines
        headers = {"Last-Event-ID": str(sequence)}


def test_metrics_add_up_over_the_workers(two_workers: RunningService) -> None:
    before = _opened(two_workers)
    for _ in range(10):
        a_contact(two_workers)
    assert _opened(two_workers) == before + 10


def _opened(service: RunningService) -> float:
    line = 'nbo_http_requests_total{method="POST",route="/v1/contacts",status="201"}'
    text = httpx2.get(f"{service.url}/metrics").text
    return sum(float(row.rsplit(" ", 1)[1]) for row in text.splitlines() if row.startswith(line))
