"""A syntax tree, checked against the allow-list and the vocabulary, becomes one typed closure."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from recsys.domain.errors import RuleError
from recsys.rules import operators as ops
from recsys.rules.syntax import LANGUAGE, MAX_DEPTH, fault, start_of
from recsys.rules.vocabulary import ValueType, Vocabulary

NUMBER, TEXT, BOOLEAN = ValueType.NUMBER, ValueType.TEXT, ValueType.BOOLEAN
MAX_ROUND_DIGITS = 10
COMPILED = "compiled"
"""Under this key, the meta of every node that was compiled holds what became of it."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A checked part: its type (None: always NULL), the closure, the names it reads, whether it is constant."""

    type: ValueType | None
    run: ops.Closure
    names: frozenset[str] = frozenset()
    is_constant: bool = False


def compile_tree(tree: exp.Expr, text: str, vocabulary: Vocabulary) -> Compiled:
    """Return the typed closure of a whole rule; raises `RuleError` at the first thing that is not allowed."""
    return _Compiler(text, vocabulary).compile(tree)


class _Compiler:
    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text, self.vocabulary, self.depth = text, vocabulary, 0

    def compile(self, node: exp.Expr) -> Compiled:
        while type(node) is exp.Paren:
            node = node.this
        handler, arguments = ALLOWED.get(type(node), (None, frozenset()))
        if handler is None or any(value and key not in arguments for key, value in node.args.items()):
            raise self.fault(node, LANGUAGE)
        if self.depth == MAX_DEPTH:
            raise self.fault(node, f"nested too deeply; {MAX_DEPTH} levels are the most")
        self.depth += 1
        compiled = handler(self, node)
        self.depth -= 1
        node.meta[COMPILED] = compiled
        return compiled

    def fault(self, node: exp.Expr, reason: str) -> RuleError:
        return fault(self.text, start_of(node), reason)

    def typed(self, node: exp.Expr, wanted: ValueType) -> Compiled:
        compiled = self.compile(node)
        if compiled.type is not wanted:
            raise self.fault(node, f"a {wanted} is needed here, but this is {_named(compiled.type)}")
        return compiled

    def known(self, node: exp.Expr) -> Compiled:
        """Compile a part that is compared, where a bare NULL is always a mistake."""
        compiled = self.compile(node)
        if compiled.type is None:
            raise self.fault(node, "nothing equals NULL; write IS NULL or IS NOT NULL")
        return compiled

    def same_type(self, nodes: Sequence[exp.Expr]) -> list[Compiled]:
        """Compile parts that are compared with the first."""
        first, *others = [self.known(node) for node in nodes]
        for node, other in zip(nodes[1:], others, strict=True):
            if other.type is not first.type:
                raise self.fault(node, f"{_named(first.type)} cannot be compared with {_named(other.type)}")
        return [first, *others]

    def one_type(self, nodes: Sequence[exp.Expr]) -> tuple[ValueType | None, list[Compiled]]:
        """Compile parts of which one becomes the result, and return their common type."""
        parts = [self.compile(node) for node in nodes]
        common = next((part.type for part in parts if part.type is not None), None)
        for node, part in zip(nodes, parts, strict=True):
            if part.type not in (common, None):
                raise self.fault(node, f"a {common} is needed as in the other results, but this is {_named(part.type)}")
        return common, parts


def _named(kind: ValueType | None) -> str:
    return f"a {kind}" if kind else "NULL"


def _build(kind: ValueType | None, run: ops.Closure, parts: Sequence[Compiled]) -> Compiled:
    """Return the compiled node, evaluated now where all its parts are constant."""
    if all(part.is_constant for part in parts):
        return Compiled(kind, ops.constant(run({})), is_constant=True)
    return Compiled(kind, run, frozenset().union(*(part.names for part in parts)))


def _runs(parts: Sequence[Compiled]) -> list[ops.Closure]:
    return [part.run for part in parts]


def _name(compiler: _Compiler, node: exp.Expr) -> Compiled:
    name = node.name
    if not node.this.args.get("quoted"):  # the tokens of names all become quoted ones, so this is none
        raise compiler.fault(node, "not expected here; a name that is also a keyword goes in double quotes")
    kind = compiler.vocabulary[name]
    return Compiled(kind, ops.READERS[kind](name), frozenset((name,)))


