"""A real redis-server for tests: one a session on a unix socket in a short temporary folder, stopped by its id."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from serving.embedded_redis import server_binary


class RedisServer:
    """A running server that can be hung, woken, killed and started again; killed, it keeps its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder / 'redis.sock'}"
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"--port 0 --unixsocket {self._folder}/redis.sock --dir {self._folder} --appendonly yes --save ''"
        log = ["--logfile", f"{self._folder}/redis.log", "--appendfsync", "always"]
        self._process = subprocess.Popen([server_binary(), *options.replace("''", "").split(), "", *log])
        with redis.Redis.from_url(self.url) as client:
            for _ in range(500):
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                else:
                    return
        raise RuntimeError(f"redis-server does not answer; see {self._folder}/redis.log")

    def kill(self) -> None:
        """Kill the server as a crash would."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Stop the process for the length of the block, as a stalled machine would."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def a_redis_server() -> Iterator[RedisServer]:
    """Run a server of its own for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="nbo-"))
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for the session; who needs an empty one flushes it."""
    with a_redis_server() as server:
        yield server
