"""Calls a bank's own functions so that none holds anybody up: in daemon threads, until a deadline, then put aside."""

import ctypes
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from features.own_features import Transformations, Transformed, said_of
from recsys.domain.customer import AttributeValue

PAUSE_SECONDS = 30.0
"""How long a function that was put aside is not called."""
MOST_SLOW = 3
"""So often within that time a function may be too slow, and end after all, before it is put aside."""
ALWAYS = 20
"""A function that failed in so many calls, one after the other, is said to fail always."""
MOST_STUCK = 4
"""A function is not called any more while so many calls of it have not returned."""
MOST_THREADS = 24
SAY_AFTER_SECONDS = 10.0
Loaded = TypeVar("Loaded")


class _Overdue(BaseException):
    """Raised inside a function whose time is over: what is written in Python ends by it."""


@dataclass(slots=True)
class _Record:
    """What is known of a function: how many calls still run for which nobody waits, when others were too slow."""

    overdue: int = 0
    slow: list[float] = field(default_factory=list)
    is_slow: bool = False
    next_try: float = 0.0
    failures: int = 0
    """How many calls have failed since one did not."""

    @property
    def is_aside(self) -> bool:
        return self.overdue > 0 or self.is_slow


class FunctionCalls:
    """Asks several functions one after the other in a thread of their own, all within `seconds`.

    At the deadline the function that took most of the time is the one to blame, and the one that still runs is ended
    where that can be done: a loop in Python can, a call that waits outside of Python ends when it returns. A function
    of which a call has not returned, or that was too slow several times, is put aside for `pause_seconds`.
    """

    def __init__(
        self,
        seconds: float,
        pause_seconds: float = PAUSE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._pause = pause_seconds
        self._monotonic = monotonic
        self._records: dict[str, _Record] = {}
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_THREADS)

    def ask(self, names: Sequence[str], call: Callable[[str], AttributeValue]) -> Transformed:
        """Return what `call` gives for each name, and why the others failed."""
        asked = [name for name in names if self._may_call(name)]
        failed = {name: f"{name} {self._why(name)}" for name in names if name not in asked}
        if not asked:
            return Transformed({}, failed)
        if not self._room.acquire(timeout=0 if self._is_full() else self.seconds):
            return Transformed({}, failed | {name: f"{name}: too many calls have not returned" for name in asked})
        asking = _Asking(asked, call, self._ended)
        asking.start()
        if asking.has_ended.wait(self.seconds):
            self._well(asked)
        else:
            self._blame(asking)
        values, failed = dict(asking.values), failed | asking.failed
        for name in (*values, *asking.failed):
            with self._changing(name) as one:
                one.failures = 0 if name in values else one.failures + 1
        late = [name for name in asked if name not in values and name not in failed]
        return Transformed(values, failed | {name: f"{name}: {self._too_late}" for name in late})

    def aside(self) -> dict[str, str]:
        """Return the functions that are put aside, and why."""
        with self._lock:
            names = sorted(name for name, one in self._records.items() if one.is_aside)
        return {name: self._why(name) for name in names}

    def failing(self) -> dict[str, str]:
        """Return the functions that have failed in every one of their latest calls, and how often."""
        with self._lock:
            times = {name: one.failures for name, one in sorted(self._records.items()) if one.failures >= ALWAYS}
        return {name: f"failed in each of the latest {count} decisions" for name, count in times.items()}

    @property
    def _too_late(self) -> str:
        return f"did not return within {self.seconds * 1000:.0f} ms"

    def _why(self, name: str) -> str:
        runs = self._records[name].overdue
        still = f", {runs} {'call has' if runs == 1 else 'calls have'} not returned yet" if runs else ""
        return f"{self._too_late}{still}"

    def _is_full(self) -> bool:
        with self._lock:
            return sum(one.overdue for one in self._records.values()) >= MOST_THREADS

    def _may_call(self, name: str) -> bool:
        with self._lock:
            one = self._records.setdefault(name, _Record())
            if not one.is_aside:
                return True
            now = self._monotonic()
            if now < one.next_try or one.overdue >= MOST_STUCK:
                return False
            one.next_try = now + self._pause
            return True

    def _well(self, names: Sequence[str]) -> None:
        for name in names:
            if self._records[name].is_slow:  # and was tried again
                with self._changing(name) as one:
                    one.is_slow = False
                    one.slow.clear()

    def _blame(self, asking: "_Asking") -> None:
        """End what runs, and remember whose fault it was."""
        asking.end(self._left)
        if asking.slowest is not None:
            now = self._monotonic()
            with self._changing(asking.slowest) as one:
                one.slow = [at for at in one.slow if now - at < self._pause] + [now]
                one.is_slow |= len(one.slow) >= MOST_SLOW
                one.next_try = now + self._pause

    def _left(self, name: str) -> None:
        """Take down that a call of this function still runs, for which nobody waits."""
        with self._changing(name) as one:
            one.overdue += 1
            one.next_try = self._monotonic() + self._pause

    def _ended(self, left: str | None) -> None:
        """Take down that a thread has ended, and so the call of the function in which it was `left`."""
        if left is not None:
            with self._changing(left) as one:
                one.overdue -= 1
        self._room.release()

    @contextmanager
    def _changing(self, name: str) -> Iterator[_Record]:
        with self._lock:
            yield self._records[name]


