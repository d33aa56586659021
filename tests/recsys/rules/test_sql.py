"""A rule written as SQL gives in SQLite, DuckDB and PostgreSQL what its closure gives."""

import math
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import duckdb
import numpy as np
import psycopg
import pytest
from sqlglot import exp

from recsys.domain.customer import AttributeValue
from recsys.rules import Rule, ValueType, parse_rule
from recsys.rules.compiler import ALLOWED
from recsys.rules.sql import WRITERS, to_sql
from recsys.rules.sqlite_functions import register
from tests.recsys.rules.random_rules import VOCABULARY, RandomRules, random_facts

DialectName = Literal["sqlite", "postgres", "duckdb"]

COLUMNS = {name: 'c."' + name.replace('"', '""') + '"' for name in VOCABULARY}
_TYPES = {
    "sqlite": {ValueType.NUMBER: "REAL", ValueType.TEXT: "TEXT", ValueType.BOOLEAN: "INTEGER"},
    "duckdb": {ValueType.NUMBER: "DOUBLE", ValueType.TEXT: "VARCHAR", ValueType.BOOLEAN: "BOOLEAN"},
    "postgres": {ValueType.NUMBER: "DOUBLE PRECISION", ValueType.TEXT: "TEXT", ValueType.BOOLEAN: "BOOLEAN"},
}


class DatabaseUnderTest:
    """One of the three databases; asks it expressions about a table of customers."""

    def __init__(self, dialect: DialectName, connection: Any) -> None:
        self.dialect, self._connection = dialect, connection

    def fill(self, customers: Sequence[Mapping[str, AttributeValue]]) -> None:
        """Make the table `c` of these customers, in order."""
        columns = [
            f'"{name.replace(chr(34), chr(34) * 2)}" {_TYPES[self.dialect][VOCABULARY[name]]}' for name in VOCABULARY
        ]
        self._connection.execute("DROP TABLE IF EXISTS c")
        self._connection.execute(f"CREATE TABLE c (number INTEGER, {', '.join(columns)})")
        rows = [(number, *(facts.get(name) for name in VOCABULARY)) for number, facts in enumerate(customers)]
        mark = "%s" if self.dialect == "postgres" else "?"
        insert = f"INSERT INTO c VALUES ({', '.join([mark] * (len(VOCABULARY) + 1))})"
        (self._connection.cursor() if self.dialect == "postgres" else self._connection).executemany(insert, rows)

    def select(self, expressions: str) -> tuple[Any, ...]:
        """Return the one row of these expressions."""
        row: tuple[Any, ...] = self._connection.execute(f"SELECT {expressions}").fetchone()
        return row

    def values(self, rules: Sequence[Rule]) -> list[tuple[Any, ...]]:
        """Return a row of values, one a rule, for every customer."""
        expressions = ", ".join(to_sql(rule, COLUMNS, self.dialect) for rule in rules)
        rows = self._connection.execute(f"SELECT {expressions} FROM c ORDER BY number").fetchall()
        kinds = [rule.type for rule in rules]
        return [tuple(map(self._plain, row, kinds)) for row in rows]

    def _plain(self, value: Any, kind: ValueType | None) -> Any:
        return bool(value) if kind is ValueType.BOOLEAN and value is not None else value


@pytest.fixture(params=get_args(DialectName))
def asked(request: pytest.FixtureRequest) -> Iterator[DatabaseUnderTest]:
    """An empty database, once of each kind."""
    connection: Any
    if request.param == "sqlite":
        connection = sqlite3.connect(":memory:")
        register(connection)
    elif request.param == "duckdb":
        connection = duckdb.connect()
    else:
        connection = psycopg.connect(request.getfixturevalue("postgresql_server"), autocommit=False)
    yield DatabaseUnderTest(request.param, connection)
    connection.close()


def facts_with(**known: AttributeValue) -> dict[str, AttributeValue]:
    """A customer of whom only this is known."""
    return {**dict.fromkeys(VOCABULARY), **known}


def same(found: Any, wanted: Any) -> bool:
    """Whether two values are equal, numbers to 1e-9 of their size."""
    if isinstance(wanted, float) and isinstance(found, float):
        return math.isclose(found, wanted, rel_tol=1e-9)
    return type(found) is type(wanted) and bool(found == wanted)


