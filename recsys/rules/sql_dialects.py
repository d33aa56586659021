"""How each database spells what the rule language computes, where plain SQL differs from it or between them."""

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType

from recsys.rules.operators import WHOLE_FROM
from recsys.rules.vocabulary import ValueType

_SURELY_WHOLE = 10**15  # SQLite reads whole numbers up to here as they are
_MAX_ARGUMENTS = 100
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")

NUMBER, TEXT, BOOLEAN = ValueType.NUMBER, ValueType.TEXT, ValueType.BOOLEAN


class Dialect(ABC):
    """The spelling of one expression for one database; every part handed in is SQL that stands on its own.

    Parts are used once in what is built from them, however deep: twice would double at each level.
    """

    types: Mapping[ValueType, str]

    def complete(self, sql: str) -> str:
        """Return the finished expression."""
        return sql

    def bounded(self, sql: str) -> str:
        """Return a part in a form that may be nested once more."""
        return sql

    def null(self, kind: ValueType | None) -> str:
        """Return a NULL of a type, so that the database does not guess another one."""
        return f"CAST(NULL AS {self.types[kind]})" if kind else "NULL"

    def number(self, value: float) -> str:
        """Return the literal of exactly this finite float."""
        digits = repr(value)
        return f"CAST({digits if 'e' in digits else digits + 'e0'} AS {self.types[NUMBER]})"

    def text(self, value: str) -> str:
        """Return the literal of a text without U+0000."""
        return "'" + value.replace("'", "''") + "'"

    def coalesce(self, parts: Sequence[str]) -> str:
        """Return the first value that is not NULL."""
        return f"COALESCE({', '.join(parts)})"

    def case(self, subject: str | None, branches: Sequence[tuple[str, str]], default: str) -> str:
        """Return the result of the first branch that is true or equals the subject."""
        whens = " ".join(f"WHEN {condition} THEN {result}" for condition, result in branches)
        return f"(CASE {subject or ''} {whens} ELSE {default} END)"

    def lowered(self, text: str) -> str:
        """Return the text with A to Z in lower case."""
        return f"LOWER({text})"

    def raised(self, text: str) -> str:
        """Return the text with a to z in upper case."""
        return f"UPPER({text})"

    def length(self, text: str) -> str:
        """Return the number of characters."""
        return f"CAST(LENGTH({text}) AS {self.types[NUMBER]})"

    @abstractmethod
    def column(self, sql: str, kind: ValueType) -> str:
        """Return a column's value, NULL where it is none of its type."""

    @abstractmethod
    def arithmetic(self, sign: str, left: str, right: str) -> str:
        """Return + - * / or %, NULL where it has no finite value."""

    @abstractmethod
    def rounded(self, value: str, digits: int) -> str:
        """Return the shortest decimal of a number rounded half away from zero."""

    @abstractmethod
    def extreme(self, function: str, parts: Sequence[str]) -> str:
        """Return LEAST or GREATEST of two or more numbers, NULL when one is NULL."""


