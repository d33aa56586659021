"""The breaker, with a clock the tests hold."""

from contextlib import suppress

import pytest

from features.breaker import Breaker, BreakerOpen


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with suppress(OSError), breaker.guarding(OSError):
            raise OSError


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(failures=3, monotonic=lambda: 10.0)
    fail(breaker, 2)
    with breaker.guarding(OSError):
        pass
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker)
    assert breaker.is_open


def test_while_open_one_call_a_pause_goes_through_and_a_success_closes_it() -> None:
    now = [10.0]
    breaker = Breaker(failures=1, pause_seconds=1.0, monotonic=lambda: now[0])
    fail(breaker, 2)
    with pytest.raises(BreakerOpen), breaker.guarding(OSError):
        pass
    now[0] += 1.0
    with breaker.guarding(OSError):
        pass
    assert not breaker.is_open


def test_an_error_it_does_not_guard_against_is_not_a_failure() -> None:
    breaker = Breaker(failures=1)
    with suppress(ValueError), breaker.guarding(OSError):
        raise ValueError
    assert not breaker.is_open
