"""The engine's decision for many customers at once: the same offers in the same order, without exploration.

An open complaint stops every sale, and the occasion has no mood and no intents, so that the order among upset
customers needs no rule of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.domain.policy import Policy
from recsys.ranking.arbitration import is_called_for, is_worthwhile, net_value, priority
from recsys.ranking.codes import Codes
from recsys.ranking.held_back import held_back
from recsys.ranking.people import Pairs
from recsys.ranking.permission import is_profiled, permit_all
from recsys.ranking.propensity import base_log_odds, declared_contributions, probability, total_log_odds
from recsys.what_if.audience import Audience
from recsys.what_if.lists import Bools, Floats, Lists, arrange_many, best_of
from recsys.what_if.relevance import Models
from recsys.what_if.rulebook import Rulebook
from recsys.what_if.signals import AudienceSignals, declines_90d


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
    permissions = permit_all(audience.people(table), rulebook.catalogue, policy, lambda _: rule_codes)
    evidence = models.evidence_of(table.offer_ids)
    base = base_log_odds(table, evidence, policy)
    declines = counted_declines(audience, policy)
    declared = declared_contributions(base, relevance, np.zeros(len(table)), 0.0, declines[:, None], policy)
    chance, value = probability(total_log_odds(declared, table.is_sale)), net_value(table, policy)
    worth = priority(chance, value, False, table, policy)
    unmatched = np.zeros(len(table), dtype=bool)
    called_for = is_called_for(unmatched, permissions.has_complaint, policy.arbitration, table)
    is_open = permissions.allowed & called_for
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
    rows, places = np.nonzero(shown >= 0)
    pairs = Pairs(rows, shown[rows, places])
    return Decisions(lists, held_back(permissions, is_open, worthwhile, pairs, table), is_open)


def counted_declines(audience: Audience, policy: Policy) -> Floats:
    """Return (n,) how many refusals of the last 90 days count; none of who refuses profiling."""
    counted = np.minimum(declines_90d(audience), policy.recent_declines_at_most)
    return np.where(is_profiled(audience.protection, policy), counted, 0.0)
