"""What SQLite lacks of the rule language, given to one connection."""

import math
import sqlite3

from recsys.rules import operators as ops


def register(connection: sqlite3.Connection) -> None:
    """Give the connection `rule_mod` and `rule_round`, which `to_sql` writes for SQLite."""
    connection.create_function("rule_mod", 2, _mod, deterministic=True)
    connection.create_function("rule_round", 2, _round, deterministic=True)


def _mod(value: float | None, divisor: float | None) -> float | None:
    return None if value is None or not divisor else math.fmod(value, divisor)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else ops.rounded(value, digits)
