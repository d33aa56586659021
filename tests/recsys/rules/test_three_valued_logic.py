"""A rule means what the same text means in a real SQL database, NULL included."""

import itertools
import math
import sqlite3
from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.domain.customer import AttributeValue
from recsys.rules import ValueType, parse_rule

NUMBERS, TEXTS, BOOLEANS = ("n1", "n2"), ("t1", "t2"), ("b1", "b2")
VOCABULARY = {
    **dict.fromkeys(NUMBERS, ValueType.NUMBER),
    **dict.fromkeys(TEXTS, ValueType.TEXT),
    **dict.fromkeys(BOOLEANS, ValueType.BOOLEAN),
}

facts_of_all_names = st.fixed_dictionaries(
    {
        **dict.fromkeys(NUMBERS, st.none() | st.integers(-9, 9).map(float)),
        **dict.fromkeys(TEXTS, st.none() | st.text("abXY", max_size=3)),
        **dict.fromkeys(BOOLEANS, st.none() | st.booleans()),
    }
)


Texts = st.SearchStrategy[str]

NUMBER_LEAF = st.sampled_from(NUMBERS) | st.integers(0, 9).map("{}.0".format)  # SQLite needs a point to compute in REAL
TEXT_LEAF = st.sampled_from(TEXTS) | st.text("abXY", max_size=2).map("'{}'".format)
COMPARISON = st.sampled_from(("=", "<>", "<", "<=", ">", ">="))


def _joined(form: str, *parts: Texts) -> Texts:
    return st.tuples(*parts).map(lambda values: form.format(*values))


def _numbers(number: Texts, text: Texts, condition: Texts) -> Texts:
    return st.one_of(
        _joined("({} {} {})", number, st.sampled_from("+-*/"), number),
        _joined("({} % {})", NUMBER_LEAF, NUMBER_LEAF),
        _joined("(-{})", number),
        _joined("ABS({})", number),
        _joined("LEAST({}, {})", number, number),
        _joined("GREATEST({}, {})", number, number),
        _joined("COALESCE({}, {})", number, number),
        _joined("LENGTH({})", text),
        _joined("CASE WHEN {} THEN {} WHEN {} THEN {} END", condition, number, condition, number),
        _joined("CASE {} WHEN {} THEN {} ELSE NULL END", number, number, number),
    )


def _texts(text: Texts) -> Texts:
    return st.one_of(_joined("LOWER({})", text), _joined("UPPER({})", text), _joined("COALESCE({}, {})", text, text))


def _conditions(number: Texts, text: Texts, condition: Texts) -> Texts:
    return st.one_of(
        _joined("({} AND {})", condition, condition),
        _joined("({} OR {})", condition, condition),
        _joined("(NOT {})", condition),
        _joined("({} {} {})", number, COMPARISON, number),
        _joined("({} {} {})", text, COMPARISON, text),
        _joined("({} = {})", condition, condition),
        _joined("({} BETWEEN {} AND {})", number, number, number),
        _joined("({} NOT IN ({}, {}))", number, number, NUMBER_LEAF),
        _joined("({} IN ({}, {}))", text, TEXT_LEAF, TEXT_LEAF),
        _joined("({} IS NULL)", number | text | condition),
        _joined("({} IS NOT NULL)", number | text),
        _joined("({} IS TRUE)", condition),
        _joined("({} IS NOT FALSE)", condition),
    )


def _expressions(levels: int) -> Texts:
    """Conditions of every form in the language, nested `levels` deep."""
    number, text = NUMBER_LEAF, TEXT_LEAF
    condition: Texts = st.sampled_from((*BOOLEANS, "TRUE", "FALSE"))
    for _ in range(levels):
        number, text, condition = (
            number | _numbers(number, text, condition),
            text | _texts(text),
            condition | _conditions(number, text, condition),
        )
    return condition


def in_sqlite(text: str, facts: Mapping[str, AttributeValue]) -> bool | None:
    columns = ", ".join(f"? AS {name}" for name in facts)
    query = f"SELECT {text} FROM (SELECT {columns})".replace("LEAST(", "MIN(").replace("GREATEST(", "MAX(")
    connection = sqlite3.connect(":memory:")
    try:
        (value,) = connection.execute(query, tuple(facts.values())).fetchone()
    finally:
        connection.close()
    return None if value is None else bool(value)


