"""The codes of what keeps an offer off a list, in the order in which they are asked for."""

import numpy as np
from numpy.typing import NDArray

from recsys.domain.protection import FLAGS

Codes = NDArray[np.int8]
"""(n, m) for n customers and m offers: places in `CODES`."""

ALLOWED = 0
SUPPRESSIONS = (
    *(name for name, flag in FLAGS.items() if flag.outranks_consent),
    "no_marketing_consent",
    "complaint_open",
    *(name for name, flag in FLAGS.items() if not flag.outranks_consent),
)
"""What forbids every sale to a customer, in order."""
CODES = (
    "allowed", "not_on_sale", "wrong_channel", *SUPPRESSIONS,
    "no_partner_consent", "risk_too_high", "risk_unknown", "already_holds",
    "not_eligible", "eligibility_unknown", "sold_out", "sold_out_today", "cooling_off", "asked_for_later",
    "just_done", "offer_cap", "family_cap", "offered_elsewhere", "contact_cap",
    "not_called_for", "below_threshold", "ranked_lower", "made_room", "withheld",
)  # fmt: skip
"""Why an offer is not on the list; the last five are no matter of permission but of rank."""
NUMBER = {code: number for number, code in enumerate(CODES)}


def stop(codes: Codes, what: Codes) -> None:
    """Write `what`, which spreads to the shape of `codes`, where nothing has stopped an offer so far."""
    np.copyto(codes, what, where=codes == ALLOWED)


def stop_where(codes: Codes, where: NDArray[np.bool_], code: str) -> None:
    """Write one code `where` it holds and nothing has stopped an offer so far."""
    np.putmask(codes, where & (codes == ALLOWED), NUMBER[code])


def stop_pairs(
    codes: Codes, rows: NDArray[np.integer], columns: NDArray[np.integer], what: NDArray[np.int8] | int
) -> None:
    """Write `what` at pairs of customer and offer where nothing has stopped the offer so far."""
    where = rows, columns
    stopped = codes[where]
    np.putmask(stopped, stopped == ALLOWED, what)
    codes[where] = stopped
