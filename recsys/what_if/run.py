"""Decides for a whole audience under several rulebooks, chunk by chunk on all cores, and keeps what is compared."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsys.ranking.arbitration import net_value
from recsys.ranking.codes import CODES
from recsys.what_if.audience import Audience
from recsys.what_if.decisions import Decisions, decide_many
from recsys.what_if.lists import NOTHING
from recsys.what_if.relevance import Models, RelevancePlan
from recsys.what_if.rulebook import Rulebook
from recsys.what_if.verdicts import ChunkVerdicts, Verdicts

CELLS = 1_000_000
"""Customers × offers of a chunk: its arrays of float64 take 8 MB each."""

THREADS = os.cpu_count() or 1

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class Tally:
    """What N customers are shown under one rulebook: (N, length) columns and propensities, (m, codes) held back.

    `open_to` (m,) is how many customers each offer is allowed for and has a place in such a contact.
    """

    rulebook: Rulebook
    columns: NDArray[np.int16]
    propensity: NDArray[np.float32]
    held_back: NDArray[np.int64]
    open_to: NDArray[np.int64]

    @classmethod
    def empty(cls, rulebook: Rulebook, customers: int) -> "Tally":
        """Return the tally before anybody was decided for."""
        size, offers = (customers, rulebook.policy.list_length), len(rulebook.catalogue.table)
        return cls(
            rulebook,
            np.full(size, NOTHING, dtype=np.int16 if offers < 1 << 15 else np.int32),
            np.zeros(size, dtype=np.float32),
            np.zeros((offers, len(CODES)), dtype=np.int64),
            np.zeros(offers, dtype=np.int64),
        )

    def add(self, start: int, decisions: Decisions) -> None:
        """Enter the decisions for the customers from `start` on."""
        stop, offers = start + len(decisions.codes), len(self.open_to)
        self.columns[start:stop] = decisions.lists.columns
        self.propensity[start:stop] = decisions.lists.propensity
        cells = decisions.codes + np.arange(offers, dtype=np.int32) * np.int32(len(CODES))
        self.held_back += np.bincount(cells.ravel(), minlength=self.held_back.size).reshape(self.held_back.shape)
        self.open_to += decisions.is_open.sum(axis=0)

    @property
    def value(self) -> NDArray[np.float64]:
        """(N, length) expected net value of each place: its propensity × what an acceptance is worth."""
        worth = np.append(net_value(self.rulebook.catalogue.table, self.rulebook.policy), 0.0)
        return np.asarray(self.propensity * worth[self.columns])


@dataclass(slots=True)
class StageTimes:
    """Seconds by stage, added up over the threads that worked at it."""

    seconds: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what runs inside to the stage."""
        started = time.perf_counter()
        yield
        took = time.perf_counter() - started
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + took


def run(
    audience: Audience,
    rulebooks: Sequence[Rulebook],
    models: Models,
    progress: Progress,
    times: StageTimes | None = None,
) -> list[Tally]:
    """Return the tally of each rulebook over the whole audience; memory grows with the lists, not with the offers."""
    from threadpoolctl import threadpool_limits

    times = times or StageTimes()
    tallies = [Tally.empty(rulebook, len(audience)) for rulebook in rulebooks]
    plan = RelevancePlan(models.relevance, rulebooks)
    offers = max((len(rulebook.catalogue.table) for rulebook in rulebooks), default=1)
    rows = min(max(CELLS // max(offers, 1), 500), 50_000)
    lock = threading.Lock()

    def decide(verdicts: ChunkVerdicts) -> int:
        part = audience.of_customers(verdicts.start, verdicts.stop)
        with times.stage("relevance"):
            relevance = plan.score(part)
        for place, rulebook in enumerate(rulebooks):
            with times.stage("decisions"):
                decisions = decide_many(part, rulebook, verdicts.codes(place), relevance[place], models)
            with times.stage("counting"), lock:
                tallies[place].add(verdicts.start, decisions)
        return verdicts.stop

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(THREADS) as pool:
        with times.stage("rules, written"):
            chunks = Verdicts(audience, rulebooks).in_chunks(rows)
        running: deque[Future[int]] = deque()
        for verdicts in _timed(chunks, times):
            running.append(pool.submit(decide, verdicts))
            while len(running) > 2 * THREADS:
                progress("deciding", running.popleft().result(), len(audience))
        while running:
            progress("deciding", running.popleft().result(), len(audience))
    return tallies


def _timed(chunks: Iterator[ChunkVerdicts], times: StageTimes) -> Iterator[ChunkVerdicts]:
    while True:
        with times.stage("rules, judged"):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