class _Asking(threading.Thread):
    """The calls of one decision, one after the other, in a thread that is left alone when its time is over."""

    def __init__(
        self, names: Sequence[str], call: Callable[[str], AttributeValue], at_end: Callable[[str | None], None]
    ) -> None:
        super().__init__(name="own functions", daemon=True)
        self._names, self._call, self._at_end = names, call, at_end
        self.values: dict[str, AttributeValue] = {}
        self.failed: dict[str, str] = {}
        self.has_ended = threading.Event()
        self.slowest: str | None = None
        self._seconds: dict[str, float] = {}
        self._turn = threading.Lock()
        self._running: tuple[str, float] | None = None
        self._left: str | None = None
        self._is_over = False

    def run(self) -> None:
        """Call one function after the other until the time is over."""
        try:
            for name in self._names:
                if not self._begin(name):
                    break
                self._one(name)
            for _ in range(3):  # an interruption that came with a function's last step arrives here at the latest
                pass
        except _Overdue:
            pass
        self._at_end(self._left)
        self.has_ended.set()

    def end(self, left: Callable[[str], None]) -> None:
        """Begin no further function; the one that runs, if one does, is told to `left` and interrupted."""
        with self._turn:
            self._is_over = True
            if self._running is not None:
                self._left, began = self._running
                self._seconds[self._left] = time.monotonic() - began
                left(self._left)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(_Overdue))
            self.slowest = max(self._seconds, key=self._seconds.__getitem__, default=None)

    def _begin(self, name: str) -> bool:
        with self._turn:
            if not self._is_over:
                self._running = name, time.monotonic()
            return not self._is_over

    def _one(self, name: str) -> None:
        found: AttributeValue = None
        why: str | None = None
        try:
            found = self._call(name)
        except _Overdue:
            raise
        except BaseException as error:  # whatever the bank's code raises
            why = f"{name} failed: {said_of(error)}"
        with self._turn:
            if self._running is not None:
                self._seconds[name] = time.monotonic() - self._running[1]
            self._running = None
            if self._is_over:  # too late: nobody waits for it
                return
            if why is None:
                self.values[name] = found
            else:
                self.failed[name] = why


class LoadedBeside(Generic[Loaded]):
    """Something that is loaded in a daemon thread, because it runs a bank's code, which may never end."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._load = load
        self._loaded: Loaded | None = None
        self.failed: str | None = None
        self._has_ended = threading.Event()
        threading.Thread(target=self._run, name="own code", daemon=True).start()

    def get(self, seconds: float) -> Loaded | None:
        """Return what was loaded, waiting for it up to `seconds`; None where it is not there yet, or failed."""
        self._has_ended.wait(seconds)
        return self._loaded

    @property
    def trouble(self) -> str | None:
        """Why it is not there, None where it is."""
        if self._has_ended.is_set():
            return self.failed
        return "its file has not been loaded to the end yet"

    def _run(self) -> None:
        try:
            self._loaded = self._load()
        except BaseException as error:  # whatever the bank's code raises
            self.failed = f"its file cannot be loaded: {said_of(error)}"
        self._has_ended.set()


@dataclass(slots=True)
class Underway:
    """What of the bank's code is running, and how many calls were begun so far."""

    running: str | None = None
    calls: int = 0

    def begin(self, name: str) -> None:
        """Say that this one is running now."""
        self.running, self.calls = name, self.calls + 1


@contextmanager
def said_while_it_hangs(
    underway: Underway | Transformations,
    tell: Callable[[str, int, int | None], None],
    seconds: float = SAY_AFTER_SECONDS,
) -> Iterator[None]:
    """Tell `tell` each `seconds` that one call of the bank's code lasts, which one and for how long."""
    ended = threading.Event()

    def watch() -> None:
        known, waited = underway.calls, 0.0
        while not ended.wait(seconds):
            calls, running = underway.calls, underway.running
            waited = waited + seconds if calls == known and running else 0.0
            known = calls
            if waited:
                tell(f"seconds that {running} does not return", round(waited), None)

    watcher = threading.Thread(target=watch, name="own functions watched", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def said_in_log(what: str, done: int, _total: int | None) -> None:
    """Tell the log what there is no progress bar for."""
    logging.getLogger(__name__).warning("%s: %s", what, done)
