"""Why each offer is not on the list: the code of permission, and for what is allowed the code of its rank."""

import numpy as np

from recsys.catalogue.offer_table import OfferTable
from recsys.ranking.codes import ALLOWED, NUMBER, Codes
from recsys.ranking.people import Bools, Pairs
from recsys.ranking.permission import Permissions


def held_back(permissions: Permissions, is_open: Bools, is_worthwhile: Bools, shown: Pairs, table: OfferTable) -> Codes:
    """Return (n, m) what keeps each offer off the list, 0 for those `shown`.

    `is_open` (n, m) is what is allowed and has a place in the contact, `is_worthwhile` (n, m) what clears the
    thresholds.
    """
    codes, sales = permissions.codes.copy(), table.is_sale
    shown_sales = np.bincount(shown.rows[sales[shown.offers]], minlength=len(codes))
    is_closed = permissions.allowed & ~is_open
    np.putmask(codes, permissions.allowed, NUMBER["ranked_lower"])
    full = np.asarray(shown_sales == permissions.sales_left).nonzero()[0]
    if len(full):
        part = codes[full]
        np.putmask(part, (part == NUMBER["ranked_lower"]) & sales, NUMBER["contact_cap"])
        codes[full] = part
    np.putmask(codes, permissions.allowed & ~is_worthwhile, NUMBER["below_threshold"])
    np.putmask(codes, is_closed, NUMBER["not_called_for"])
    np.putmask(codes, is_closed & sales, NUMBER["withheld"])
    codes[shown.rows, shown.offers] = ALLOWED
    return codes
