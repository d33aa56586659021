"""The same rule as an expression of a database's SQL, written from the tree that the closure was compiled from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from sqlglot import exp

from recsys.domain.customer import AttributeValue
from recsys.rules.compiler import COMPILED, Compiled
from recsys.rules.rule import Rule
from recsys.rules.sql_dialects import DIALECTS, Dialect
from recsys.rules.vocabulary import ValueType

_MAX_CHAIN = 64


def to_sql(rule: Rule, columns: Mapping[str, str], dialect: Literal["sqlite", "postgres", "duckdb"]) -> str:
    """Return an SQL expression whose value in every row is what `rule.evaluate` gives for that row's facts.

    `columns` gives the SQL expression of each name the rule reads, trusted as it is and of the name's type:
    any kind of number (NaN and infinity are NULL), text, or boolean (SQLite: 0 and 1, which is also what a
    condition gives there). Raises KeyError for a name that is missing. Every text and number of the rule is
    written as a literal of that database, so nothing of a rule can be anything but a value. Numbers are
    double precision throughout; text is compared by code point; LOWER and UPPER are of the letters A to Z.

    What each database needs, and where it cannot follow the closure to the last bit:

    - SQLite computes neither a remainder nor a decimal rounding of REALs; its connections need
      `recsys.rules.sqlite_functions.register`. Its text ends at U+0000 for LENGTH.
    - PostgreSQL raises an error where a result overflows or underflows; such results are NULL and 0 here, as
      in the closure, but so are those within 3e-15 (relative) of the largest float and below 2.5e-324. The
      database must be in UTF-8. A numeric column outside the range of double precision is an error.
    - DuckDB needs version 1.3 or later (`lambda` functions).
    """
    return _Writer(columns, DIALECTS[dialect]()).whole(rule.tree)


class _Writer:
    def __init__(self, columns: Mapping[str, str], dialect: Dialect) -> None:
        self.columns, self.dialect = columns, dialect

    def whole(self, tree: exp.Expr) -> str:
        return self.dialect.complete(self.write(tree))

    def write(self, node: exp.Expr, wanted: ValueType | None = None) -> str:
        """Return the SQL of a part; one that is always NULL becomes a NULL of the `wanted` type."""
        node, compiled = _without_brackets(node), self.compiled(node)
        if compiled.type is None:
            return self.dialect.null(wanted)
        if compiled.is_constant:
            return self.constant(compiled.run({}), compiled.type)
        return self.dialect.bounded(WRITERS[type(node)](self, node))

    def constant(self, value: AttributeValue, kind: ValueType) -> str:
        if value is None:
            return self.dialect.null(kind)
        if isinstance(value, str):
            return self.dialect.text(value)
        return str(value).upper() if isinstance(value, bool) else self.dialect.number(value)

    def compiled(self, node: exp.Expr) -> Compiled:
        found: Compiled = _without_brackets(node).meta[COMPILED]
        return found

    def each(self, nodes: Sequence[exp.Expr], wanted: ValueType | None = None) -> list[str]:
        return [self.write(node, wanted) for node in nodes]


def _without_brackets(node: exp.Expr) -> exp.Expr:
    while type(node) is exp.Paren:
        node = node.this
    return node


def _name(writer: _Writer, node: exp.Expr) -> str:
    return writer.dialect.column(writer.columns[node.name], node.meta[COMPILED].type)


def _connective(word: str) -> "Write":
    def write(writer: _Writer, node: exp.Expr) -> str:
        operands: list[exp.Expr] = []
        current = node
        while type(current) is type(node):
            operands.append(current.expression)
            current = current.this
        return _chained(word, writer.each([current, *reversed(operands)]))

    return write


def _chained(word: str, parts: Sequence[str]) -> str:
    """Join parts in groups, so that a long chain is not deep: databases bound the depth of an expression."""
    while len(parts) > 1:
        groups = [parts[start : start + _MAX_CHAIN] for start in range(0, len(parts), _MAX_CHAIN)]
        parts = [f"({f' {word} '.join(group)})" for group in groups]
    return parts[0]


def _infix(sign: str) -> "Write":
    return lambda writer, node: f"({writer.write(node.this)} {sign} {writer.write(node.expression)})"


def _prefix(sign: str) -> "Write":
    return lambda writer, node: f"({sign} {writer.write(node.this)})"


def _between(writer: _Writer, node: exp.Expr) -> str:
    value, low, high = writer.each([node.this, node.args["low"], node.args["high"]])
    return f"({value} BETWEEN {low} AND {high})"


def _in(writer: _Writer, node: exp.Expr) -> str:
    return f"({writer.write(node.this)} IN ({', '.join(writer.each(node.expressions))}))"


def _is(writer: _Writer, node: exp.Expr) -> str:
    against = node.expression
    word = "NULL" if type(against) is exp.Null else "TRUE" if against.this else "FALSE"
    return f"({writer.write(node.this)} IS {'NOT ' if node.args.get('negate') else ''}{word})"


def _arithmetic(sign: str) -> "Write":
    def write(writer: _Writer, node: exp.Expr) -> str:
        return writer.dialect.arithmetic(sign, writer.write(node.this), writer.write(node.expression))

    return write


def _round(writer: _Writer, node: exp.Expr) -> str:
    decimals = node.args.get("decimals")
    digits = 0 if decimals is None else int(writer.compiled(decimals).run({}))
    return writer.dialect.rounded(writer.write(node.this), digits)


def _extreme(function: str) -> "Write":
    def write(writer: _Writer, node: exp.Expr) -> str:
        parts = writer.each([node.this, *node.expressions])
        return parts[0] if len(parts) == 1 else writer.dialect.extreme(function, parts)

    return write


def _coalesce(writer: _Writer, node: exp.Expr) -> str:
    parts = writer.each([node.this, *node.expressions], node.meta[COMPILED].type)
    return parts[0] if len(parts) == 1 else writer.dialect.coalesce(parts)


def _case(writer: _Writer, node: exp.Expr) -> str:
    kind = node.meta[COMPILED].type
    subject = None if node.this is None else writer.write(node.this)
    branches = [(writer.write(branch.this), writer.write(branch.args["true"], kind)) for branch in node.args["ifs"]]
    default = node.args.get("default")
    otherwise = writer.dialect.null(kind) if default is None else writer.write(default, kind)
    return writer.dialect.case(subject, branches, otherwise)


def _of(spelling: Callable[[Dialect, str], str]) -> "Write":
    return lambda writer, node: spelling(writer.dialect, writer.write(node.this))


Write = Callable[[_Writer, exp.Expr], str]

WRITERS: Mapping[type[exp.Expr], Write] = {
    exp.Column: _name,
    exp.And: _connective("AND"),
    exp.Or: _connective("OR"),
    exp.Not: _prefix("NOT"),
    exp.EQ: _infix("="),
    exp.NEQ: _infix("<>"),
    exp.LT: _infix("<"),
    exp.LTE: _infix("<="),
    exp.GT: _infix(">"),
    exp.GTE: _infix(">="),
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Neg: _prefix("-"),
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"),
    exp.Mod: _arithmetic("%"),
    exp.Abs: _of(lambda _, value: f"ABS({value})"),
    exp.Round: _round,
    exp.Least: _extreme("LEAST"),
    exp.Greatest: _extreme("GREATEST"),
    exp.Coalesce: _coalesce,
    exp.Lower: _of(lambda dialect, text: dialect.lowered(text)),
    exp.Upper: _of(lambda dialect, text: dialect.raised(text)),
    exp.Length: _of(lambda dialect, text: dialect.length(text)),
    exp.Case: _case,
}
"""Every node type that `recsys.rules.compiler.ALLOWED` has and that can be other than constant."""
