"""The simulated contact centre against the real service over HTTP."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
import uvicorn
from typer.testing import CliRunner

from recsys.domain.clock import system_clock
from recsys.domain.errors import Unavailable
from recsys.simulator.world import World
from serving.app import create_app
from serving.cli.service_line import Gone, ServiceLine
from serving.cli.simulated_centre import Load, run_centre
from serving.cli.traffic_commands import demo_world, traffic
from serving.settings import Settings
from tests.serving.conftest import OFFERS


def _quiet(_what: str, _done: int, _total: int | None = None) -> None:
    """Progress that nobody watches."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(settings: Settings, port: int) -> Iterator[None]:
    config = uvicorn.Config(create_app(settings), port=port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield
    server.should_exit = True
    thread.join()


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    """A service's settings with a home of its own."""
    return Settings(home=tmp_path / "home", redis_url=redis_url)


@pytest.fixture
def service(settings: Settings) -> Iterator[str]:
    """The address of a running service with a small catalogue; every visitor is a stranger to it."""
    port = _free_port()
    with _running(settings, port):
        url = f"http://127.0.0.1:{port}"
        assert httpx2.post(f"{url}/v1/offers", json={"offers": OFFERS}).status_code == 201
        yield url


@pytest.fixture(scope="module")
def world() -> World:
    """A bank of a few people."""
    return World.build(200, 3, 7, system_clock())


def _run(world: World, load: Load) -> dict[str, Any]:
    return asyncio.run(run_centre(world, load, _quiet))


def test_contacts_are_opened_answered_and_closed_and_the_same_seed_may_be_sent_again(
    service: str, world: World
) -> None:
    reports = [_run(world, Load(service, rate=8, seconds=2, seed=1, waiting=0)) for _ in range(2)]
    assert all(report["contacts"] > 5 and 0 < report["p50_ms"] <= report["p99_ms"] for report in reports)
    assert sum(report["answers"]["declined"] for report in reports) > 0
    assert all(set(report["errors"]) <= {"409"} for report in reports), "permission may end while a contact is live"


def test_a_customer_from_the_queue_speaks_once_picked_up_and_leaves_the_answers_to_the_human(
    service: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.cli.simulated_centre.HUMAN_PACE", 0.05)

    async def centre_and_human() -> tuple[dict[str, Any], list[str], list[int]]:
        centre = asyncio.create_task(run_centre(world, Load(service, 0, 5, 1, waiting=2), _quiet))
        queues = []
        async with httpx2.AsyncClient(base_url=service) as human:
            while not (waiting := (await human.get("/v1/contacts")).json()):
                await asyncio.sleep(0.1)
            first = waiting[0]["contact"]["contact_id"]
            (await human.post(f"/v1/contacts/{first}/pickup", json={"agent_id": "human"})).raise_for_status()
            await asyncio.sleep(2.5)
            queues.append(len((await human.get("/v1/contacts")).json()))
            report = await centre
            queues.append(len((await human.get("/v1/contacts")).json()))
            events = (await human.get(f"/v1/contacts/{first}")).json()["events"]
        return report, [event["type"] for event in events], queues

    report, heard, queues = asyncio.run(centre_and_human())
    assert {"utterance", "intent", "sentiment"} <= set(heard)
    assert (report["picked_up"], sum(report["answers"].values())) == (1, 0)
    assert queues == [2, 0], "the queue is refilled, and those whom nobody picked up hang up at the end"


def test_a_service_that_is_not_there_is_said_in_one_line(world: World) -> None:
    with pytest.raises(Unavailable, match="No service answers"):
        _run(world, Load("http://127.0.0.1:9", rate=5, seconds=5, seed=1, waiting=0))


def test_the_centre_outlives_a_restart_of_the_service(settings: Settings, world: World) -> None:
    port = _free_port()

    async def with_a_restart() -> dict[str, Any]:
        load = Load(f"http://127.0.0.1:{port}", rate=10, seconds=4, seed=2, waiting=1)
        has_begun = asyncio.Event()
        with _running(settings, port):
            centre = asyncio.create_task(run_centre(world, load, lambda *_: has_begun.set()))
            await asyncio.wait_for(has_begun.wait(), 60)
            await asyncio.sleep(1)
        await asyncio.sleep(0.3)
        with _running(settings, port):
            return await centre

    report = asyncio.run(with_a_restart())
    assert report["errors"]["connection"] > 0
    assert report["retries"] > 0
    assert report["contacts"] > 5


def test_an_answer_whose_receipt_was_lost_is_sent_again_with_the_same_key() -> None:
    seen: list[bytes] = []

    async def lose_the_first_receipt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.extend(line for line in head.split(b"\r\n") if line.lower().startswith(b"idempotency-key"))
        if len(seen) > 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            await writer.drain()
        writer.close()

    async def answer() -> Any:
        server = await asyncio.start_server(lose_the_first_receipt, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, ServiceLine(f"http://127.0.0.1:{port}", asyncio.Event()) as line:
            return await line.call("POST", "/v1/outcomes", {}, key="k1")

    assert asyncio.run(answer()) == {}
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_a_contact_whose_opening_was_lost_is_not_opened_twice() -> None:
    openings: list[bytes] = []

    async def lose_every_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        openings.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def open_one() -> None:
        server = await asyncio.start_server(lose_every_answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, ServiceLine(f"http://127.0.0.1:{port}", asyncio.Event()) as line:
            await line.call("POST", "/v1/contacts", {})

    with pytest.raises(Gone):
        asyncio.run(open_one())
    assert len(openings) == 1


def test_the_command_ends_politely_on_sigterm_and_prints_one_json_document(service: str, tmp_path: Path) -> None:
    program = "from serving.cli.traffic_commands import traffic; import typer; typer.run(traffic)"
    options = ["--url", service, "--seconds", "0", "--waiting", "1", "--customers", "100", "--json"]
    command = subprocess.Popen(
        [sys.executable, "-c", program, *options],
        env={**os.environ, "NBO_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while command.poll() is None and not httpx2.get(f"{service}/v1/contacts").json():
        time.sleep(0.1)
    command.terminate()
    output, errors = command.communicate(timeout=20)
    assert command.returncode == 0
    assert json.loads(output)["contacts"] > 0
    assert "Traceback" not in errors


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://somewhere", "http://[::bad", "http://host:port"])
def test_an_address_that_is_none_is_wrong_usage(url: str) -> None:
    app = typer.Typer()
    app.command()(traffic)
    assert CliRunner().invoke(app, ["--url", url]).exit_code == 2


def test_the_demo_s_bank_is_the_default_where_there_is_one(tmp_path: Path) -> None:
    assert demo_world(tmp_path) == {"customers": 5000, "months": 12, "seed": 7}
    (tmp_path / "demo.json").write_text(json.dumps({"customers": 300, "months": 6, "seed": 3}))
    assert demo_world(tmp_path) == {"customers": 300, "months": 6, "seed": 3}
