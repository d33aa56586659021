"""How the bank writes: by which words and which days its documents are read."""

from dataclasses import dataclass

from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.vocabulary import SHIPPED, Vocabulary


@dataclass(frozen=True, slots=True)
class Conventions:
    """What a document is read with: a channel's word becomes its name, a date without a time is a day of the bank.

    `words` None takes any channel as it is written; `keeps_unknown` only one that `words` do not know.
    """

    words: Vocabulary | None = SHIPPED
    calendar: BankCalendar = UTC_DAYS
    keeps_unknown: bool = False


AS_SHIPPED = Conventions()
AS_STORED = Conventions(words=None)
"""For what was checked when it was stored: a channel that the bank dropped since leaves it readable."""
