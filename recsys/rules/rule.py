"""A rule: text that was parsed, checked and compiled once, and is evaluated in every decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recsys.domain.customer import AttributeValue
from recsys.domain.errors import RuleError
from recsys.rules.operators import READERS, Closure
from recsys.rules.vocabulary import ValueType, Vocabulary

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Rule:
    """One checked expression.

    `evaluate(facts)` gives its value by SQL's three-valued logic, None for NULL; a fact that is
    missing, NaN, infinite or not of its declared type is NULL. `type` is None for a rule that is always
    NULL. `tree` is the parsed expression with the type of each part, which `recsys.rules.sql` writes
    for databases; `types` has those of the names.
    """

    text: str
    type: ValueType | None
    names: frozenset[str]
    types: Mapping[str, ValueType] = field(compare=False, repr=False)
    evaluate: Closure = field(compare=False, repr=False)
    tree: "exp.Expr" = field(compare=False, repr=False)
    readers: Mapping[str, Closure] = field(compare=False, repr=False)

    def unknown(self, facts: Mapping[str, AttributeValue]) -> tuple[str, ...]:
        """Return the names this rule reads that these facts leave unknown, in alphabetical order."""
        return tuple(name for name, read in self.readers.items() if read(facts) is None)


def parse_rule(text: str, vocabulary: Vocabulary, expected: ValueType | None = None) -> Rule:
    """Return the checked rule written in `text`.

    `expected` is the type it must give (an eligibility rule: BOOLEAN), or None for any. Raises
    `RuleError` with line and column where the text is not in the language, names what `vocabulary`
    does not hold, or mixes types.
    """
    from recsys.rules.compiler import compile_tree
    from recsys.rules.syntax import parse_tree

    tree = parse_tree(text, vocabulary)
    compiled = compile_tree(tree, text, vocabulary)
    if expected is not None and compiled.type not in (expected, None):
        raise RuleError(f"this gives a {compiled.type}, but a {expected} is needed here")
    if expected is ValueType.BOOLEAN and compiled.type is None:
        raise RuleError("this is never true; write a condition")
    names = compiled.names
    types = {name: vocabulary[name] for name in sorted(names)}
    readers = {name: READERS[kind](name) for name, kind in types.items()}
    return Rule(text, compiled.type, names, types, compiled.run, tree, readers)
