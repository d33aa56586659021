"""Stops asking a part that has failed several times in a row, and tries it again after a pause."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BreakerOpen(Exception):
    """The part was not asked, because it failed a moment ago."""


class Breaker:
    """Opens after `failures` in a row; lets one call a `pause_seconds` through until one succeeds."""

    def __init__(
        self, failures: int = 3, pause_seconds: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed = failures
        self._pause = pause_seconds
        self._monotonic = monotonic
        self._failed = 0
        self._next_try = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the part is taken to be gone."""
        return self._failed >= self._allowed

    @contextmanager
    def guarding(self, *errors: type[Exception]) -> Iterator[None]:
        """Run the block, counting `errors`; raises BreakerOpen instead of running it while open."""
        self._ask()
        try:
            yield
        except errors:
            self._failed += 1
            raise
        self._failed = 0

    def _ask(self) -> None:
        with self._lock:
            if self._failed < self._allowed:
                return
            now = self._monotonic()
            if now < self._next_try:
                raise BreakerOpen
            self._next_try = now + self._pause
