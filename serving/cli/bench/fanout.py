"""Measures the way from an event to the open consoles: many streams of fragments over one service, one real page."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from recsys.domain.clock import system_clock
from serving.cli.bench.decide import FAMILIES, MODELS, write_bank
from serving.cli.bench.decide import Plan as BankPlan
from serving.cli.bench.screen import Screen, open_screen
from serving.cli.bench.server import server
from serving.cli.output import Progress
from serving.settings import Settings

OFFERS = 60
LONGEST_LINE = 1 << 20
MISSED_AFTER_SECONDS = 10.0
EVERY_FIFTH = 5
"""Every fifth event happens in the contact that the real page shows, so that it sees enough of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many consoles follow how many contacts, and how many events happen there at which rate a second."""

    consoles: int
    contacts: int
    events: int
    rate: float
    seed: int


@dataclass(slots=True)
class Console:
    """One open console: when each sequence number of its contact arrived, in seconds since the epoch."""

    contact_id: str
    received: list[tuple[int, float]] = field(default_factory=list)

    async def follow(self, port: int, after: int) -> None:
        """Read the contact's stream as the page does, until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LONGEST_LINE)
        path = f"/agent/contacts/{self.contact_id}/stream?after={after}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"id: "):
                    self.received.append((int(line[4:]), system_clock().timestamp()))
        finally:
            writer.close()

    def waited_ms(self, sequence: int, since: float) -> float | None:
        """Return the milliseconds from `since` until this console showed `sequence` or something newer."""
        at = next((at for number, at in self.received if number >= sequence), None)
        return None if at is None else (at - since) * 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One thing heard in a contact: when it was sent, and the number and id of the decision it led to."""

    contact_id: str
    sent_at: float
    sequence: int
    decision_id: str


def measure(folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Build a bank below `folder`, open the consoles, let the events happen and return the document of the contract."""
    from serving.cli.bank import BankBuild, build_bank
    from serving.embedded_redis import embedded_redis

    settings = Settings(home=folder, database_url=None, mlflow_tracking_uri=None, offline_path=None)
    bank = BankPlan(OFFERS, max(plan.contacts, 100), 1, 1, 1, 1, plan.seed)
    write_bank(folder / "import", bank, np.random.default_rng(plan.seed))
    with embedded_redis(folder) as redis_url:
        build_bank(settings, folder / "import", redis_url, BankBuild(plan.seed, MODELS), progress)
        environment = {"NBO_REDIS_URL": redis_url, "OPENBLAS_NUM_THREADS": "1"}
        for name in ("NBO_DATABASE_URL", "NBO_MLFLOW_TRACKING_URI", "NBO_OFFLINE_PATH"):
            os.environ.pop(name, None)
        with server("serving.app:app_from_environment", folder, 1, environment) as port:
            return asyncio.run(_watch(port, plan, progress))


async def _watch(port: int, plan: Plan, progress: Progress) -> dict[str, Any]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        opened = [await _open(client, number) for number in range(plan.contacts)]
        consoles = [Console(opened[number % plan.contacts][0]) for number in range(plan.consoles)]
        starts = dict(opened)
        following = [asyncio.create_task(one.follow(port, starts[one.contact_id])) for one in consoles]
        async with open_screen(f"http://127.0.0.1:{port}/agent/contacts/{opened[0][0]}") as screen:
            await asyncio.sleep(2)
            events = await _happen(client, [contact_id for contact_id, _ in opened], plan, progress)
            await _settle(consoles, events)
            shown = None if screen is None else _figures(await _screen_times(screen, events))
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    times = _receipt_times(consoles, events)
    return {
        "consoles": plan.consoles,
        "contacts": plan.contacts,
        "events": len(events),
        "rate_per_second": plan.rate,
        "missed": sum(one is None for one in times),
        "event_to_receipt_ms": _figures([one for one in times if one is not None]),
        "event_to_screen_ms": shown,
    }


async def _open(client: httpx2.AsyncClient, number: int) -> tuple[str, int]:
    contact = {"customer_id": f"c{number}", "channel": "phone", "agent_id": "demo-agent", "reason": "balance"}
    opened = (await client.post("/v1/contacts", json=contact)).json()
    return str(opened["contact"]["contact_id"]), int(opened["decision"]["sequence"])


async def _happen(
    client: httpx2.AsyncClient, contact_ids: Sequence[str], plan: Plan, progress: Progress
) -> list[Event]:
    """Send the events at the plan's rate, whatever the answers do."""
    rng = np.random.default_rng(plan.seed)
    loop = asyncio.get_running_loop()
    began, tasks = loop.time(), []
    for number in range(plan.events):
        await asyncio.sleep(max(0.0, began + number / plan.rate - loop.time()))
        place = 0 if number % EVERY_FIFTH == 0 else int(rng.integers(len(contact_ids)))
        intent = {"type": "intent", "intent": FAMILIES[number % len(FAMILIES)], "confidence": 0.9}
        tasks.append(asyncio.create_task(_hear(client, contact_ids[place], intent)))
        progress("events", number + 1, plan.events)
    return list(await asyncio.gather(*tasks))


async def _hear(client: httpx2.AsyncClient, contact_id: str, event: dict[str, Any]) -> Event:
    sent_at = system_clock().timestamp()
    answer = await client.post(f"/v1/contacts/{contact_id}/events", json=event)
    answer.raise_for_status()
    decision = answer.json()
    return Event(contact_id, sent_at, decision["sequence"], decision["decision_id"])


async def _settle(consoles: Sequence[Console], events: Sequence[Event]) -> None:
    """Wait until everything has arrived, or is missed."""
    for _ in range(int(MISSED_AFTER_SECONDS * 10)):
        if None not in _receipt_times(consoles, events):
            return
        await asyncio.sleep(0.1)


def _receipt_times(consoles: Sequence[Console], events: Sequence[Event]) -> list[float | None]:
    return [
        console.waited_ms(event.sequence, event.sent_at)
        for event in events
        for console in consoles
        if console.contact_id == event.contact_id
    ]


async def _screen_times(screen: Screen, events: Sequence[Event]) -> list[float]:
    """Return the milliseconds from sending each event until the page showed its decision, without what it skipped."""
    shown = await screen.shown()
    sent = {event.decision_id: event.sent_at for event in events}
    return [(at - sent[decision_id]) * 1000 for decision_id, at in shown.items() if decision_id in sent]


def _figures(times_ms: Sequence[float]) -> dict[str, float] | None:
    if not times_ms:
        return None
    values = np.array(times_ms)
    return {
        "p50": round(float(np.percentile(values, 50)), 1),
        "p99": round(float(np.percentile(values, 99)), 1),
        "max": round(float(values.max()), 1),
    }
