"""The JSON guard behind a real server: whoever sends too much hears so, whatever their client does."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from serving.guard import MAX_BODY_BYTES, JsonGuard


@pytest.fixture
def port() -> Iterator[int]:
    """Where a server listens that has the guard before an application which answers 200."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(JsonGuard(PlainTextResponse("read")), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 5_000_000, 20_000_000])
def test_a_body_that_is_too_large_is_answered(size: int, connection: str, port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"content-type": "application/json", "connection": connection}
    try:
        for body, status in ((b"x" * size, 413), (b"{}", 200)):
            client.request("POST", "/", body, headers)
            answer = client.getresponse()
            answer.read()
            assert answer.status == status
    finally:
        client.close()
