"""The engine's decision for many customers at once: the same offers in the same order, without exploration.

An open complaint stops every sale, and the occasion has no mood and no intents, so that the order among upset
customers needs no rule of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.policy import Policy
from recsys.domain.vocabulary import COMPLAINT
from recsys.ranking.arbitration import is_worthwhile, net_value, priority
from recsys.ranking.eligibility import ALLOWED, NUMBER
from recsys.ranking.propensity import base_log_odds, declared_contributions, probability, total_log_odds
from recsys.what_if.audience import Audience
from recsys.what_if.lists import Bools, Floats, Lists, arrange_many, best_of
from recsys.what_if.permission import Permissions, has_open_complaints, is_profiled, permit_many
from recsys.what_if.relevance import Models
from recsys.what_if.rulebook import Rulebook
from recsys.what_if.signals import AudienceSignals, declines_90d
from recsys.what_if.verdicts import Codes


@dataclass(frozen=True, slots=True)
class Decisions:
    """What n customers are shown out of m offers, what keeps each other offer back, and which could be shown.

    `codes` (n, m) are places in CODES, 0 where an offer is shown; `is_open` (n, m) is what is allowed and has a
    place in such a contact.
    """

    lists: Lists
    codes: Codes
    is_open: Bools


def decide_many(
    audience: Audience, rulebook: Rulebook, rule_codes: Codes, relevance: NDArray[np.float32], models: Models
) -> Decisions:
    """Return the decisions for the audience; `rule_codes` and `relevance` (n, m) are of the rulebook's offers."""
    table, policy = rulebook.catalogue.table, rulebook.policy
    permissions = permit_many(audience, rulebook, rule_codes)
    evidence = models.relevance.evidence(table.offer_ids) if models.relevance else np.zeros((len(table), 2))
    base = base_log_odds(table, evidence, policy)
    declines = counted_declines(audience, policy)
    declared = declared_contributions(base, relevance, np.zeros(len(table)), 0.0, declines[:, None], policy)
    chance, value = probability(total_log_odds(declared, table.is_sale)), net_value(table, policy)
    worth = priority(chance, value, False, table, policy)
    is_open = permissions.allowed & is_called_for(audience, table, policy)
    shortlist = best_of(is_open, worth, policy.shortlist_length)
    few = evidence[:, 1] < policy.exploring_below_answers
    if few.any():
        shortlist = shortlist | best_of(is_open & few, worth, policy.shortlist_length)
    if models.propensity is not None:
        rows, columns = np.nonzero(shortlist)
        signals = AudienceSignals(audience, table, base, relevance, policy)
        chance[rows, columns] = probability(
            models.propensity.log_odds(signals.rows(rows, columns, models.propensity.signals))
        )
        worth = priority(chance, value, False, table, policy)
    worthwhile = is_worthwhile(chance, worth, policy)
    shown = arrange_many(shortlist & worthwhile, worth, table, policy.list_length, permissions.sales_left)
    lists = Lists.of(shown, chance, worth)
    return Decisions(lists, held_back(permissions, lists, worthwhile, is_open, table), is_open)


def is_called_for(audience: Audience, table: OfferTable, policy: Policy) -> Bools:
    """Return (…, m) which offers have a place: a service action only where it answers an open complaint."""
    answering = np.zeros(len(table), dtype=bool)
    answering[table.of_intent.get(COMPLAINT, [])] = True
    complaints = has_open_complaints(audience.protection, policy, audience.occasion.microseconds)
    return np.asarray(table.is_sale | (complaints[:, None] & answering))


def counted_declines(audience: Audience, policy: Policy) -> Floats:
    """Return (n,) how many refusals of the last 90 days count; none of who refuses profiling."""
    counted = np.minimum(declines_90d(audience), policy.recent_declines_at_most)
    return np.where(is_profiled(audience.protection, policy), counted, 0.0)


def held_back(permissions: Permissions, lists: Lists, worthwhile: Bools, is_open: Bools, table: OfferTable) -> Codes:
    """Return (n, m) what keeps each offer off the list, as `recsys.engine.name_held_back` says it."""
    codes, allowed = permissions.codes.copy(), permissions.allowed
    rows, places = np.nonzero(lists.columns >= 0)
    shown = rows, lists.columns[rows, places]
    sales = np.bincount(rows, weights=table.is_sale[shown[1]], minlength=len(codes))
    is_full = (sales == permissions.sales_left)[:, None] & table.is_sale
    last = np.where(is_full, np.int8(NUMBER["contact_cap"]), np.int8(NUMBER["ranked_lower"]))
    last[~worthwhile] = NUMBER["below_threshold"]
    last[~is_open] = NUMBER["not_called_for"]
    np.copyto(codes, last, where=allowed)
    codes[shown] = ALLOWED
    return codes
