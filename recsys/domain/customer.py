"""Who the bank speaks with: a customer or prospect, their flags and their consents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

AttributeValue = str | float | int | bool | None
MAX_TEXT_LENGTH = 10_000
"""The characters that a text about a customer has at most."""


class CustomerKind(StrEnum):
    """Whether the person already banks here."""

    CUSTOMER = "customer"
    PROSPECT = "prospect"


@dataclass(frozen=True, slots=True)
class Consents:
    """The consents in force; `None` means the customer was never asked."""

    marketing: bool | None = None
    profiling: bool | None = None
    partner: bool | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """One person as the event log knows them; `flags` of `FLAGS` hold, `attributes` are what rules may name."""

    customer_id: str
    kind: CustomerKind = CustomerKind.CUSTOMER
    name: str | None = None
    language: str | None = None
    segment: str | None = None
    risk_level: int | None = None
    flags: frozenset[str] = frozenset()
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    consents: Consents = Consents()
