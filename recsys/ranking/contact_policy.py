"""Contact policy: cool-offs after an answer, and caps on sales conversations in rolling windows."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.ranking.codes import NUMBER, Codes, stop_pairs, stop_where
from recsys.ranking.people import ANSWERS, MICROSECONDS_PER_DAY, NO_PAIRS, Bools, Pairs, People, Places

Pairings = NDArray[np.int64]
"""Pairs of customer and thing, each as one number."""
_ACCEPTED, _DECLINED, _LATER, _NOT_PITCHED = (
    ANSWERS.index(one) for one in (Answer.ACCEPTED, Answer.DECLINED, Answer.LATER, Answer.NOT_PITCHED)
)
_RESTS_AS = np.zeros(len(ANSWERS), dtype=np.int8)
_RESTS_AS[[_ACCEPTED, _DECLINED, _LATER]] = NUMBER["just_done"], NUMBER["cooling_off"], NUMBER["asked_for_later"]
_MOST_DECLINES = 32
"""From here on, no cool-off is longer."""
_LONGEST = np.iinfo(np.int64).max


def stop_by_contact_policy(codes: Codes, people: People, table: OfferTable, policy: Policy) -> NDArray[np.int64]:
    """Write into `codes` (n, m) what past answers and other live contacts rule out; return (n,) the sales left.

    What counts is what was heard: accepted, declined or "later". A sale on the list of another live contact
    counts as made, so that two channels together keep every cap.
    """
    answers, elsewhere, customers = people.answers, people.elsewhere, len(people)
    left, left_here, heard = np.full(customers, policy.sales_cap), np.full(customers, policy.channel_cap), NO_PAIRS
    if len(answers.rows):
        pairs = answers.rows * np.int64(len(table) + 1) + answers.offers
        age, is_sale = people.occasion.microseconds - answers.at, table.is_sale_or_gone[answers.offers]
        resting, rests_as = _resting(answers.answers, pairs, age, is_sale, policy)
        _stop(codes, resting, rests_as)
        is_heard = is_sale & (answers.answers != _NOT_PITCHED)
        windows = {policy.offer_cap_days, policy.family_cap_days, policy.sales_cap_days, policy.channel_cap_days}
        lately = {days: is_heard & (age < days * MICROSECONDS_PER_DAY) for days in windows}
        _stop(codes, _at_least(policy.offer_cap, pairs[lately[policy.offer_cap_days]]), NUMBER["offer_cap"])
        left -= _count(answers.rows, lately[policy.sales_cap_days], customers)
        left_here -= _count(answers.rows, lately[policy.channel_cap_days] & answers.on_channel, customers)
        heard = _only(Pairs(answers.rows, answers.offers), lately[policy.family_cap_days])
    if len(elsewhere.rows):
        is_sale = table.is_sale_or_gone[elsewhere.offers]
        elsewhere, on_channel = _only(elsewhere, is_sale), people.elsewhere_here[is_sale]
        heard = Pairs(np.append(heard.rows, elsewhere.rows), np.append(heard.offers, elsewhere.offers))
        left -= np.bincount(elsewhere.rows, minlength=customers)
        left_here -= np.bincount(elsewhere.rows[on_channel], minlength=customers)
    left = np.minimum(left, left_here)
    if len(heard.rows):
        _stop_full_families(codes, heard, table, policy.family_cap)
    if len(elsewhere.rows):
        _stop(codes, elsewhere.rows * np.int64(len(table) + 1) + elsewhere.offers, NUMBER["offered_elsewhere"])
    if 0 in (policy.offer_cap, policy.family_cap):
        left = np.zeros_like(left)
    used_up = np.asarray(left <= 0).nonzero()[0]
    if len(used_up):
        _stop_rows(codes, used_up, table.is_sale, "contact_cap")
    return np.asarray(np.maximum(left, 0))


def cool_off_days(declines: int, policy: Policy) -> int:
    """Return how long an offer rests after it was declined `declines` times in a row: twice as long each time."""
    doubled = policy.declined_cool_off_days << min(declines - 1, 30)
    return min(doubled, max(policy.declined_cool_off_most_days, policy.declined_cool_off_days))


def _only(pairs: Pairs, chosen: Bools) -> Pairs:
    return Pairs(pairs.rows[chosen], pairs.offers[chosen])


def _count(rows: Places, chosen: Bools, customers: int) -> NDArray[np.int64]:
    """Return (customers,) how many of the `chosen` are in each customer's row."""
    if customers == 1:
        return np.array([np.count_nonzero(chosen)])
    return np.bincount(rows[chosen], minlength=customers)