def _literal(compiler: _Compiler, node: exp.Expr) -> Compiled:
    if node.args["is_string"]:
        return Compiled(TEXT, ops.constant(node.name), is_constant=True)
    try:
        value = float(node.name)
    except ValueError:
        raise compiler.fault(node, "not a number") from None
    if not math.isfinite(value):
        raise compiler.fault(node, "a number too large")
    return Compiled(NUMBER, ops.constant(value), is_constant=True)


def _boolean(compiler: _Compiler, node: exp.Expr) -> Compiled:
    return Compiled(BOOLEAN, ops.constant(bool(node.this)), is_constant=True)


def _null(compiler: _Compiler, node: exp.Expr) -> Compiled:
    return Compiled(None, ops.constant(None), is_constant=True)


def _connective(combine: Callable[[Sequence[ops.Closure]], ops.Closure]) -> "Handler":
    def handle(compiler: _Compiler, node: exp.Expr) -> Compiled:
        operands: list[exp.Expr] = []
        current = node
        while type(current) is type(node):  # a long chain leans left: walk it, so that length is not depth
            operands.append(current.expression)
            current = current.this
        parts = [compiler.typed(operand, BOOLEAN) for operand in (current, *reversed(operands))]
        return _build(BOOLEAN, combine(_runs(parts)), parts)

    return handle


def _comparison(function: Callable[[Any, Any], bool], ordered: bool) -> "Handler":
    def handle(compiler: _Compiler, node: exp.Expr) -> Compiled:
        left, right = compiler.same_type([node.this, node.expression])
        if ordered and left.type is BOOLEAN:
            raise compiler.fault(node, "a boolean has no order; compare it with = or <>")
        value = right.run({}) if right.is_constant else None
        if value is not None:
            return _build(BOOLEAN, ops.compared_with(function, left.run, value), [left, right])
        return _build(BOOLEAN, ops.lifted(function, [left.run, right.run]), [left, right])

    return handle


def _between(compiler: _Compiler, node: exp.Expr) -> Compiled:
    parts = compiler.same_type([node.this, node.args["low"], node.args["high"]])
    if parts[0].type is BOOLEAN:
        raise compiler.fault(node, "a boolean has no order; compare it with = or <>")
    value, low, high = _runs(parts)
    above, below = ops.lifted(operator.ge, [value, low]), ops.lifted(operator.le, [value, high])
    return _build(BOOLEAN, ops.conjunction([above, below]), parts)


def _in(compiler: _Compiler, node: exp.Expr) -> Compiled:
    choices = node.expressions
    if not choices:
        raise compiler.fault(node, "IN needs a list of values in brackets")
    value, *others = parts = compiler.same_type([node.this, *choices])
    constants = frozenset(choice.run({}) for choice in others if choice.is_constant)
    if len(others) == sum(choice.is_constant for choice in others) and None not in constants:
        return _build(BOOLEAN, ops.constant_member(value.run, constants), parts)
    return _build(BOOLEAN, ops.member(value.run, _runs(others)), parts)


def _is(compiler: _Compiler, node: exp.Expr) -> Compiled:
    against = node.expression
    if type(against) is exp.Null:
        part = compiler.compile(node.this)
        run = ops.is_null(part.run)
    elif type(against) is exp.Boolean:
        part = compiler.typed(node.this, BOOLEAN)
        run = ops.is_truth(part.run, bool(against.this))
    else:
        raise compiler.fault(against, "IS takes NULL, TRUE or FALSE; compare values with =")
    return _build(BOOLEAN, ops.lifted(operator.not_, [run]) if node.args.get("negate") else run, [part])


def _applied(function: Callable[..., Any], takes: ValueType, gives: ValueType) -> "Handler":
    """Handle an operator or function whose arguments all have one type."""

    def handle(compiler: _Compiler, node: exp.Expr) -> Compiled:
        operands = [node.this, *([node.expression] if node.args.get("expression") else node.expressions)]
        parts = [compiler.typed(operand, takes) for operand in operands]
        return _build(gives, ops.lifted(function, _runs(parts)), parts)

    return handle


def _round(compiler: _Compiler, node: exp.Expr) -> Compiled:
    parts = [compiler.typed(node.this, NUMBER)]
    decimals = node.args.get("decimals")
    if decimals is not None:
        digits = compiler.typed(decimals, NUMBER)
        if not digits.is_constant or digits.run({}) not in range(MAX_ROUND_DIGITS + 1):
            raise compiler.fault(decimals, f"ROUND takes a whole number of digits from 0 to {MAX_ROUND_DIGITS}")
        parts.append(digits)
    return _build(NUMBER, ops.lifted(ops.rounded, _runs(parts)), parts)


