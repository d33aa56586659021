"""Measures what a rule costs in a decision, beside plain Python that computes the same without knowing of NULL."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recsys.domain.customer import AttributeValue
from recsys.rules import BUILT_IN, ValueType, parse_rule

Facts = Mapping[str, Any]

_VOCABULARY = {
    **BUILT_IN,
    **dict.fromkeys(("age", "monthly_income", "balance", "days_since_complaint"), ValueType.NUMBER),
}
_FACTS: Mapping[str, AttributeValue] = {
    "kind": "customer",
    "segment": "private",
    "channel": "phone",
    "risk_level": 3,
    "held_count": 2.0,
    "vulnerable": False,
    "arrears": False,
    "age": 41,
    "monthly_income": 12_500.6,
    "balance": 80_000.0,
    "days_since_complaint": 90,
}


@dataclass(frozen=True, slots=True)
class _Case:
    text: str
    plain: Callable[[Facts], object]


_CASES = (
    _Case(
        "age >= 25 AND segment IN ('affluent', 'private') AND days_since_complaint > 30",
        lambda f: f["age"] >= 25 and f["segment"] in ("affluent", "private") and f["days_since_complaint"] > 30,
    ),
    _Case("age BETWEEN 18 AND 65", lambda f: 18 <= f["age"] <= 65),
    _Case(
        "NOT vulnerable AND NOT arrears AND risk_level >= 2 AND (held_count < 3 OR segment = 'private')",
        lambda f: (
            not f["vulnerable"]
            and not f["arrears"]
            and f["risk_level"] >= 2
            and (f["held_count"] < 3 or f["segment"] == "private")
        ),
    ),
    _Case(
        "monthly_income * 0.25 + balance / 10 > 5000", lambda f: f["monthly_income"] * 0.25 + f["balance"] / 10 > 5000
    ),
    _Case("LEAST(50000, ROUND(monthly_income * 0.25, 2))", lambda f: min(50_000, round(f["monthly_income"] * 0.25, 2))),
    _Case(
        "CASE WHEN segment = 'private' THEN 2.5 WHEN age < 30 THEN 3.5 ELSE 3 END",
        lambda f: 2.5 if f["segment"] == "private" else 3.5 if f["age"] < 30 else 3.0,
    ),
)


def measure(evaluations: int, rounds: int) -> dict[str, Any]:
    """Return nanoseconds an evaluation of each rule and of the Python beside it, the best of `rounds` in turns."""
    results = []
    for case in _CASES:
        rule = parse_rule(case.text, _VOCABULARY)
        if rule.evaluate(_FACTS) != case.plain(_FACTS):
            raise AssertionError(f"the Python beside it computes something else: {case.text}")
        of_rule, of_plain = [], []
        for _ in range(rounds):
            of_rule.append(_nanoseconds(rule.evaluate, evaluations))
            of_plain.append(_nanoseconds(case.plain, evaluations))
        times = {"rule_ns": round(min(of_rule), 1), "python_ns": round(min(of_plain), 1)}
        results.append({"rule": case.text, **times, "times_python": round(min(of_rule) / min(of_plain), 2)})
    return {"evaluations": evaluations, "rounds": rounds, "rules": results}


def _nanoseconds(evaluate: Callable[[Facts], object], evaluations: int) -> float:
    facts = _FACTS
    began = time.perf_counter_ns()
    for _ in range(evaluations):
        evaluate(facts)
    return (time.perf_counter_ns() - began) / evaluations
