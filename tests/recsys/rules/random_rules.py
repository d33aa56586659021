"""Random typed rules of every form in the language, and random facts with the values that databases treat oddly."""

import math
from collections.abc import Callable

import numpy as np

from recsys.domain.customer import AttributeValue
from recsys.rules import ValueType

NUMBER, TEXT, BOOLEAN = ValueType.NUMBER, ValueType.TEXT, ValueType.BOOLEAN
NAMES = {NUMBER: ("n1", "n2", "年龄", "n 4"), TEXT: ("t1", "t2", 'the "third"'), BOOLEAN: ("b1", "b2")}
VOCABULARY = {name: kind for kind, names in NAMES.items() for name in names}

_LITERALS = {
    NUMBER: ("0", "1", "2", "3", "7", "0.1", "0.3", "2.5", "2.675", "100", "1e15", "1e200", "1e308", "5e-324",
             "4503599627370495.5", "9007199254740993", "0.30000000000000004", "123456.78", "1e-300"),
    TEXT: ("''", "'a'", "'A'", "'b'", "'it''s'", "'\\'", "'\\''; DROP TABLE c; --'", "'上海'", "'Ä'", "'ä'", "'😀'",
           "'a\nb'", "'%s :x {0}'", "'\"'", "'é'", "'zz'"),
    BOOLEAN: ("TRUE", "FALSE"),
}  # fmt: skip
_FACTS: dict[ValueType, tuple[AttributeValue, ...]] = {
    NUMBER: (None, None, math.nan, 0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 7.0, 0.1, 0.125, -2.5, 2.675, -0.5, 1.005, 100.49999999999999,
             1e15, 4503599627370495.5, 2.0**53, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 2.2e-308, 1e-200, 1e200),
    TEXT: (None, "", "a", "A", "b", "it's", "\\", "上海", "北京", "Ä", "ä", "ß", "😀", "\uffee", "a\nb", "%s", '"', "é", " a"),
    BOOLEAN: (None, True, False),
}  # fmt: skip
_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


def random_facts(rng: np.random.Generator) -> dict[str, AttributeValue]:
    """Return one customer: a value, or None, for every name of `VOCABULARY`."""
    return {name: _random_fact(rng, kind) for name, kind in VOCABULARY.items()}


def _random_fact(rng: np.random.Generator, kind: ValueType) -> AttributeValue:
    if kind is NUMBER and rng.random() < 0.5:
        return (float(rng.integers(-20, 100)), round(float(rng.normal(0, 1000)), 2), float(rng.normal()))[
            rng.integers(3)
        ]
    return _FACTS[kind][rng.integers(len(_FACTS[kind]))]


class RandomRules:
    """Draws rules of a type, nested up to `levels` deep."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def draw(self, kind: ValueType, levels: int) -> str:
        """Return the text of a rule."""
        if levels == 0 or self._rng.random() < 0.1:
            return self._leaf(kind)
        forms = _FORMS[kind]
        return forms[self._rng.integers(len(forms))](self, kind, levels - 1)

    def one_of(self, *choices: str) -> str:
        """Return one of the choices."""
        return choices[self._rng.integers(len(choices))]

    def any_kind(self) -> ValueType:
        """Return one of the types."""
        return (NUMBER, TEXT, BOOLEAN)[self._rng.integers(3)]

    def several(self, kind: ValueType, levels: int, least: int = 1) -> str:
        """Return parts with commas between them."""
        return ", ".join(self.draw(kind, levels) for _ in range(self._rng.integers(least, 4)))

    def _leaf(self, kind: ValueType) -> str:
        if self._rng.random() < 0.65:
            return '"' + self.one_of(*NAMES[kind]).replace('"', '""') + '"'
        return self.one_of(*_LITERALS[kind])


Form = Callable[[RandomRules, ValueType, int], str]


def _infix(*signs: str, of: ValueType | None = None) -> Form:
    return lambda rules, kind, levels: (
        f"({rules.draw(of or kind, levels)} {rules.one_of(*signs)} {rules.draw(of or kind, levels)})"
    )


def _call(function: str, of: ValueType | None = None) -> Form:
    return lambda rules, kind, levels: f"{function}({rules.draw(of or kind, levels)})"


def _many(function: str) -> Form:
    return lambda rules, kind, levels: f"{function}({rules.several(kind, levels)})"


def _round(rules: RandomRules, kind: ValueType, levels: int) -> str:
    return f"ROUND({rules.draw(kind, levels)}{rules.one_of('', ', 0', ', 1', ', 2', ', 10')})"


def _coalesce(rules: RandomRules, kind: ValueType, levels: int) -> str:
    return f"COALESCE({rules.one_of('', 'NULL, ')}{rules.several(kind, levels)})"


def _searched_case(rules: RandomRules, kind: ValueType, levels: int) -> str:
    results = [rules.draw(kind, levels), rules.one_of("NULL", rules.draw(kind, levels))]
    conditions = [rules.draw(BOOLEAN, levels) for _ in results]
    whens = " ".join(f"WHEN {condition} THEN {result}" for condition, result in zip(conditions, results, strict=True))
    return f"CASE {whens}{rules.one_of('', ' ELSE NULL', ' ELSE ' + rules.draw(kind, levels))} END"


def _simple_case(rules: RandomRules, kind: ValueType, levels: int) -> str:
    of = rules.any_kind()
    whens = " ".join(f"WHEN {rules.draw(of, levels)} THEN {rules.draw(kind, levels)}" for _ in range(2))
    return f"CASE {rules.draw(of, levels)} {whens}{rules.one_of('', ' ELSE ' + rules.draw(kind, levels))} END"


def _between(rules: RandomRules, _: ValueType, levels: int) -> str:
    of = (NUMBER, TEXT)[rules.any_kind() is TEXT]
    parts = [rules.draw(of, levels) for _ in range(3)]
    return f"({parts[0]} {rules.one_of('', 'NOT ')}BETWEEN {parts[1]} AND {parts[2]})"


def _in(rules: RandomRules, _: ValueType, levels: int) -> str:
    of = rules.any_kind()
    return f"({rules.draw(of, levels)} {rules.one_of('', 'NOT ')}IN ({rules.several(of, levels)}))"


def _is(rules: RandomRules, _: ValueType, levels: int) -> str:
    word = rules.one_of("NULL", "TRUE", "FALSE")
    of = rules.any_kind() if word == "NULL" else BOOLEAN
    return f"({rules.draw(of, levels)} IS {rules.one_of('', 'NOT ')}{word})"


_VALUES: tuple[Form, ...] = (_coalesce, _searched_case, _simple_case)
_FORMS: dict[ValueType, tuple[Form, ...]] = {
    NUMBER: (
        *(_infix(sign) for sign in "+-*/%"), _call("-"), _call("ABS"), _round, _many("LEAST"), _many("GREATEST"),
        _call("LENGTH", TEXT), *_VALUES,
    ),
    TEXT: (_call("LOWER"), _call("UPPER"), *_VALUES),
    BOOLEAN: (
        _infix("AND"), _infix("OR"), _infix("AND", "OR"), _call("NOT "), _infix(*_COMPARISONS, of=NUMBER),
        _infix(*_COMPARISONS, of=TEXT), _infix("=", "<>"), _between, _in, _in, _is, *_VALUES,
    ),
}  # fmt: skip
