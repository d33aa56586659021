"""What makes rows a periodic extract of what is held, and not events: from one date to the next most of them repeat."""

from collections.abc import Sequence
from typing import NamedTuple

LEAST_DATES = 2
LEAST_PAIRS = 20
"""Pairs on all dates but the last: fewer repeat by chance."""
LEAST_REPEATED = 0.7
"""Of the pairs on one date, the share that stands on the next one again.

An insurer's log of purchases, a bank's true dates and the simulated bank's history have at most .002; monthly extracts
of a bank of whose holdings a tenth ends every month have .9, quarterly ones .73.
"""


class Date(NamedTuple):
    """How many pairs of customer and offer stand on a date, and how many of these stand on the next date again."""

    pairs: int
    again: int


def repeated_share(dates: Sequence[Date]) -> float:
    """Return the share of all pairs but those of the last date that stand on the next date again; 0 without any."""
    before = sum(date.pairs for date in dates[:-1])
    return sum(date.again for date in dates[:-1]) / before if before else 0.0


def is_extract(dates: Sequence[Date]) -> bool:
    """Return whether rows on these dates, in time order, say again and again what is held."""
    is_enough = len(dates) >= LEAST_DATES and sum(date.pairs for date in dates[:-1]) >= LEAST_PAIRS
    return is_enough and repeated_share(dates) >= LEAST_REPEATED
