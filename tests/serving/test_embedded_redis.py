"""The embedded Redis: started, shared, adopted and stopped, with a real redis-server."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from recsys.domain.errors import FeaturesUnavailable
from serving.embedded_redis import embedded_redis, redis_of
from serving.settings import Settings

HOLD = "import sys, pathlib, serving.embedded_redis as e\nwith e.embedded_redis(pathlib.Path(sys.argv[1])) as url:\n"


def ping(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def pid_of(home: Path) -> int:
    return int((home / "redis" / "pid").read_text())


def test_it_serves_inside_the_block_and_is_gone_after(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url:
        assert ping(url)
        assert (tmp_path / "redis" / "address").read_text() == url
    assert not ping(url)
    assert not (tmp_path / "redis" / "address").exists()


def test_only_its_own_user_may_reach_it(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url:
        path = Path(url.removeprefix("unix://"))
        assert (path.parent.stat().st_mode & 0o077, path.stat().st_mode & 0o077) == (0, 0)


def test_what_was_written_is_there_the_next_time(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("kept", "yes")
    with embedded_redis(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_two_users_share_one_server_and_the_last_one_stops_it(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        url = first.enter_context(embedded_redis(tmp_path))
        assert second.enter_context(embedded_redis(tmp_path)) == url
        first.close()
        assert ping(url)
        second.close()
        assert not ping(url)


def test_it_is_left_running_for_the_next_when_asked(tmp_path: Path) -> None:
    starts = "import sys, pathlib, serving.embedded_redis as e\n"
    starts += "with e.embedded_redis(pathlib.Path(sys.argv[1]), stop_at_exit=False): pass\n"
    subprocess.run([sys.executable, "-c", starts, str(tmp_path)], check=True)
    pid = pid_of(tmp_path)
    with embedded_redis(tmp_path) as url:
        assert (ping(url), pid_of(tmp_path)) == (True, pid)
    assert not ping(url)


def a_service(home: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the server of `home` and prints its address."""
    holds = HOLD + "    print(url, flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", holds, str(home)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_terminated_service_stops_its_server(tmp_path: Path) -> None:
    with a_service(tmp_path) as service:
        url = (service.stdout.readline() if service.stdout else "").strip()
        assert ping(url)
        service.terminate()
    assert service.returncode == 128 + signal.SIGTERM
    assert not ping(url)


def test_the_server_of_a_killed_service_is_adopted(tmp_path: Path) -> None:
    with a_service(tmp_path) as service:
        url = (service.stdout.readline() if service.stdout else "").strip()
        orphan = pid_of(tmp_path)
        service.kill()
    assert ping(url)
    with embedded_redis(tmp_path) as adopted:
        assert (adopted, pid_of(tmp_path)) == (url, orphan)
    assert not ping(url)


def test_files_a_killed_server_left_do_not_stop_the_next(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url:
        os.kill(pid_of(tmp_path), signal.SIGKILL)
        while ping(url):
            time.sleep(0.01)
        with embedded_redis(tmp_path) as again:
            assert ping(again)


def test_a_long_or_chinese_home_works(tmp_path: Path) -> None:
    for home in (tmp_path / ("long" * 30), tmp_path / "银行 demo"):
        with embedded_redis(home) as url:
            assert ping(url)
            path = url.removeprefix("unix://")
        assert not Path(path).exists()


def test_a_copied_home_gets_a_server_of_its_own(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with embedded_redis(tmp_path / "home") as url:
        (copy / "redis").mkdir(parents=True)
        (copy / "redis" / "address").write_text(url)
        with embedded_redis(copy) as other:
            assert other != url
            assert ping(other)


def test_a_server_that_hangs_is_named_rather_than_doubled(tmp_path: Path) -> None:
    with embedded_redis(tmp_path):
        os.kill(pid_of(tmp_path), signal.SIGSTOP)
        try:
            with pytest.raises(FeaturesUnavailable, match="does not answer"), embedded_redis(tmp_path):
                pass
        finally:
            os.kill(pid_of(tmp_path), signal.SIGCONT)


def test_a_configured_redis_is_used_as_it_is(tmp_path: Path) -> None:
    with redis_of(Settings(home=tmp_path, redis_url="redis://elsewhere:6379/0")) as url:
        assert url == "redis://elsewhere:6379/0"
    assert not (tmp_path / "redis").exists()