def _at_least(times: int, grouped: Pairings) -> Pairings:
    """Return what occurs so often, and at least once, in numbers of which equal ones stand together.

    It may come more than once.
    """
    last = grouped[max(times, 1) - 1 :]
    found: Pairings = last[last == grouped[: len(last)]] if len(last) else last
    return found


def _stop(codes: Codes, pairs: Pairings, what: NDArray[np.int8] | int) -> None:
    """Write `what` at the pairs, each row · (m + 1) + offer, whose offer is still in the catalogue."""
    if len(pairs):
        rows, offers = np.divmod(pairs, codes.shape[1] + 1)
        known = offers < codes.shape[1]
        stop_pairs(codes, rows[known], offers[known], what if isinstance(what, int) else what[known])


def _stop_rows(codes: Codes, rows: Places, where: Bools, code: str) -> None:
    """Write the code into some rows, `where` (rows, m) or (m,) it holds."""
    part = codes[rows]
    stop_where(part, where, code)
    codes[rows] = part


def _stop_full_families(codes: Codes, heard: Pairs, table: OfferTable, cap: int) -> None:
    """Stop the sales of each family of which a customer has `heard` as often as the policy allows."""
    if len(heard.rows) < cap:
        return
    width = int(table.family_or_gone[-1]) + 1
    families = heard.rows * np.int64(width) + table.family_or_gone[heard.offers]
    families.sort()
    often = _at_least(cap, families)
    if len(often):
        is_full = np.zeros((len(codes), width), dtype=bool)
        is_full.flat[often] = True
        full = np.asarray(is_full.any(axis=1)).nonzero()[0]
        _stop_rows(codes, full, is_full[full][:, table.family] & table.is_sale, "family_cap")


def _resting(
    given: NDArray[np.int8], pairs: Pairings, age: NDArray[np.int64], is_sale: Bools, policy: Policy
) -> tuple[Pairings, NDArray[np.int8]]:
    """Return the pairs that still rest after an answer, and the code of each.

    An acceptance ends the row of declines and every rest before it; of what came since, the latest answer that
    still counts gives the code.
    """
    is_accepted, is_declined = given == _ACCEPTED, given == _DECLINED
    begins = is_accepted.copy()
    begins[0] = True
    begins[1:] |= pairs[1:] != pairs[:-1]
    so_far = is_declined.cumsum()
    in_a_row = so_far - np.maximum.accumulate((so_far - is_declined) * begins)
    rests = age < _rests(policy)[is_sale.view(np.int8), given, np.minimum(in_a_row, _MOST_DECLINES)]
    counts = np.asarray(rests | is_accepted).nonzero()[0]
    pairs, rests = pairs[counts], rests[counts]
    rests[:-1] &= pairs[1:] != pairs[:-1]
    return pairs[rests], _RESTS_AS[given[counts[rests]]]


@lru_cache(maxsize=64)
def _rests(policy: Policy) -> NDArray[np.int64]:
    """Return (is it a sale, answers, declines in a row) how many microseconds an offer rests.

    Nothing is younger than the least number, which stands where nothing rests.
    """
    rests = np.full((2, len(ANSWERS), _MOST_DECLINES + 1), -_LONGEST)
    rests[0, _ACCEPTED] = _lasting(policy.service_done_days)
    rests[:, _LATER] = _lasting(policy.later_cool_off_days)
    rests[:, _DECLINED, 1:] = [_lasting(cool_off_days(number, policy)) for number in range(1, _MOST_DECLINES + 1)]
    return rests


def _lasting(days: int) -> int:
    return min(days * MICROSECONDS_PER_DAY, _LONGEST)
