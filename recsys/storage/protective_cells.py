"""What a row that cannot be used still says of somebody's protection: it may add to it, and never takes from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from recsys.domain.identifier import parse_identifier
from recsys.domain.interaction import InteractionKind
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS, UNREADABLE
from recsys.domain.vocabulary import Vocabulary

SUBJECT_OF_COLUMN: Mapping[str, str] = {**{flag: flag for flag in DELIVERED_FLAGS}, **CONSENT_COLUMNS}
"""The columns that protect a customer, and what each is about in the ledger of protections."""
CUSTOMERS_HOLD = f"{UNREADABLE}/customers"
"""Set by a row of customers that could not be used, ended by a good one with the same id.

With "/=column" behind it, once for each column that must be known again: by a good row that says something there.
"""
NAMESAKE_HOLD = f"{CUSTOMERS_HOLD}/alike"
"""Set where nothing is known of a customer whose id is like a known one's; ended by a good row of customers."""
TWIN_HOLD = f"{UNREADABLE}/alike"
"""Set where a customer's id is like that of another one who is protected; only a person ends it."""
CONTACTS_HOLD = f"{UNREADABLE}/contacts/"
REASON_HOLD = f"{UNREADABLE}/reason/"
"""Set where the reason of a contact may be a complaint; ended by a good row of contact and customer with a reason."""
INTERACTIONS_HOLD = f"{UNREADABLE}/interactions/"
_HARMLESS = (InteractionKind.VIEW, InteractionKind.INQUIRY, InteractionKind.CANCELLED)

Cell = Callable[[str], str | None]
"""Returns a cell of a row by our column: empty when it says nothing, None when it cannot be read."""


@dataclass(frozen=True, slots=True)
class Held:
    """Whom a rejected row names, and under which subjects they are held."""

    customer_id: str
    subjects: tuple[str, ...]


def held_by(table: str, cell: Cell, words: Vocabulary, wanted: Sequence[str]) -> Held | None:
    """Return whom a rejected row holds, None when it names nobody readable or cannot protect anybody.

    `wanted` are the columns that protect and must be known again before the hold is over.
    """
    customer_id = _identifier(cell("customer_id"))
    if customer_id is None:
        return None
    if table == "customers":
        return Held(customer_id, customers_holds(wanted))
    if table == "contacts":
        reason = cell("reason")
        if reason is not None and not words.is_complaint(reason):
            return None
        hold = REASON_HOLD if reason is not None or "reason" in wanted else CONTACTS_HOLD
        return Held(customer_id, (hold + (_identifier(cell("contact_id")) or "?"),))
    if words.event(cell("event") or "") in _HARMLESS:
        return None
    return Held(customer_id, (INTERACTIONS_HOLD + (_identifier(cell("offer_id")) or "?"),))


def customers_holds(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the subjects of a hold that is over when each of these columns is known again, or any good row came."""
    return tuple(f"{CUSTOMERS_HOLD}/={column}" for column in wanted) or (CUSTOMERS_HOLD,)


def protects(column: str, value: bool | None) -> bool:
    """Return whether what a cell of a protective column says protects: a flag that holds, a consent that is refused."""
    return value is (column not in CONSENT_COLUMNS)


def _identifier(text: str | None) -> str | None:
    try:
        return parse_identifier(text or "")
    except ValueError:
        return None
