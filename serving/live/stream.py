"""Follows a contact: the sequence number of each change, from the event log, as it happens."""

from collections.abc import AsyncIterator

import anyio.to_thread

from serving.live_hub import LiveHub
from serving.wiring import Services


async def follow(services: Services, hub: LiveHub, contact_id: str, after_sequence: int) -> AsyncIterator[int | None]:
    """Yield the contact's newest sequence number whenever it grows beyond `after_sequence`.

    Yields None when nothing happened for a while, so that the caller can send a keep-alive. Holds no
    database session while it waits. ContactNotFound when there is no such contact.
    """

    def newest() -> int:
        with services.database.read() as log:
            return log.latest_sequence(contact_id)

    with hub.watch(contact_id) as changed:
        seen = after_sequence
        while True:
            latest = await anyio.to_thread.run_sync(newest)
            if latest > seen:
                seen = latest
                yield latest
            else:
                yield None
            await hub.wait(changed)
