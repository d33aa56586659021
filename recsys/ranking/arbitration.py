"""Arbitration: what an offer is worth now, and which come first."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.policy import Policy

Floats = NDArray[np.float64]
Columns = NDArray[np.intp]


def net_value(table: OfferTable, policy: Policy) -> Floats:
    """Return (m,) what one acceptance is worth: margin (a service action: its service value) − agent's time."""
    has_margin = ~np.isnan(table.margin)
    sale = np.where(has_margin, table.margin, policy.default_margin)
    service = policy.service_value + np.where(has_margin, table.margin, 0.0)
    return np.where(table.is_sale, sale, service) - table.handling_seconds * policy.cost_per_second


def priority(propensity: Floats, value: Floats, is_upset: bool, table: OfferTable, policy: Policy) -> Floats:
    """Return (…, m) propensity × net value × context weight × lever, the order of the list.

    `policy.arbitration` may take the levers out of it, or leave the propensity alone.
    """
    if policy.arbitration == "propensity":
        return propensity
    weight = np.where(table.is_sale, policy.upset_sales_weight, 1.0) if is_upset else 1.0
    lever = 1.0 if policy.arbitration == "no_levers" else table.lever
    return np.asarray(propensity * value * weight * lever)


def is_worthwhile(propensity: Floats, priorities: Floats, policy: Policy) -> NDArray[np.bool_]:
    """Return (…, m) which offers clear the thresholds; the one of priority is money, which a propensity is not."""
    is_likely = propensity >= policy.minimum_propensity
    return is_likely if policy.arbitration == "propensity" else is_likely & (priorities > policy.minimum_priority)


def is_called_for(
    matched: NDArray[np.bool_], has_complaint: NDArray[np.bool_], arbitration: str, table: OfferTable
) -> NDArray[np.bool_]:
    """Return (n, m) which offers have a place in this contact: a service action needs a cause, a sale does not.

    A cause is a need that it answers, `matched` (…, m), or an open complaint (n,). A way of arbitration for
    `nothing` has no place for any sale.
    """
    called_for = table.is_sale | matched | (has_complaint[:, None] & table.answers_complaint)
    return called_for & ~table.is_sale if arbitration == "nothing" else called_for


def is_upset(has_complaint: bool, sentiment: float | None, policy: Policy) -> bool:
    """Return whether service must come before sales: an open complaint or a bad mood."""
    return has_complaint or (sentiment is not None and sentiment < policy.upset_below)


def best_first(columns: Columns, priorities: Floats, is_upset: bool, table: OfferTable) -> Columns:
    """Return `columns` in the order in which they are offered; ties go by offer id, which is the columns' order.

    Service actions come before sales when the customer is upset.
    """
    sale = table.is_sale[columns] if is_upset else np.zeros(len(columns), dtype=bool)
    return columns[np.lexsort((columns, -priorities[columns], sale))]


def arrange(ordered: Iterable[int], table: OfferTable, length: int, sales_left: int) -> list[int]:
    """Return the list to show out of columns that are best first.

    A family appears at most once, so that the list gives a choice, and no more sales than the caps leave.
    """
    shown: list[int] = []
    families: set[int] = set()
    for column in ordered:
        if len(shown) == length:
            break
        sale, family = table.sales[column], table.families[column]
        if family in families or (sale and sales_left == 0):
            continue
        sales_left -= sale
        shown.append(int(column))
        families.add(family)
    return shown
