"""Contact policy for many customers at once: `recsys.ranking.contact_policy` over columns of past answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.ranking.contact_policy import PITCHED, cool_off_days
from recsys.ranking.eligibility import NUMBER
from recsys.what_if.audience import ANSWERS, AnswerColumns

_MICROSECONDS_PER_DAY = 86_400_000_000
_IS_PITCHED = np.array([answer in PITCHED for answer in ANSWERS])
_ACCEPTED, _DECLINED, _LATER = (ANSWERS.index(one) for one in (Answer.ACCEPTED, Answer.DECLINED, Answer.LATER))
_MOST_DECLINES = 32
"""From here on, no cool-off is longer."""


@dataclass(frozen=True, slots=True)
class OfferPlaces:
    """Of each offer that answers name: its column in the catalogue (−1: gone) and whether it counts as a sale."""

    column: NDArray[np.intp]
    is_sale: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ContactLimits:
    """What earlier answers leave: (n, m) what they stop as a place in CODES, (n,) how many sales may follow."""

    codes: NDArray[np.int8]
    sales_left: NDArray[np.int64]


def contact_limits(
    answers: AnswerColumns, customers: int, places: OfferPlaces, table: OfferTable, policy: Policy, now: int
) -> ContactLimits:
    """Return what the answers of `customers` people rule out at the moment `now` (microseconds since 1970)."""
    answers = answers.where(answers.at <= now)
    sales = answers.where(_IS_PITCHED[answers.answers] & places.is_sale[answers.offers])
    codes = np.zeros((customers, len(table)), dtype=np.int8)
    of_family = _within(sales, policy.family_cap_days, now)
    known = places.column[of_family.offers] >= 0
    families = table.family[places.column[of_family.offers[known]]]
    rows, full = _at_least(of_family.rows[known], families, policy.family_cap)
    for family in np.unique(full).tolist():
        codes[np.ix_(rows[full == family], np.flatnonzero(table.is_sale & (table.family == family)))] = NUMBER[
            "family_cap"
        ]
    pitched = _within(sales, policy.offer_cap_days, now)
    rows, offers = _at_least(pitched.rows, pitched.offers, policy.offer_cap)
    _put(codes, rows, places.column[offers], np.full(len(rows), NUMBER["offer_cap"], np.int8))
    _put(codes, *_cooling(answers, places, policy, now))
    overall = np.bincount(_within(sales, policy.sales_cap_days, now).rows, minlength=customers)
    on_channel = _within(sales.where(sales.on_channel), policy.channel_cap_days, now)
    here = np.bincount(on_channel.rows, minlength=customers)
    left = np.minimum(policy.sales_cap - overall, policy.channel_cap - here)
    if 0 in (policy.offer_cap, policy.family_cap):
        left = np.zeros_like(left)
    return ContactLimits(codes, np.maximum(left, 0))


def _within(answers: AnswerColumns, days: int, now: int) -> AnswerColumns:
    return answers.where(now - answers.at < days * _MICROSECONDS_PER_DAY)


def _at_least(
    rows: NDArray[np.int32], things: NDArray[np.integer], least: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of row and thing that occur, and at least so often."""
    width = int(things.max(initial=0)) + 1
    pairs, counts = np.unique(rows * np.int64(width) + things, return_counts=True)
    found = pairs[counts >= least]
    return found // width, found % width


def _put(codes: NDArray[np.int8], rows: NDArray[np.integer], columns: NDArray[np.intp], what: NDArray[np.int8]) -> None:
    known = columns >= 0
    codes[rows[known], columns[known]] = what[known]


def _cooling(
    answers: AnswerColumns, places: OfferPlaces, policy: Policy, now: int
) -> tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.int8]]:
    """Return row, column and code of what still cools off.

    An acceptance wipes out what came before it; of what came since, the latest that still counts gives the code.
    """
    pairs = answers.rows * np.int64(len(places.column)) + answers.offers
    order = np.argsort(pairs, kind="stable")
    answers, pairs = answers.where(order), pairs[order]
    accepted, declined, later = (answers.answers == one for one in (_ACCEPTED, _DECLINED, _LATER))
    is_first = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
    begins = is_first | accepted
    stretch = np.cumsum(begins) - 1
    so_far = np.cumsum(declined)
    declines = so_far - (so_far - declined)[np.flatnonzero(begins)][stretch]
    days = np.array([cool_off_days(number, policy) for number in range(1, _MOST_DECLINES + 1)])
    rest = days[np.clip(declines, 1, _MOST_DECLINES) - 1] * _MICROSECONDS_PER_DAY
    age = now - answers.at
    codes = np.zeros(len(pairs), dtype=np.int8)
    codes[declined & (age < rest)] = NUMBER["cooling_off"]
    codes[later & (age < policy.later_cool_off_days * _MICROSECONDS_PER_DAY)] = NUMBER["asked_for_later"]
    is_done = accepted & (age < policy.service_done_days * _MICROSECONDS_PER_DAY) & ~places.is_sale[answers.offers]
    codes[is_done] = NUMBER["just_done"]
    ends = np.append(np.flatnonzero(is_first)[1:], len(pairs))[: int(is_first.sum())] - 1
    counts = np.flatnonzero((codes > 0) & (stretch == np.repeat(stretch[ends], np.diff(np.append(-1, ends)))))
    is_last = np.append(pairs[counts][1:] != pairs[counts][:-1], True)[: len(counts)]
    latest = counts[is_last]
    return answers.rows[latest], places.column[answers.offers[latest]], codes[latest]
