"""Asks a bank's own functions before the transaction that needs their answers, and begins it again where they differ.

A function may take until its deadline, and whoever waits for the event log would wait with it.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from features.from_events import INTERACTION_FEATURES, age_name
from features.own_features import Transformed
from recsys.domain.customer import AttributeValue

P = ParamSpec("P")
R = TypeVar("R")
_AGES = frozenset(filter(None, map(age_name, INTERACTION_FEATURES)))
"""What is known of a customer that changes as time passes: days since something."""
_TOLD: "ContextVar[Told]" = ContextVar("told")
_MOST_QUESTIONS = 3
_A_MINUTE_IN_DAYS = 1 / 1_440


@dataclass(frozen=True, slots=True)
class Question:
    """What the functions of a version are asked: `names` of them, of what is `known` of one customer."""

    version: str
    names: tuple[str, ...]
    known: Mapping[str, AttributeValue]

    def is_like(self, other: "Question") -> bool:
        """Return whether the other asks the same, but for the time that has passed meanwhile."""
        return (
            self.version == other.version
            and self.names == other.names
            and self.known.keys() == other.known.keys()
            and all(_is_like(name, value, other.known[name]) for name, value in self.known.items())
        )


class NotAskedYet(Exception):
    """The functions were not asked this before the transaction: `asking_first` does, and begins again."""

    def __init__(self, question: Question, ask: Callable[[Question], Transformed]) -> None:
        super().__init__("The functions of the bank's own features were not asked yet.")
        self.question = question
        self.ask = ask


class Told:
    """What the functions have answered for one request; `is_final`: nothing more is asked for it."""

    def __init__(self) -> None:
        self._answers: list[tuple[Question, Transformed]] = []
        self.is_final = False

    def __bool__(self) -> bool:
        return bool(self._answers)

    def ask(self, one: NotAskedYet) -> None:
        """Ask what was not asked yet: outside of any transaction, for it may take until the deadline."""
        self._answers.append((one.question, one.ask(one.question)))

    def answer(self, question: Question, ask: Callable[[Question], Transformed]) -> Transformed:
        """Return the answer to the question; raises NotAskedYet where there is none."""
        for asked, answer in self._answers:
            if asked.is_like(question):
                return answer
        if self.is_final:
            return Transformed({}, dict.fromkeys(question.names, "what is known of the customer changed too often"))
        raise NotAskedYet(question, ask)


def asking_first(work: Callable[P, R]) -> Callable[P, R]:
    """Return `work`, begun again after each question to the bank's functions that it comes upon.

    `work` ends its transaction by NotAskedYet, which leaves nothing behind; so no function is ever called while
    somebody waits for a lock. Mostly `situation.features_of` has asked before: an answer that changes what is known is
    what makes work begin again.
    """

    @wraps(work)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        told = Told()
        token = _TOLD.set(told)
        try:
            for _ in range(_MOST_QUESTIONS):
                try:
                    return work(*args, **kwargs)
                except NotAskedYet as one:
                    told.ask(one)
            told.is_final = True
            return work(*args, **kwargs)
        finally:
            _TOLD.reset(token)

    return asked


def told_so_far() -> Told:
    """Return what the functions have answered for the request that `asking_first` runs."""
    return _TOLD.get()


def _is_like(name: str, one: AttributeValue, other: AttributeValue) -> bool:
    if name in _AGES and isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < _A_MINUTE_IN_DAYS
    return one == other
