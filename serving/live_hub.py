"""Wakes the streams of a contact on every worker when something in it changed.

The event log holds what happened; Redis only says "look again", so that a lost message costs a
second, never an event.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator

import redis
import redis.asyncio
import structlog

CHANNEL = "nbo:contact-changed"
LOOK_AGAIN_SECONDS = 2.0
logger = structlog.get_logger()


class LiveHub:
    """One Redis subscription per worker, shared by all its streams."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._publisher = redis.Redis.from_url(
            redis_url, socket_timeout=0.02, socket_connect_timeout=0.02, retry_on_timeout=False
        )
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscriber: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe; call once in the worker's event loop."""
        self._loop = asyncio.get_running_loop()
        self._subscriber = asyncio.create_task(self._subscribe())

    async def stop(self) -> None:
        """End the subscription."""
        if self._subscriber is not None:
            self._subscriber.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._subscriber
        self._publisher.close()

    def changed(self, contact_id: str) -> None:
        """Tell every stream of the contact, on this worker and the others; call it from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, contact_id)
        with contextlib.suppress(redis.RedisError):
            self._publisher.publish(CHANNEL, contact_id)

    async def wait(self, event: asyncio.Event) -> None:
        """Return when the watched contact changed, or after two seconds; `event` comes from `watch`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), LOOK_AGAIN_SECONDS)
        event.clear()

    @contextlib.contextmanager
    def watch(self, contact_id: str) -> Iterator[asyncio.Event]:
        """Yield the event that is set whenever the contact changes."""
        event = asyncio.Event()
        self._waiting[contact_id].add(event)
        try:
            yield event
        finally:
            self._waiting[contact_id].discard(event)
            if not self._waiting[contact_id]:
                del self._waiting[contact_id]

    def _wake(self, contact_id: str) -> None:
        for event in self._waiting.get(contact_id, ()):
            event.set()

    async def _subscribe(self) -> None:
        while True:
            try:
                client = redis.asyncio.Redis.from_url(self._redis_url, decode_responses=True)
                async with client, client.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            self._wake(message["data"])
            except (redis.RedisError, OSError) as error:
                logger.warning("live_hub_without_redis", error=type(error).__name__)
                await asyncio.sleep(1.0)
