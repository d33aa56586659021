"""What each operator of the rule language computes: SQL's three-valued logic as closures over facts."""

import math
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from recsys.domain.customer import AttributeValue
from recsys.rules.vocabulary import ValueType

# A closure gives bool, float or str by the type the compiler has proved, or None for NULL.
Closure = Callable[[Mapping[str, AttributeValue]], Any]

WHOLE_FROM = 2.0**52
"""From here on, every float is a whole number."""
MAX_FLOAT = sys.float_info.max

_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TO_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


def constant(value: AttributeValue) -> Closure:
    """Return a closure that always gives `value`."""
    return lambda facts: value


def number(value: AttributeValue) -> float | None:
    """Return a fact as a finite float; NaN, infinity and anything that is not a number is NULL."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def number_reader(name: str) -> Closure:
    """Return a closure that reads a fact as `number` does, the common ones on a shorter path."""

    def read(facts: Mapping[str, AttributeValue]) -> float | None:
        value = facts.get(name)
        if type(value) is float and -MAX_FLOAT <= value <= MAX_FLOAT:
            return value
        if type(value) is int and -WHOLE_FROM <= value <= WHOLE_FROM:
            return float(value)
        return number(value)

    return read


def text_reader(name: str) -> Closure:
    """Return a closure that reads a text; anything else is NULL."""

    def read(facts: Mapping[str, AttributeValue]) -> str | None:
        value = facts.get(name)
        return value if isinstance(value, str) else None

    return read


def boolean_reader(name: str) -> Closure:
    """Return a closure that reads a truth value; anything else is NULL."""

    def read(facts: Mapping[str, AttributeValue]) -> bool | None:
        value = facts.get(name)
        return value if isinstance(value, bool) else None

    return read


READERS: Mapping[ValueType, Callable[[str], Closure]] = {
    ValueType.NUMBER: number_reader,
    ValueType.TEXT: text_reader,
    ValueType.BOOLEAN: boolean_reader,
}


def conjunction(parts: Sequence[Closure]) -> Closure:
    """AND: false if any part is false, else NULL if any is NULL, else true."""

    def run(facts: Mapping[str, AttributeValue]) -> bool | None:
        answer: bool | None = True
        for part in parts:
            value = part(facts)
            if value is False:
                return False
            if value is None:
                answer = None
        return answer

    return run


def disjunction(parts: Sequence[Closure]) -> Closure:
    """OR: true if any part is true, else NULL if any is NULL, else false."""

    def run(facts: Mapping[str, AttributeValue]) -> bool | None:
        answer: bool | None = False
        for part in parts:
            value = part(facts)
            if value is True:
                return True
            if value is None:
                answer = None
        return answer

    return run


def lifted(function: Callable[..., Any], parts: Sequence[Closure]) -> Closure:
    """Return a closure that applies `function` to the parts' values, and gives NULL when any of them is NULL."""
    if len(parts) == 2:
        return _lifted_pair(function, *parts)

    def run(facts: Mapping[str, AttributeValue]) -> Any:
        values = [part(facts) for part in parts]
        return None if None in values else function(*values)

    return run


def _lifted_pair(function: Callable[[Any, Any], Any], left: Closure, right: Closure) -> Closure:
    def run(facts: Mapping[str, AttributeValue]) -> Any:
        a, b = left(facts), right(facts)
        return None if a is None or b is None else function(a, b)

    return run


def compared_with(function: Callable[[Any, Any], bool], left: Closure, value: AttributeValue) -> Closure:
    """Return a comparison with a constant that is not NULL: most of what rules hold, so worth a shorter path."""

    def run(facts: Mapping[str, AttributeValue]) -> bool | None:
        a = left(facts)
        return None if a is None else function(a, value)

    return run


def is_null(part: Closure) -> Closure:
    """IS NULL, which is never NULL itself."""
    return lambda facts: part(facts) is None


def is_truth(part: Closure, truth: bool) -> Closure:
    """IS TRUE or IS FALSE, which are never NULL themselves."""
    return lambda facts: part(facts) is truth


def member(part: Closure, choices: Sequence[Closure]) -> Closure:
    """IN: true if equal to a choice, else NULL if either side could have been, else false."""

    def run(facts: Mapping[str, AttributeValue]) -> bool | None:
        value = part(facts)
        if value is None:
            return None
        values = [choice(facts) for choice in choices]
        return True if value in values else None if None in values else False

    return run


def constant_member(part: Closure, choices: frozenset[AttributeValue]) -> Closure:
    """IN over constants of which none is NULL."""

    def run(facts: Mapping[str, AttributeValue]) -> bool | None:
        value = part(facts)
        return None if value is None else value in choices

    return run


def first_known(parts: Sequence[Closure]) -> Closure:
    """COALESCE: the first value that is not NULL."""

    def run(facts: Mapping[str, AttributeValue]) -> Any:
        return next((value for part in parts if (value := part(facts)) is not None), None)

    return run


def case(branches: Sequence[tuple[Closure, Closure]], default: Closure) -> Closure:
    """CASE: the result of the first branch whose condition is true (NULL is not), else the default."""

    def run(facts: Mapping[str, AttributeValue]) -> Any:
        for condition, result in branches:
            if condition(facts) is True:
                return result(facts)
        return default(facts)

    return run


def finite(function: Callable[..., float]) -> Callable[..., float | None]:
    """Return the arithmetic with NULL for what has no finite value: division by zero and overflow."""

    def run(*values: float) -> float | None:
        try:
            value = function(*values)
        except (ArithmeticError, ValueError):
            return None
        return value if math.isfinite(value) else None

    return run


def rounded(value: float, digits: float = 0.0) -> float:
    """ROUND half away from zero, as SQL does on decimals (the shortest that is this float); `digits` from 0 to 10."""
    if abs(value) >= WHOLE_FROM:
        return value
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-int(digits)), ROUND_HALF_UP))


def lowered(text: str) -> str:
    """LOWER of the letters A to Z; databases disagree about all others, so those stay as they are."""
    return text.translate(_TO_LOWER)


def raised(text: str) -> str:
    """UPPER of the letters a to z; databases disagree about all others, so those stay as they are."""
    return text.translate(_TO_UPPER)
