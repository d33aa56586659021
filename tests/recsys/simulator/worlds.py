"""A small simulated bank that the tests share: built once, frozen."""

from datetime import UTC, datetime
from functools import cache

from recsys.rules import BUILT_IN, ValueType
from recsys.simulator.history import History, draw_history
from recsys.simulator.world import World

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

VOCABULARY = {
    **BUILT_IN,
    **dict.fromkeys(("age", "monthly_income_cny", "balance_cny", "tenure_months", "app_logins_30d"), ValueType.NUMBER),
    **dict.fromkeys(("city", "income_band"), ValueType.TEXT),
}


@cache
def a_world() -> World:
    """Two thousand people and a year."""
    return World.build(2000, 12, 7, NOW)


@cache
def its_history() -> History:
    """What happened in that year."""
    return draw_history(a_world())