def disagreements(asked: DatabaseUnderTest, rules: Sequence[Rule], customers: Sequence[Any]) -> list[Any]:
    """Return (rule, facts, what the database says, what the closure says) wherever these differ."""
    asked.fill(customers)
    return [
        (rule.text, facts, found, wanted)
        for facts, row in zip(customers, asked.values(rules), strict=True)
        for rule, found in zip(rules, row, strict=True)
        if not same(found, wanted := rule.evaluate(facts))
    ]


def test_ten_thousand_random_pairs_of_rule_and_customer_agree(asked: DatabaseUnderTest) -> None:
    rng = np.random.default_rng(20)
    draws = RandomRules(rng)
    differing, pairs = [], 0
    for _ in range(10):
        texts = [draws.draw(list(ValueType)[number % 3], levels=1 + number % 4) for number in range(30)]
        rules, customers = [parse_rule(text, VOCABULARY) for text in texts], [random_facts(rng) for _ in range(40)]
        differing += disagreements(asked, rules, customers)
        pairs += len(rules) * len(customers)
    assert pairs >= 10_000
    assert differing == []


def test_every_form_of_the_language_can_be_written() -> None:
    constants = {exp.Literal, exp.Boolean, exp.Null}
    assert set(WRITERS) == set(ALLOWED) - constants


@pytest.mark.parametrize(
    "text",
    [
        "ABS(" * 31 + "n1" + ")" * 31,
        "ROUND(" * 31 + "n1" + ")" * 31,
        "LEAST(n2, " * 31 + "n1" + ")" * 31,
        "(" * 28 + "n1" + " + n2)" * 28,
        "(" * 28 + "n1" + " * 1.5)" * 28,
        "(" * 28 + "n1" + " % n2)" * 28,
        "n1" + " - n2" * 30,
        "NOT (" * 15 + "b1" + ")" * 15,
        "CASE b1 WHEN b2 THEN b1 WHEN NOT b2 THEN " * 25 + "b1" + " END" * 25,
        "CASE " * 25 + "b1" + " WHEN b2 THEN b1 WHEN NOT b2 THEN b2 END" * 25,
        "CASE WHEN (" * 10 + "n1" + " BETWEEN 0 AND n2) THEN 1 ELSE 0 END" * 10,
        "(" * 28 + "b1" + " IN (b1, b2))" * 28,
        "COALESCE(b1, " * 28 + "n1 > 0" + ")" * 28,
        " OR ".join(f"n1 = {number}" for number in range(300)),
        " AND ".join(["b1"] * 500),
        " OR ".join(f"(b1 AND n1 > {number})" for number in range(150)),
        f"n1 IN ({', '.join(map(str, range(700)))})",
        f"n1 IN ({', '.join(['n2'] * 700)})",
        f"LEAST({', '.join(['n1', 'n2'] * 300)}) < 3",
        f"COALESCE({', '.join(['n1'] * 600)}, 1) = 1",
        "CASE" + "".join(f" WHEN n1 = {number} THEN {number}" for number in range(120)) + " END",
    ],
    ids=lambda text: text[:20],
)
def test_deep_and_long_rules_fit_into_every_database(asked: DatabaseUnderTest, text: str) -> None:
    customers = [
        facts_with(n1=n1, n2=n2, b1=b1, b2=b2)
        for n1, n2, b1, b2 in [(7.0, 3.0, True, False), (299.0, 0.5, None, True), (None, 2.0, False, None)]
    ]
    assert disagreements(asked, [parse_rule(text, VOCABULARY)], customers) == []


LARGEST = sys.float_info.max
ODD_NUMBERS = (
    *(0.0, -0.0, 1.0, -3.0, 7.5, math.nan, math.inf, -math.inf, LARGEST, -LARGEST, LARGEST / 2, 2.0**1023, 1e308),
    *(5e-324, -5e-324, 1e-323, 2.2250738585072014e-308, 1e-308, 2.0**-537, 2.0**-538, 1e-200, 1e154, 1.4e154, 2.0**512),
    *(2.0**970, 2.0**969, 1.0000000000000002, 0.1, 0.3),
)


