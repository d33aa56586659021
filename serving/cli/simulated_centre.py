"""The simulated contact centre over HTTP: customers who get in touch, agents who pitch, a queue for human agents."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np

from recsys.domain.errors import Unavailable
from recsys.domain.outcome import Answer
from recsys.simulator.visit import Moment, Visit
from recsys.simulator.world import World
from serving.addresses import quoted
from serving.cli.output import Progress
from serving.cli.service_line import Gone, ServiceLine
from serving.cli.simulated_agent import CARDS, HEARD_SHARE, Generator, an_agent, event, exposures, opening, pitches

PACE = 0.1
"""Simulated agents hold a contact in a tenth of the time that a human needs."""
HUMAN_PACE = 1.0
LOOK_SECONDS = 1.0
GRACE_SECONDS = 5.0
CONTACTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Load:
    """What to send where: `rate` contacts a second for `seconds` (0 = until interrupted), `waiting` in the queue."""

    url: str
    rate: float
    seconds: float
    seed: int
    waiting: int


async def run_centre(world: World, load: Load, progress: Progress) -> dict[str, Any]:
    """Run the centre until its time is over or it is interrupted, and return the report.

    Raises Unavailable when the service does not answer at the beginning; when it goes away later,
    the requests are tried again and counted.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with ServiceLine(load.url, stop) as line:
            if not await line.is_answering():
                raise Unavailable(f"No service answers at {load.url}; start it with `nbo serve` or give another --url.")
            centre = _Centre(world, load, line, stop, progress)
            started = loop.time()
            await centre.run()
            return centre.report(loop.time() - started)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@dataclass(slots=True)
