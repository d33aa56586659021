"""How the bank writes: by which words and which days its documents are read."""

from dataclasses import dataclass

from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.vocabulary import SHIPPED, Vocabulary


@dataclass(frozen=True, slots=True)
class Conventions:
    """What a document that comes in is read with; `words` None takes any channel's name as it is."""

    words: Vocabulary | None = SHIPPED
    calendar: BankCalendar = UTC_DAYS


AS_SHIPPED = Conventions()
AS_STORED = Conventions(words=None)
"""For what was checked when it was stored: a channel that the bank dropped since leaves it readable."""