def test_arithmetic_is_exact_to_both_ends_of_the_numbers(asked: DatabaseUnderTest) -> None:
    customers = [facts_with(n1=left, n2=right) for left in ODD_NUMBERS for right in ODD_NUMBERS]
    rules = [parse_rule(f"n1 {sign} n2", VOCABULARY) for sign in "+-*/%"]
    asked.fill(customers)
    wanted = [tuple(rule.evaluate(facts) for rule in rules) for facts in customers]
    assert asked.values(rules) == wanted


@pytest.mark.parametrize("digits", [0, 1, 2, 10])
def test_rounding_is_of_the_shortest_decimal(asked: DatabaseUnderTest, digits: int) -> None:
    values = [2.5, -2.5, 0.5, 2.675, 1.005, 1.005 * 100, 0.12499999999999999, 1e-7, 123456789.05, 2.0**52 - 0.5]
    values += [1234567890123456.5, -1e15 - 0.375, 2.0**53, 1e22, LARGEST, 5e-324, 0.045, 1.45, 99.995]
    rule = parse_rule(f"ROUND(n1, {digits})", VOCABULARY)
    asked.fill([facts_with(n1=value) for value in values])
    assert [value for (value,) in asked.values([rule])] == [rule.evaluate({"n1": value}) for value in values]


@pytest.mark.parametrize(
    "text", ["it's", "\\", "\\'; DROP TABLE c; --", "'", "''", "%s :x {0} ?", "上海", "a\nb", '"', "$$", "E'x'"]
)
def test_a_text_of_a_rule_is_never_more_than_a_text(asked: DatabaseUnderTest, text: str) -> None:
    rule = parse_rule("t1 = '" + text.replace("'", "''") + "'", VOCABULARY)
    asked.fill([facts_with(t1=text), facts_with(t1="another")])
    assert asked.values([rule]) == [(True,), (False,)]


def test_literals_are_the_very_numbers_that_the_rule_names(asked: DatabaseUnderTest) -> None:
    rng = np.random.default_rng(3)
    numbers = [*rng.uniform(0, 1e6, 300).round(6), *np.exp(rng.uniform(-700, 700, 300)), 5e-324, LARGEST, 2.0**53]
    rules = [parse_rule(repr(float(number)) + " + b", {"b": ValueType.NUMBER}) for number in numbers]
    expressions = ", ".join(to_sql(rule, {"b": "0"}, asked.dialect) for rule in rules)
    assert asked.select(expressions) == tuple(float(number) for number in numbers)


def test_text_is_compared_and_folded_alike_everywhere(asked: DatabaseUnderTest) -> None:
    texts = ["", "a", "A", "b", "Z", "ä", "Ä", "ß", "é", "e\u0301", "上海", "北京", "\uffee", "😀", "İ", "\u0131", " a"]
    rules = [parse_rule(text, VOCABULARY) for text in ("t1 < t2", "t1 = t2", "LOWER(t1)", "UPPER(t1)", "LENGTH(t1)")]
    customers = [facts_with(t1=left, t2=right) for left in texts for right in texts]
    assert disagreements(asked, rules, customers) == []


def test_sqlite_reads_a_value_of_another_type_as_null() -> None:
    connection = sqlite3.connect(":memory:")
    register(connection)
    rule = parse_rule("age > 1", {"age": ValueType.NUMBER})
    sql = to_sql(rule, {"age": "json_extract(attributes, '$.age')"}, "sqlite")
    rows = connection.execute(f"SELECT {sql} FROM (SELECT value AS attributes FROM json_each(?))", (
        '[{"age": 2}, {"age": "2"}, {"age": null}, {}, {"age": 0.5}]',
    )).fetchall()  # fmt: skip
    connection.close()
    assert [value for (value,) in rows] == [1, None, None, None, 0]


def test_a_name_without_a_column_is_an_error() -> None:
    with pytest.raises(KeyError, match="n2"):
        to_sql(parse_rule("n1 < n2", VOCABULARY), {"n1": "n1"}, "duckdb")
