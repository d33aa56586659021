"""Sums of floats that are the same on every Python, so that a decision replays to the byte wherever it was made."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar

_IS_COMPENSATED: ContextVar[bool] = ContextVar("is_compensated", default=False)


def total(values: Iterable[float]) -> float:
    """Return the sum, added from left to right; the built-in `sum` is compensated since Python 3.12."""
    if _IS_COMPENSATED.get():
        return _compensated(values)
    result = 0.0
    for value in values:
        result += value
    return result


@contextmanager
def compensated() -> Generator[None]:
    """Add within as Python 3.12's `sum` does: for decisions made on it before records said on which Python."""
    token = _IS_COMPENSATED.set(True)
    try:
        yield
    finally:
        _IS_COMPENSATED.reset(token)


def _compensated(values: Iterable[float]) -> float:
    """Return the sum by the improved Kahan–Babuška algorithm (Neumaier 1974), as CPython 3.12 has it."""
    result, lost = 0.0, 0.0
    for value in values:
        added = result + value
        lost += (result - added) + value if abs(result) >= abs(value) else (value - added) + result
        result = added
    return result + lost
