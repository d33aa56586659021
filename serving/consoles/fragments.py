"""Renders what several consoles are about to show once for all of them, not once for each."""

import asyncio
from collections.abc import Callable, Hashable

import anyio.to_thread

SHARED_FOR_SECONDS = 1.0


class SharedFragments:
    """The fragments of the last second; whoever asks for one that is being rendered waits for it."""

    def __init__(self) -> None:
        self._rendered: dict[Hashable, tuple[float, asyncio.Task[str]]] = {}

    async def get(self, key: Hashable, render: Callable[[], str]) -> str:
        """Return what `render` returns, called in a thread at most once a second for the same key."""
        now = asyncio.get_running_loop().time()
        self._forget(now - SHARED_FOR_SECONDS)
        if key not in self._rendered:
            self._rendered[key] = now, asyncio.create_task(_in_thread(render))
        return await asyncio.shield(self._rendered[key][1])

    def _forget(self, before: float) -> None:
        for key, (at, task) in list(self._rendered.items()):
            if at > before:
                break
            if task.done():
                del self._rendered[key]


async def _in_thread(render: Callable[[], str]) -> str:
    return await anyio.to_thread.run_sync(render)
