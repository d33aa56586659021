"""Rule text to a syntax tree whose nodes know where they start, within bounds of size and depth."""

import difflib
import re
import unicodedata
from collections.abc import Iterator
from itertools import zip_longest

from sqlglot import ErrorLevel, Token, Tokenizer, TokenType, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser

from recsys.domain.errors import RuleError
from recsys.rules.vocabulary import Vocabulary

MAX_BYTES = 4096
MAX_DEPTH = 32

FUNCTIONS = frozenset(("ABS", "ROUND", "LEAST", "GREATEST", "COALESCE", "LOWER", "UPPER", "LENGTH"))
LANGUAGE = (
    "not in the rule language, which has names, numbers, 'text', TRUE, FALSE, NULL, AND, OR, NOT, = <> < <= > >=, "
    "IN (…), BETWEEN, IS [NOT] NULL|TRUE|FALSE, + - * / %, CASE, and the functions " + " ".join(sorted(FUNCTIONS))
)

_T = TokenType
_SYMBOLS = frozenset(
    (
        *(_T.AND, _T.OR, _T.NOT, _T.EQ, _T.NEQ, _T.LT, _T.LTE, _T.GT, _T.GTE, _T.IN, _T.BETWEEN, _T.IS),
        *(_T.NULL, _T.TRUE, _T.FALSE, _T.STRING, _T.NUMBER, _T.PLUS, _T.DASH, _T.STAR, _T.SLASH, _T.MOD),
        *(_T.CASE, _T.WHEN, _T.THEN, _T.ELSE, _T.END, _T.L_PAREN, _T.R_PAREN, _T.COMMA),
    )
)
_OF_SQL = frozenset((_T.LIKE, _T.ILIKE, _T.RLIKE, _T.GLOB, _T.ESCAPE, _T.ISNULL, _T.NOTNULL, _T.XOR, _T.DIV))
_NO_NAMES = _SYMBOLS | _OF_SQL | Tokenizer.COMMANDS  # of a command the tokenizer takes all that follows for one text
RESERVED = frozenset(word for word, kind in Tokenizer.KEYWORDS.items() if word.isalpha() and kind in _NO_NAMES)
"""Words in capitals that a rule reads as an operator, a value or a command, or that look like one: none is a name."""
_OPENING, _CLOSING = (_T.L_PAREN, _T.CASE), (_T.R_PAREN, _T.END)
_PREFIX = (_T.NOT, _T.DASH, _T.PLUS)


def parse_tree(text: str, vocabulary: Vocabulary) -> exp.Expr:
    """Return the syntax tree of one expression over known names; raises `RuleError` for anything else."""
    check_characters(text)
    tokens = list(known_tokens(tokenize(text), text, vocabulary))
    if not tokens:
        raise RuleError("the rule is empty; write a condition, or leave the field out")
    check_depth(tokens, text)
    parser = _PlacingParser(error_level=ErrorLevel.IMMEDIATE)
    try:
        trees = parser.parse_into(exp.Condition, tokens, text)
    except ParseError:
        raise _syntax_error(parser, text) from None
    except RecursionError:
        raise RuleError(f"nested too deeply; {MAX_DEPTH} levels are the most") from None
    if len(trees) != 1 or trees[0] is None:
        raise fault(text, tokens[0].start, LANGUAGE)
    return trees[0]


def fault(text: str, offset: int, reason: str) -> RuleError:
    """Return the error that points at a character offset of the text, as line and column from 1."""
    lines = re.split(r"\r\n|\r|\n", text[:offset])
    return RuleError(reason, len(lines), len(lines[-1]) + 1)


def start_of(node: exp.Expr) -> int:
    """Return the character offset at which the text of a node starts."""
    current: object = node
    while isinstance(current, exp.Expr):
        if "start" in current.meta:
            return int(current.meta["start"])
        current = current.this
    return 0


def check_characters(text: str) -> None:
    """Refuse text that is too long or holds invisible characters, which could make it read otherwise."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise RuleError(f"longer than {MAX_BYTES} bytes; split it, or make it a customer attribute")
    for offset, character in enumerate(text):
        if unicodedata.category(character).startswith("C") and character not in "\t\r\n":
            raise fault(text, offset, "an invisible character; delete it")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of the text, comments left out."""
    tokenizer = Tokenizer()
    try:
        return tokenizer.tokenize(text)
    except TokenError:
        end = tokenizer.tokens[-1].end + 1 if tokenizer.tokens else 0
        offset = end + len(text[end:]) - len(text[end:].lstrip())
        raise fault(text, offset, "a quote or comment that never ends") from None


def known_tokens(tokens: list[Token], text: str, vocabulary: Vocabulary) -> Iterator[Token]:
    """Yield the tokens, each known name as an identifier, so that no name is taken for one of SQL's keywords.

    Raises `RuleError` at the first token the language does not have, before the parser sees any.
    """
    for token, following in zip_longest(tokens, tokens[1:]):
        kind, word = token.token_type, token.text
        if kind is _T.SEMICOLON:
            raise fault(text, token.start, "a rule is one expression; remove the semicolon")
        if kind in _SYMBOLS:
            yield token
        elif following and following.token_type is _T.L_PAREN and kind is not _T.IDENTIFIER:
            if word.upper() not in FUNCTIONS:
                raise fault(text, token.start, LANGUAGE)
            yield token
        elif word in vocabulary:
            yield Token(_T.IDENTIFIER, word, token.line, token.col, token.start, token.end, token.comments)
        elif kind is _T.IDENTIFIER or word[:1].isalpha() or word[:1] == "_":
            raise fault(text, token.start, unknown_name(word, vocabulary, is_quoted=kind is _T.IDENTIFIER))
        else:
            raise fault(text, token.start, LANGUAGE)


def unknown_name(name: str, vocabulary: Vocabulary, *, is_quoted: bool) -> str:
    """Return what is wrong with a name that is not known, without repeating it."""
    folded = {known.casefold(): known for known in vocabulary}
    near = difflib.get_close_matches(name[:64].casefold(), folded, n=1)
    hint = f"; the nearest is {folded[near[0]]}" if near else ""
    return f"a name that is not known{hint}" + ("; text is written in single quotes" if is_quoted else "")


def check_depth(tokens: list[Token], text: str) -> None:
    """Refuse nesting that the recursive parser should not be handed."""
    depth = prefixes = 0
    for token in tokens:
        kind = token.token_type
        prefixes = prefixes + 1 if kind in _PREFIX else 0
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth + prefixes > MAX_DEPTH:
            raise fault(text, token.start, f"nested too deeply; {MAX_DEPTH} levels are the most")


def _syntax_error(parser: "_PlacingParser", text: str) -> RuleError:
    token = parser.where
    if token is None:
        return fault(text, len(text.rstrip()), "the rule ends too early; something is missing here")
    return fault(text, token.start, "not expected here; check the operator, comma or bracket before it")


class _PlacingParser(Parser):
    """sqlglot's parser, but each operand remembers where it starts; sqlglot marks only some nodes."""

    @property
    def where(self) -> Token | None:
        """The token at which parsing stopped, None at the end of the text."""
        return self._curr or None

    def _parse_unary(self) -> exp.Expr | None:
        start = self._curr.start if self._curr else 0
        node = super()._parse_unary()
        if node is not None:
            node.meta["start"] = start
        return node
