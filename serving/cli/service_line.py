"""A patient HTTP line to the service: measures every answer, and tries again while the service is away."""

import asyncio
from collections import Counter
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import httpx2
import numpy as np

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 10.0


class Gone(Exception):
    """The service stayed away until the line was to be closed."""


class ServiceLine:
    """Calls the service at `url` until `stop` is set; counts answers by status and takes their time."""

    def __init__(self, url: str, stop: asyncio.Event, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        self._client = httpx2.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, limits=limits, transport=transport)
        self._stop = stop
        self._errors: Counter[str] = Counter()
        self._milliseconds: list[float] = []
        self._retries = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def is_answering(self) -> bool:
        """Return whether the service is there."""
        try:
            return (await self._client.get("/healthz")).status_code < 500
        except httpx2.TransportError:
            return False

    async def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str | None = None, again: bool = False
    ) -> Any:
        """Return the JSON of the answer, or None for an error answer (counted).

        A request that never reached the service is sent again, with growing pauses; one whose answer was
        lost only when that is safe: it has an idempotency `key` or may be done `again`. Raises Gone when
        the service is still away at the end, or when the answer was lost for good.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._send(method, path, body, key)
            except httpx2.TransportError as error:
                self._errors["connection"] += 1
                never_arrived = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
                if self._stop.is_set() or not (never_arrived or again or key):
                    raise Gone from error
            self._retries += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None, key: str | None) -> Any:
        started = perf_counter()
        headers = {"Idempotency-Key": key} if key else None
        answer = await self._client.request(method, path, json=body, headers=headers)
        self._milliseconds.append(1000 * (perf_counter() - started))
        if answer.is_success:
            return answer.json() if answer.content else {}
        self._errors[str(answer.status_code)] += 1
        return None

    def report(self, seconds: float) -> dict[str, Any]:
        """Return how many requests were answered in these seconds, how fast, and which failed."""
        times = np.array(self._milliseconds)
        p50, p99 = np.percentile(times, [50, 99]) if len(times) else (np.nan, np.nan)
        return {
            "requests": len(times),
            "requests_per_second": round(len(times) / seconds, 1) if seconds else None,
            "errors": dict(sorted(self._errors.items())),
            "retries": self._retries,
            "p50_ms": round(float(p50), 1) if len(times) else None,
            "p99_ms": round(float(p99), 1) if len(times) else None,
        }