class Sqlite(Dialect):
    """SQLite with `recsys.rules.sqlite_functions`, whose parser takes about twenty levels of brackets."""

    types = MappingProxyType({NUMBER: "REAL", TEXT: "TEXT", BOOLEAN: "INTEGER"})
    _MAX_NESTING = 8

    def __init__(self) -> None:
        self._steps: list[str] = []

    def complete(self, sql: str) -> str:
        steps = ", ".join(f"rule_step_{number}(result) AS ({step})" for number, step in enumerate(self._steps))
        return f"(WITH {steps} SELECT {sql})" if steps else sql

    def bounded(self, sql: str) -> str:
        """Move what is nested deep into a step of its own, before the one that uses it."""
        if _nesting(sql) <= self._MAX_NESTING:
            return sql
        self._steps.append(f"SELECT {sql}")
        return f"(SELECT result FROM rule_step_{len(self._steps) - 1})"

    def number(self, value: float) -> str:
        """Return the float out of whole numbers: SQLite misreads the last bit of one decimal in some thousands."""
        above, below = Decimal(repr(value)).as_integer_ratio()
        if max(abs(above), below) <= _SURELY_WHOLE:
            return f"({above}.0 / {below})" if below > 1 else f"{above}.0"
        fraction, exponent = math.frexp(value)
        twos, rest = divmod(abs(exponent - 53), 62)
        sign = "*" if exponent > 53 else "/"
        return f"(CAST({int(fraction * 2**53)} AS REAL)" + f" {sign} {1 << 62}" * twos + f" {sign} {1 << rest})"

    def column(self, sql: str, kind: ValueType) -> str:
        if kind is NUMBER:
            return f"(CASE WHEN typeof({sql}) IN ('integer', 'real') THEN {_finite(f'CAST({sql} AS REAL)')} END)"
        if kind is TEXT:
            return f"(CASE WHEN typeof({sql}) = 'text' THEN {sql} END COLLATE BINARY)"
        return f"(CASE WHEN typeof({sql}) = 'integer' AND {sql} IN (0, 1) THEN {sql} END)"

    def arithmetic(self, sign: str, left: str, right: str) -> str:
        return f"rule_mod({left}, {right})" if sign == "%" else _finite(f"({left} {sign} {right})")

    def rounded(self, value: str, digits: int) -> str:
        return f"rule_round({value}, {digits})"

    def coalesce(self, parts: Sequence[str]) -> str:
        return _grouped("COALESCE", parts)

    def extreme(self, function: str, parts: Sequence[str]) -> str:
        return _grouped("MIN" if function == "LEAST" else "MAX", parts)


class Postgres(Dialect):
    """PostgreSQL, where a result out of range is an error, so that it must be foreseen."""

    types = MappingProxyType({NUMBER: "DOUBLE PRECISION", TEXT: "TEXT", BOOLEAN: "BOOLEAN"})

    def text(self, value: str) -> str:
        literal = super().text(value)
        return f'({"E" + literal.replace(chr(92), chr(92) * 2) if chr(92) in value else literal} COLLATE "C")'

    def column(self, sql: str, kind: ValueType) -> str:
        if kind is NUMBER:
            finite = f"CAST({sql} AS DOUBLE PRECISION)"
            for odd in ("NaN", "Infinity", "-Infinity"):
                finite = f"NULLIF({finite}, '{odd}')"
            return finite
        return f'(CAST({sql} AS TEXT) COLLATE "C")' if kind is TEXT else sql

    def arithmetic(self, sign: str, left: str, right: str) -> str:
        # OFFSET 0 keeps the planner from putting the operands, and so their operands, in more than once.
        return f"(SELECT {_POSTGRES_RESULTS[sign]} FROM (SELECT {left} AS x, {right} AS y OFFSET 0) AS pair)"

    def rounded(self, value: str, digits: int) -> str:
        return f"CAST(ROUND(CAST(CAST({value} AS TEXT) AS NUMERIC), {digits}) AS DOUBLE PRECISION)"

    def extreme(self, function: str, parts: Sequence[str]) -> str:
        values, aggregate = ", ".join(f"({part})" for part in parts), "MIN" if function == "LEAST" else "MAX"
        return f"(SELECT CASE WHEN COUNT(*) = COUNT(x) THEN {aggregate}(x) END FROM (VALUES {values}) AS listed(x))"


class Duckdb(Dialect):
    """DuckDB, which expands NULLIF and CASE with a subject by repeating it; a lambda names it once."""

    types = MappingProxyType({NUMBER: "DOUBLE", TEXT: "VARCHAR", BOOLEAN: "BOOLEAN"})

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def text(self, value: str) -> str:
        return f'({super().text(value)} COLLATE "binary")'

    def column(self, sql: str, kind: ValueType) -> str:
        if kind is NUMBER:
            return self._finite(f"CAST({sql} AS DOUBLE)")
        return f'(CAST({sql} AS VARCHAR) COLLATE "binary")' if kind is TEXT else sql

    def arithmetic(self, sign: str, left: str, right: str) -> str:
        return self._finite(f"{left} {sign} {right}")

    def rounded(self, value: str, digits: int) -> str:
        decimal = f"CAST(CAST(CAST(CAST(x AS VARCHAR) AS DECIMAL(38, {digits})) AS VARCHAR) AS DOUBLE)"
        nearest = f"CASE WHEN ABS(x) >= {WHOLE_FROM:.0f} THEN x ELSE {decimal} END"
        return f"LIST_TRANSFORM([{value}], LAMBDA x: {nearest})[1]"

    def extreme(self, function: str, parts: Sequence[str]) -> str:
        order = "ASC" if function == "LEAST" else "DESC"
        return f"LIST_SORT([{', '.join(parts)}], '{order}', 'NULLS FIRST')[1]"

    def case(self, subject: str | None, branches: Sequence[tuple[str, str]], default: str) -> str:
        if subject is None:
            return super().case(None, branches, default)
        name = f"rule_subject_{next(self._numbers)}"
        return f"LIST_TRANSFORM([{subject}], LAMBDA {name}: {super().case(name, branches, default)})[1]"

    def lowered(self, text: str) -> str:
        return f"TRANSLATE({text}, '{ascii_uppercase}', '{ascii_lowercase}')"

    def raised(self, text: str) -> str:
        return f"TRANSLATE({text}, '{ascii_lowercase}', '{ascii_uppercase}')"

    def _finite(self, sql: str) -> str:
        return f"LIST_FILTER([{sql}], LAMBDA x: ISFINITE(x))[1]"


