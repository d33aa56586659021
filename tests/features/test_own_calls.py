"""A bank's functions are asked until a deadline; one that does not return is put aside, the others go on."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from features.own_calls import MOST_SLOW, MOST_STUCK, FunctionCalls, LoadedBeside, said_while_it_hangs
from features.own_features import NOTHING_OWN, Transformations, Transformed
from recsys.domain.customer import AttributeValue

Functions = dict[str, Callable[[], AttributeValue]]
DEADLINE = 0.1


class Bank:
    """Functions, how often each was called, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.functions: Functions = {}
        self.called: list[str] = []
        self.now = 0.0
        self.calls = FunctionCalls(DEADLINE, 30.0, lambda: self.now)
        self.let_go = threading.Event()

    def ask(self) -> Transformed:
        return self.calls.ask(list(self.functions), self._call)

    def hang(self) -> float:
        """Wait outside of Python, where nothing can end it."""
        self.let_go.wait()
        return 1.0

    def _call(self, name: str) -> AttributeValue:
        self.called.append(name)
        return self.functions[name]()

    def threads(self) -> int:
        return sum(one.name == "own functions" and one.is_alive() for one in threading.enumerate())


@pytest.fixture
def bank() -> Iterator[Bank]:
    bank = Bank()
    yield bank
    bank.let_go.set()
    until(lambda: bank.threads() == 0)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def loop() -> float:
    while True:
        pass


def test_what_functions_say_and_how_they_fail_is_told_of_each(bank: Bank) -> None:
    def exits() -> float:
        raise SystemExit(1)

    bank.functions = {"a": lambda: 1.0, "b": lambda: 1 / 0, "c": exits, "d": lambda: None}
    found = bank.ask()
    assert found.values == {"a": 1.0, "d": None}
    assert found.failed == {
        "b": "b failed: ZeroDivisionError: division by zero",
        "c": "c failed: SystemExit: 1",
    }


def test_an_endless_loop_is_ended_at_the_deadline_and_not_begun_again_after_a_few(bank: Bank) -> None:
    bank.functions = {"loop": loop}
    for _ in range(MOST_SLOW):
        assert bank.ask().failed == {"loop": "loop: did not return within 100 ms"}
        until(lambda: bank.threads() == 0)
    assert list(bank.calls.aside()) == ["loop"]
    began = time.monotonic()
    assert list(bank.ask().failed) == ["loop"]
    assert time.monotonic() - began < DEADLINE / 2
    assert len(bank.called) == MOST_SLOW
    bank.functions["loop"], bank.now = (lambda: 2.0), 31.0
    assert bank.ask().values == {"loop": 2.0}
    assert bank.calls.aside() == {}


def test_one_that_cannot_be_ended_is_called_again_after_a_pause_and_a_few_times_only(bank: Bank) -> None:
    bank.functions = {"hang": bank.hang}
    for round_ in range(2 * MOST_STUCK):
        bank.now = 31.0 * round_
        assert list(bank.ask().failed) == ["hang"]
        assert list(bank.ask().failed) == ["hang"]  # at once: it is put aside
    assert bank.threads() == len(bank.called) == MOST_STUCK
    assert "4 calls have not returned yet" in bank.calls.aside()["hang"]
    bank.let_go.set()
    until(lambda: bank.threads() == 0)
    bank.now += 31
    assert bank.ask().values == {"hang": 1.0}


def test_the_others_are_asked_and_the_slow_one_is_to_blame_wherever_the_deadline_meets(bank: Bank) -> None:
    bank.functions = {"first": lambda: 1.0, "hang": bank.hang, "last": lambda: 3.0}
    found = bank.ask()
    assert found.values == {"first": 1.0}
    assert found.failed["last"] == "last: did not return within 100 ms"
    found = bank.ask()
    assert found.values == {"first": 1.0, "last": 3.0}
    assert list(found.failed) == ["hang"]
    assert list(bank.calls.aside()) == ["hang"]


def test_one_that_is_slow_now_and_then_is_put_aside_where_that_is_often(bank: Bank) -> None:
    def slow_then_quick() -> None:
        bank.functions = {"slow": loop}
        bank.ask()
        until(lambda: bank.threads() == 0)
        bank.functions = {"slow": lambda: 1.0}
        bank.ask()

    for _ in range(2 * MOST_SLOW):
        slow_then_quick()
        bank.now += 16
    assert bank.calls.aside() == {}
    for _ in range(MOST_SLOW):
        slow_then_quick()
    assert list(bank.calls.aside()) == ["slow"]


def test_code_that_hangs_while_it_is_loaded_says_so_and_is_there_later() -> None:
    go_on = threading.Event()
    loaded = LoadedBeside(lambda: go_on.wait() and "code")
    assert loaded.get(0.01) is None
    assert loaded.trouble == "its file has not been loaded to the end yet"
    go_on.set()
    assert loaded.get(10) == "code"
    assert loaded.trouble is None


def test_training_names_a_function_that_does_not_return() -> None:
    functions, said = Transformations(NOTHING_OWN), list[tuple[str, int]]()
    with said_while_it_hangs(functions, lambda what, done, _: said.append((what, done)), 0.05):
        functions.running, functions.calls = "salary_share", 7
        until(lambda: bool(said))
        functions.running = None
    assert said[0][0] == "seconds that salary_share does not return"


def test_a_process_ends_although_a_function_has_not_returned() -> None:
    hangs = "__import__('time').sleep(600)"
    code = (
        "from features.own_calls import FunctionCalls, LoadedBeside\n"
        f"print(FunctionCalls(0.05).ask(['hangs'], lambda _: {hangs}).failed)\n"
        f"print(LoadedBeside(lambda: {hangs}).get(0.05))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "{'hangs': 'hangs: did not return within 50 ms'}\nNone\n"
