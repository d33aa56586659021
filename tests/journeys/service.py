"""The whole product as a user starts it: a demo bank on disk, and `nbo serve` in a process of its own."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serving.cli.bench.server import free_port

NBO = [sys.executable, "-c", "from serving.cli.main import main; main()"]
READY_WITHIN_SECONDS = 60.0


@dataclass
class RunningService:
    """A service process on `port` over the state below `home`; `kill` and `start` it as a test needs."""

    home: Path
    port: int
    workers: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, mode: str = "normal") -> None:
        """Start `nbo serve` and wait until it is ready in `mode`: "degraded" will do where no features are."""
        with (self.home / "serve.log").open("a") as log:
            command = [*NBO, "serve", "--port", str(self.port), "--workers", str(self.workers)]
            environment = {**os.environ, "NBO_HOME": str(self.home), **self.environment}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.home / "serve.log").read_text()[-2000:]
            try:
                if httpx2.get(f"{self.url}/readyz", timeout=2).json().get("mode") in (mode, "normal"):
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not ready: {(self.home / 'serve.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End the process as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """End the process politely."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(15)


def nbo(home: Path, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run one `nbo` command over the state below `home`."""
    environment = {**os.environ, "NBO_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([*NBO, *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


def nbo_json(home: Path, *arguments: str) -> Any:
    """Run one `nbo` command with --json and return its document."""
    return json.loads(nbo(home, *arguments, "--json").stdout)


@contextmanager
def serving(home: Path, mode: str = "normal", workers: int = 1) -> Iterator[RunningService]:
    """Serve the state below `home`, once ready in `mode`, until the block ends."""
    service = RunningService(home, free_port(), workers)
    service.start(mode)
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a small demo bank of `nbo demo --no-serve`, a copy of one that all processes of the run share."""
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    shared = tmp_path_factory.mktemp("built") if is_alone else tmp_path_factory.getbasetemp().parent
    home, built = tmp_path_factory.mktemp("bank") / "home", shared / "demo_home"
    with (shared / "demo_home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "demo_home.built").exists():
            nbo(built, "demo", "--no-serve", "--customers", "600", "--months", "6")
            (shared / "demo_home.built").touch()
    shutil.copytree(built, home, ignore=shutil.ignore_patterns("address", "pid", "*.sock"))
    nbo(home, "features", "apply")  # what is applied names files of the home that was copied
    return home


@pytest.fixture(scope="session")
def running_service(demo_home: Path) -> Iterator[RunningService]:
    """The demo bank being served."""
    with serving(demo_home) as service:
        yield service
