"""A small HTTP load: keep-alive connections, closed loop for throughput, fixed rate for latency."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RequestBody = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the load; latencies in milliseconds, measured from when a request was due."""

    latencies_ms: NDArray[np.float64]
    errors: int
    seconds: float
    answer_bytes: int

    @property
    def throughput(self) -> float:
        """Requests a second."""
        return len(self.latencies_ms) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds below which `share` per cent of the requests stay."""
        return float(np.percentile(self.latencies_ms, share))


class Connection:
    """One keep-alive HTTP/1.1 connection that posts JSON to one path."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._head = port, f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

    async def open(self) -> "Connection":
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, body: bytes) -> tuple[int, int]:
        """Send one request; returns (status, bytes of the answer's body)."""
        self._writer.write(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await self._reader.readexactly(length)
        return int(head[9:12]), length

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def closed_loop(port: int, path: str, body: RequestBody, requests: int, concurrency: int) -> Measured:
    """Send `requests` requests over `concurrency` connections, each as soon as the one before is answered."""
    numbers = iter(range(requests))
    latencies: list[float] = []
    errors = size = 0

    async def client() -> None:
        nonlocal errors, size
        connection = await Connection(port, path).open()
        for number in numbers:
            began = time.perf_counter()
            status, size = await connection.post(body(number))
            latencies.append((time.perf_counter() - began) * 1000)
            errors += status >= 400
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return Measured(np.array(latencies), errors, time.perf_counter() - began, size)


async def fixed_rate(port: int, path: str, body: RequestBody, requests: int, rate: float) -> Measured:
    """Send a request every 1/rate seconds whatever the answers do, so that a stall is not left out."""
    latencies: list[float] = []
    errors = size = 0
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(32):
        idle.put_nowait(await Connection(port, path).open())

    async def one(number: int, due: float) -> None:
        nonlocal errors, size
        connection = await idle.get()
        status, size = await connection.post(body(number))
        latencies.append((time.perf_counter() - due) * 1000)
        errors += status >= 400
        idle.put_nowait(connection)

    began = time.perf_counter()
    tasks = []
    for number in range(requests):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    seconds = time.perf_counter() - began
    while not idle.empty():
        idle.get_nowait().close()
    return Measured(np.array(latencies), errors, seconds, size)