class _Centre:
    world: World
    load: Load
    line: ServiceLine
    stop: asyncio.Event
    progress: Progress
    contacts: int = 0
    picked_up: int = 0
    answers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Answer, 0))
    _chance: np.random.SeedSequence = field(init=False)
    _held: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = np.random.SeedSequence([self.load.seed])

    async def run(self) -> None:
        """Let contacts arrive until the end, then give those that are being held a moment to finish."""
        if self.load.seconds:
            asyncio.get_running_loop().call_later(self.load.seconds, self.stop.set)
        queues = [self._hold(self._keep_one_waiting()) for _ in range(self.load.waiting)]
        if self.load.rate > 0:
            await self._arrivals()
        await self.stop.wait()
        await asyncio.gather(*queues, return_exceptions=True)
        if self._held:
            _, late = await asyncio.wait(self._held, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def report(self, seconds: float) -> dict[str, Any]:
        """Return what was sent and how it was answered."""
        said = self.answers[Answer.ACCEPTED] + self.answers[Answer.DECLINED] + self.answers[Answer.LATER]
        return {
            "seconds": round(seconds, 1),
            "contacts": self.contacts,
            "picked_up": self.picked_up,
            "answers": {answer.value: self.answers[answer] for answer in Answer},
            "accepted_share": round(self.answers[Answer.ACCEPTED] / said, 3) if said else None,
            **self.line.report(seconds),
        }

    async def _arrivals(self) -> None:
        """Open contacts at Poisson moments; when too many are held at once the next ones wait."""
        rng, slots = self._generator(), asyncio.Semaphore(CONTACTS_AT_ONCE)
        due = asyncio.get_running_loop().time()
        while not self.stop.is_set():
            due += rng.exponential(1 / self.load.rate)
            await self._pause(due - asyncio.get_running_loop().time())
            await slots.acquire()
            if self.stop.is_set():
                return
            self._hold(self._conversation()).add_done_callback(lambda _: slots.release())

    async def _conversation(self) -> None:
        """Hold one contact as a simulated agent does: listen, pitch, record, close."""
        rng = self._generator()
        visit = self.world.visitor(rng)
        opened = await self._open(visit, an_agent(rng))
        if opened is None:
            return
        contact_id, decision, sentiment = opened["contact"]["contact_id"], opened["decision"], visit.sentiment
        if rng.random() < HEARD_SHARE:
            for moment in visit.moments:
                await self._pause(moment.after_seconds * PACE)
                decision = await self._tell(contact_id, moment) or decision
                sentiment = moment.sentiment if moment.sentiment is not None else sentiment
        await self._pitch(visit, decision, sentiment, rng)
        await self._pause(rng.exponential(5 * PACE))
        await self._close(contact_id, self.world.csat(sentiment, rng))

    async def _pitch(self, visit: Visit, decision: dict[str, Any], sentiment: float, rng: Generator) -> None:
        for seen in exposures(decision, "seen", decision["offers"][:CARDS]):
            await self.line.call("POST", "/v1/exposures", seen, again=True)
        for pitch in pitches(self.world, visit, decision, sentiment, rng):
            await self._pause(rng.exponential(10 * PACE))
            if pitch.is_pitched:
                for pitched in exposures(decision, "pitched", [pitch.offer]):
                    await self.line.call("POST", "/v1/exposures", pitched, again=True)
            outcome = pitch.outcome(decision)
            if await self.line.call("POST", "/v1/outcomes", outcome, key=f"traffic-{uuid4()}") is not None:
                self.answers[pitch.answer] += 1

    async def _keep_one_waiting(self) -> None:
        """Keep one contact in the queue, whatever becomes of those before."""
        while not self.stop.is_set():
            with suppress(Gone):
                await self._wait_in_queue()

    async def _wait_in_queue(self) -> None:
        """Wait for a human as one customer; when picked up go on talking to them, when nobody comes hang up."""
        visit = self.world.visitor(self._generator())
        opened = await self._open(visit, None)
        if opened is None:
            await self._pause(LOOK_SECONDS)
            return
        contact_id = opened["contact"]["contact_id"]
        state = await self._wait_for_pick_up(contact_id)
        if state is None:
            await self._close(contact_id, None)
        elif state["closed_at"] is None:
            self.picked_up += 1
            self._hold(self._talk_to_human(contact_id, visit))

    async def _wait_for_pick_up(self, contact_id: str) -> dict[str, Any] | None:
        """Return the contact once somebody has it or it is closed; None when the centre stops before."""
        while not self.stop.is_set():
            await self._pause(LOOK_SECONDS)
            view = await self.line.call("GET", f"/v1/contacts/{quoted(contact_id)}", again=True)
            if view and (view["contact"]["agent_id"] or view["contact"]["closed_at"]):
                contact: dict[str, Any] = view["contact"]
                return contact
        return None

    async def _talk_to_human(self, contact_id: str, visit: Visit) -> None:
        """Say what the visitor says, at a human pace, until the contact is closed; the human records the answers."""
        for moment in visit.moments:
            await self._pause(moment.after_seconds * HUMAN_PACE)
            if self.stop.is_set() or await self._tell(contact_id, moment) is None:
                return

    async def _open(self, visit: Visit, agent_id: str | None) -> dict[str, Any] | None:
        body = opening(visit, agent_id)
        opened: dict[str, Any] | None = await self.line.call("POST", "/v1/contacts", body, key=f"traffic-{uuid4()}")
        if opened is not None:
            self.contacts += 1
            self.progress("simulated contacts", self.contacts, None)
        return opened

    async def _tell(self, contact_id: str, moment: Moment) -> Any:
        return await self.line.call(
            "POST", f"/v1/contacts/{quoted(contact_id)}/events", event(moment), key=f"traffic-{uuid4()}"
        )

    async def _close(self, contact_id: str, csat: int | None) -> None:
        await self.line.call("POST", f"/v1/contacts/{quoted(contact_id)}/close", {"csat": csat}, again=True)

    def _hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def until_done() -> None:
            with suppress(Gone):
                await work

        task = asyncio.create_task(until_done())
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        return task

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or shorter when the centre stops."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), seconds)

    def _generator(self) -> Generator:
        return np.random.default_rng(self._chance.spawn(1)[0])
