"""One rendering for all who are about to show the same."""

import asyncio
import threading

import pytest

from serving.consoles import fragments
from serving.consoles.fragments import SharedFragments


class Renderer:
    """Counts how often it is asked, and takes its time."""

    def __init__(self) -> None:
        self.times = 0
        self.may_finish = threading.Event()

    def render(self) -> str:
        self.times += 1
        self.may_finish.wait(5)
        return f"fragment {self.times}"


def test_many_who_ask_at_once_get_one_rendering() -> None:
    renderer, shared = Renderer(), SharedFragments()

    async def ask() -> list[str]:
        asked = [asyncio.create_task(shared.get("contact/7", renderer.render)) for _ in range(20)]
        await asyncio.sleep(0.05)
        renderer.may_finish.set()
        return await asyncio.gather(*asked)

    assert set(asyncio.run(ask())) == {"fragment 1"}
    assert renderer.times == 1


def test_another_version_is_rendered_anew_and_so_is_the_same_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "SHARED_FOR_SECONDS", 0.05)
    renderer, shared = Renderer(), SharedFragments()
    renderer.may_finish.set()

    async def ask() -> list[str]:
        first = [await shared.get("contact/7", renderer.render), await shared.get("contact/8", renderer.render)]
        await asyncio.sleep(0.1)
        return [*first, await shared.get("contact/7", renderer.render)]

    assert asyncio.run(ask()) == ["fragment 1", "fragment 2", "fragment 3"]


def test_whoever_leaves_early_takes_nothing_from_the_others() -> None:
    renderer, shared = Renderer(), SharedFragments()

    async def ask() -> str:
        leaving = asyncio.create_task(shared.get("contact/7", renderer.render))
        staying = asyncio.create_task(shared.get("contact/7", renderer.render))
        await asyncio.sleep(0.05)
        leaving.cancel()
        renderer.may_finish.set()
        return await staying

    assert asyncio.run(ask()) == "fragment 1"