def _coalesce(compiler: _Compiler, node: exp.Expr) -> Compiled:
    kind, parts = compiler.one_type([node.this, *node.expressions])
    return _build(kind, ops.first_known(_runs(parts)), parts)


def _case(compiler: _Compiler, node: exp.Expr) -> Compiled:
    branches, subject = node.args["ifs"], node.this
    if subject is None:
        conditions = [compiler.typed(branch.this, BOOLEAN) for branch in branches]
    else:
        value, *matches = compiler.same_type([subject, *(branch.this for branch in branches)])
        conditions = [
            _build(BOOLEAN, ops.lifted(operator.eq, [value.run, match.run]), [value, match]) for match in matches
        ]
    results = [branch.args["true"] for branch in branches]
    default = node.args.get("default")
    kind, parts = compiler.one_type([*results, default] if default is not None else results)
    otherwise = parts[len(branches)].run if default is not None else ops.constant(None)
    pairs = list(zip(_runs(conditions), _runs(parts), strict=False))
    return _build(kind, ops.case(pairs, otherwise), [*conditions, *parts])


Handler = Callable[[_Compiler, exp.Expr], Compiled]


def _arithmetic(function: Callable[..., float]) -> Handler:
    return _applied(ops.finite(function), NUMBER, NUMBER)


_PAIR = frozenset(("this", "expression"))
_ONE = frozenset(("this",))
_MANY = frozenset(("this", "expressions"))

# Each node type the language has, and the arguments it may carry: sqlglot keeps modifiers
# (`BETWEEN SYMMETRIC`, `IN (SELECT …)`, `a.b`) as further arguments of the same node types.
ALLOWED: Mapping[type[exp.Expr], tuple[Handler, frozenset[str]]] = {
    exp.Column: (_name, _ONE),
    exp.Literal: (_literal, frozenset(("this", "is_string"))),
    exp.Boolean: (_boolean, _ONE),
    exp.Null: (_null, frozenset()),
    exp.And: (_connective(ops.conjunction), _PAIR),
    exp.Or: (_connective(ops.disjunction), _PAIR),
    exp.Not: (_applied(operator.not_, BOOLEAN, BOOLEAN), _ONE),
    exp.EQ: (_comparison(operator.eq, ordered=False), _PAIR),
    exp.NEQ: (_comparison(operator.ne, ordered=False), _PAIR),
    exp.LT: (_comparison(operator.lt, ordered=True), _PAIR),
    exp.LTE: (_comparison(operator.le, ordered=True), _PAIR),
    exp.GT: (_comparison(operator.gt, ordered=True), _PAIR),
    exp.GTE: (_comparison(operator.ge, ordered=True), _PAIR),
    exp.Between: (_between, frozenset(("this", "low", "high"))),
    exp.In: (_in, _MANY),
    exp.Is: (_is, _PAIR | {"negate"}),
    exp.Neg: (_arithmetic(operator.neg), _ONE),
    exp.Add: (_arithmetic(operator.add), _PAIR),
    exp.Sub: (_arithmetic(operator.sub), _PAIR),
    exp.Mul: (_arithmetic(operator.mul), _PAIR),
    exp.Div: (_arithmetic(operator.truediv), _PAIR),
    exp.Mod: (_arithmetic(math.fmod), _PAIR),
    exp.Abs: (_applied(abs, NUMBER, NUMBER), _ONE),
    exp.Round: (_round, frozenset(("this", "decimals"))),
    exp.Least: (_applied(lambda *values: min(values), NUMBER, NUMBER), _MANY | {"ignore_nulls"}),
    exp.Greatest: (_applied(lambda *values: max(values), NUMBER, NUMBER), _MANY | {"ignore_nulls"}),
    exp.Coalesce: (_coalesce, _MANY),
    exp.Lower: (_applied(ops.lowered, TEXT, TEXT), _ONE),
    exp.Upper: (_applied(ops.raised, TEXT, TEXT), _ONE),
    exp.Length: (_applied(lambda text: float(len(text)), TEXT, NUMBER), _ONE),
    exp.Case: (_case, frozenset(("this", "ifs", "default"))),
}
