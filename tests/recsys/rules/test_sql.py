"""A rule written as SQL gives in SQLite, DuckDB and PostgreSQL what its closure gives."""

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import duckdb
import numpy as np
import psycopg
import pytest

from recsys.domain.customer import AttributeValue
from recsys.rules import Rule, ValueType, parse_rule
from recsys.rules.compiler import ALLOWED
from recsys.rules.sql import WRITERS, to_sql
from recsys.rules.sqlite_functions import register
from tests.recsys.rules.random_rules import VOCABULARY, RandomRules, random_facts

DialectName = Literal["sqlite", "postgres", "duckdb"]
Answer = Callable[[Sequence[str], Sequence[Mapping[str, AttributeValue]]], list[tuple[Any, ...]]]

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
