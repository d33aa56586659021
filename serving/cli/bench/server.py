"""Starts a server in a process of its own for a benchmark, waits until it is ready, and stops it by process id."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from recsys.domain.errors import StoreUnavailable

READY_WITHIN_SECONDS = 60.0


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(factory: str, home: Path, workers: int, environment: Mapping[str, str]) -> Iterator[int]:
    """Yield the port of a server that runs the application `factory` ("module:function") until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", factory, "--factory", "--port", str(port), "--workers", str(workers)]
    with (home / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--no-access-log", "--log-level", "warning"],
            env={**os.environ, "NBO_HOME": str(home), **environment},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_ready(port, process, home / "server.log")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
                if json.load(answer)["mode"] == "normal":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise StoreUnavailable(f"The benchmark's server did not become ready: {log.read_text()[-500:]}")
