"""What a row that cannot be used still says of somebody's protection: it may add to it, and never takes from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys.domain.identifier import parse_identifier
from recsys.domain.interaction import InteractionKind
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS, UNREADABLE
from recsys.domain.vocabulary import Vocabulary

SUBJECT_OF_COLUMN: Mapping[str, str] = {**{flag: flag for flag in DELIVERED_FLAGS}, **CONSENT_COLUMNS}
"""The columns that protect a customer, and what each is about in the ledger of protections."""
CUSTOMERS_HOLD = f"{UNREADABLE}/customers"
"""Set by a row of customers that could not be used, ended by one with the same id that says what could not be read.

Behind it stands what that is: "/=column" must not be empty, "/column+column" must be columns of the file.
"""
TWIN_HOLD = f"{UNREADABLE}/alike"
"""Set where a customer's id is like that of another one who is protected; only a person ends it."""
CONTACTS_HOLD = f"{UNREADABLE}/contacts/"
INTERACTIONS_HOLD = f"{UNREADABLE}/interactions/"
_HARMLESS = (InteractionKind.VIEW, InteractionKind.INQUIRY, InteractionKind.CANCELLED)

Cell = Callable[[str], str | None]
"""Returns a cell of a row by our column: empty when it says nothing, None when it cannot be read."""


@dataclass(frozen=True, slots=True)
class Held:
    """Whom a rejected row names, under which subjects they are held, and what it says that protects them."""

    customer_id: str
    subject: str
    statements: Mapping[str, bool]


def held_by(table: str, cell: Cell, words: Vocabulary) -> Held | None:
    """Return whom a rejected row holds, None when it names nobody readable or cannot protect anybody."""
    customer_id = _identifier(cell("customer_id"))
    if customer_id is None:
        return None
    if table == "customers":
        return Held(customer_id, CUSTOMERS_HOLD, protective_statements(cell, words))
    if table == "contacts":
        reason = cell("reason")
        if reason is not None and not words.is_complaint(reason):
            return None
        return Held(customer_id, CONTACTS_HOLD + (_identifier(cell("contact_id")) or "?"), {})
    if words.event(cell("event") or "") in _HARMLESS:
        return None
    return Held(customer_id, INTERACTIONS_HOLD + (_identifier(cell("offer_id")) or "?"), {})


def protective_statements(cell: Cell, words: Vocabulary) -> dict[str, bool]:
    """Return the flags that a row sets and the consents that it withdraws, as far as its cells can be read."""
    found: dict[str, bool] = {}
    for column, subject in SUBJECT_OF_COLUMN.items():
        is_consent = column in CONSENT_COLUMNS
        try:
            value = (words.consent if is_consent else words.truth)(cell(column) or "")
        except ValueError:
            continue
        if value is (not is_consent):
            found[subject] = value
    return found


def _identifier(text: str | None) -> str | None:
    try:
        return parse_identifier(text or "")
    except ValueError:
        return None
