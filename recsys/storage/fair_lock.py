"""A lock that serves threads in the order they asked, so that no writer starves."""

from collections import deque
from threading import Lock


class FairLock:
    """First come, first served; the plain `threading.Lock` lets a busy thread take it again and again."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Lock] = deque()
        self._is_held = False

    def acquire(self, timeout_seconds: float) -> bool:
        """Return whether the lock was obtained within `timeout_seconds`."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return True
            turn = Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout_seconds):
            return True
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # the turn came in the moment of giving up

    def release(self) -> None:
        """Pass the lock to the next in line."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False