DIALECTS: Mapping[str, type[Dialect]] = {"sqlite": Sqlite, "postgres": Postgres, "duckdb": Duckdb}

_IN_BOUNDS = "ABS(x) BETWEEN 1e-150 AND 1e150 AND ABS(y) BETWEEN 1e-150 AND 1e150"
_LARGEST, _SMALLEST = "1.79769313486231e308", "2.5e-324"
# Of x and y, NULL where out of range and 0 where too small. NUMERIC has the range that tells beforehand.
_POSTGRES_RESULTS = {
    **{
        sign: f"CASE WHEN ABS(x) < 1e300 AND ABS(y) < 1e300 OR "
        f"ABS(CAST(x AS NUMERIC) {sign} CAST(y AS NUMERIC)) < {_LARGEST} THEN x {sign} y END"
        for sign in "+-"
    },
    "*": f"CASE WHEN {_IN_BOUNDS} THEN x * y "
    f"WHEN ABS(CAST(x AS NUMERIC) * CAST(y AS NUMERIC)) > {_LARGEST} THEN NULL "
    f"WHEN ABS(CAST(x AS NUMERIC) * CAST(y AS NUMERIC)) < {_SMALLEST} THEN 0 ELSE x * y END",
    "/": f"CASE WHEN {_IN_BOUNDS} THEN x / y WHEN y = 0 THEN NULL "
    f"WHEN ABS(CAST(x AS NUMERIC)) > {_LARGEST} * ABS(CAST(y AS NUMERIC)) THEN NULL "
    f"WHEN ABS(CAST(x AS NUMERIC)) < {_SMALLEST} * ABS(CAST(y AS NUMERIC)) THEN 0 ELSE x / y END",
    # Long division in binary: every difference is exact, as x - t is for t <= x < 2 t (Sterbenz 1974, theorem 4.3.1).
    "%": "CASE WHEN ABS(x) < ABS(y) THEN x WHEN y <> 0 THEN (WITH RECURSIVE "
    "times(t) AS (SELECT ABS(y) UNION ALL SELECT t + t FROM times WHERE ABS(x) - t >= t), "
    "remainder(r) AS (SELECT ABS(x) UNION ALL SELECT r - (SELECT MAX(t) FROM times WHERE t <= r) "
    "FROM remainder WHERE r >= ABS(y)) SELECT SIGN(x) * MIN(r) FROM remainder) END",
}


def _finite(sql: str) -> str:
    return f"NULLIF(NULLIF({sql}, 9e999), -9e999)"


def _grouped(function: str, parts: Sequence[str]) -> str:
    """Call an associative function on many parts: SQLite takes 127 arguments at most."""
    while len(parts) > 1:
        groups = [parts[start : start + _MAX_ARGUMENTS] for start in range(0, len(parts), _MAX_ARGUMENTS)]
        parts = [f"{function}({', '.join(group)})" if len(group) > 1 else group[0] for group in groups]
    return parts[0]


def _nesting(sql: str) -> int:
    """Return how deep the brackets outside quotes go."""
    depth = deepest = 0
    for bracket in re.findall(r"[()]", _QUOTED.sub("", sql)):
        depth += 1 if bracket == "(" else -1
        deepest = max(deepest, depth)
    return deepest