@settings(deadline=None)
@given(_expressions(levels=3), facts_of_all_names)
@example("(n1 / 0.0 = 1.0) OR b1", {"n1": 1.0, "b1": None})
@example("n1 NOT IN (1.0, n2)", {"n1": 2.0, "n2": None})
def test_a_rule_gives_what_a_database_gives(text: str, facts: dict[str, AttributeValue]) -> None:
    assert parse_rule(text, VOCABULARY).evaluate(facts) is in_sqlite(text, facts)


@pytest.mark.parametrize("connective", ["AND", "OR"])
def test_the_truth_table_of_connectives_is_exact(connective: str) -> None:
    rule = parse_rule(f"b1 {connective} b2", VOCABULARY)
    for b1, b2 in itertools.product((True, False, None), repeat=2):
        facts = {"b1": b1, "b2": b2}
        assert rule.evaluate(facts) is in_sqlite(rule.text, facts)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 / 0", None),
        ("5 % 0", None),
        ("-7 % 3", -1.0),
        ("7 / 2", 3.5),
        ("1e308 * 10", None),
        ("ROUND(2.5)", 3.0),
        ("ROUND(-2.5)", -3.0),
        ("ROUND(2.675, 2)", 2.68),
        ("ROUND(1e300, 2)", 1e300),
        ("ROUND(1234567890123456.5)", 1234567890123457.0),
        ("LOWER('ÄB上')", "Äb上"),
        ("UPPER('äb上')", "äB上"),
        ("LEAST(1, n1)", None),
        ("COALESCE(n1, 0 - 1)", -1.0),
        ("CASE WHEN n1 > 0 THEN 'yes' END", None),
        ("1 + 2 * 3 - -4", 11.0),
    ],
)
def test_a_value_rule_gives_the_value_or_null(text: str, value: AttributeValue) -> None:
    assert parse_rule(text, VOCABULARY).evaluate({}) == value


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "12", True, [], 10**400])
def test_a_fact_of_another_type_is_unknown(value: AttributeValue) -> None:
    rule = parse_rule("n1 > 1", VOCABULARY)
    assert rule.evaluate({"n1": value}) is None
    assert rule.unknown({"n1": value}) == ("n1",)


def test_unknown_names_are_said_in_order_and_once() -> None:
    rule = parse_rule("t1 = 'a' AND b1 AND n1 > 1 AND n1 < 3", VOCABULARY)
    assert rule.unknown({"b1": False}) == ("n1", "t1")


def test_a_false_condition_outweighs_an_unknown_one() -> None:
    assert parse_rule("n1 > 1 AND b1", VOCABULARY).evaluate({"b1": False}) is False


class CountedFacts(dict[str, AttributeValue]):
    """Facts that count how often they are asked."""

    asked = 0

    def get(self, name: str, default: AttributeValue = None) -> AttributeValue:  # type: ignore[override]
        self.asked += 1
        return super().get(name, default)


@pytest.mark.parametrize(
    "text",
    [
        "CASE " * 15 + "b1" + " WHEN b2 THEN b1 WHEN TRUE THEN b2 END" * 15,
        "CASE WHEN (" * 10 + "n1" + " BETWEEN 0 AND n2) THEN 1 ELSE 0 END" * 10,
    ],
)
def test_no_part_of_a_rule_is_evaluated_twice(text: str) -> None:
    facts = CountedFacts(n1=1, n2=0, b1=True, b2=False)
    parse_rule(text, VOCABULARY).evaluate(facts)
    assert facts.asked < 100


@given(
    st.sampled_from(["x BETWEEN y AND z", "NOT x BETWEEN y AND z"]),
    st.tuples(*[st.sampled_from([None, 1.0, 2.0, 3.0])] * 3),
)
def test_between_is_exact_with_null_bounds(text: str, values: tuple[float | None, ...]) -> None:
    facts = dict(zip("xyz", values, strict=True))
    assert parse_rule(text, dict.fromkeys("xyz", ValueType.NUMBER)).evaluate(facts) is in_sqlite(text, facts)
