"""The audience: what is known of many customers at one moment, as columns that a batch of decisions reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsys.domain.outcome import Answer
from recsys.domain.protection import Purpose
from recsys.interactions.history_columns import HistoryColumns, Places

if TYPE_CHECKING:
    import pyarrow as pa

NEVER_ASKED = -1
ANSWERS = tuple(Answer)
"""What a number in `AnswerColumns.answers` stands for."""
NO_COMPLAINT = np.iinfo(np.int64).min

Bools = NDArray[np.bool_]
Microseconds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """k past answers by customer (`rows`) and then oldest first; `offers` are places in the audience's offer ids.

    `on_channel` is whether it was on the channel in question, `at` microseconds since 1970.
    """

    rows: Places
    offers: Places
    at: Microseconds
    answers: NDArray[np.int8]
    on_channel: Bools

    def where(self, chosen: NDArray[Any] | slice) -> "AnswerColumns":
        """Return the chosen answers."""
        return AnswerColumns(
            self.rows[chosen], self.offers[chosen], self.at[chosen], self.answers[chosen], self.on_channel[chosen]
        )

    def of_customers(self, start: int, stop: int) -> "AnswerColumns":
        """Return the answers of the customers from `start` to before `stop`, whose rows count from 0 again."""
        part = self.where(slice(*np.searchsorted(self.rows, [start, stop]).tolist()))
        return AnswerColumns(part.rows - np.int32(start), part.offers, part.at, part.answers, part.on_channel)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The neutral contact that everybody is in: inbound on `channel` at the moment `at`, without reason or mood."""

    at: datetime
    channel: str

    @property
    def microseconds(self) -> int:
        """The moment in microseconds since 1970."""
        return microseconds(self.at)


@dataclass(frozen=True, slots=True)
class Protection:
    """(n,) what forbids sales: flags, consents by purpose (1, 0 or NEVER_ASKED), when an open complaint began.

    `risk_level` 0 is unknown; `complaint_days` is how long that complaint counts, −1: as long as the policy says.
    """

    risk_level: NDArray[np.int8]
    flags: Mapping[str, Bools]
    consents: Mapping[Purpose, NDArray[np.int8]]
    complaint_at: Microseconds
    complaint_days: NDArray[np.int64]

    def of_customers(self, start: int, stop: int) -> "Protection":
        """Return what protects the customers from `start` to before `stop`."""
        return Protection(
            self.risk_level[start:stop],
            {name: holds[start:stop] for name, holds in self.flags.items()},
            {purpose: given[start:stop] for purpose, given in self.consents.items()},
            self.complaint_at[start:stop],
            self.complaint_days[start:stop],
        )


@dataclass(frozen=True, slots=True)
class Audience:
    """n customers on one occasion. `facts` has a column for each fact of theirs that rules and models may name.

    `offer_ids` are all offers that histories and answers name, `acceptances` is offer → (today, ever) by
    everybody, of the offers whose number is limited.
    """

    occasion: Occasion
    customer_ids: "pa.Array"
    facts: "pa.Table"
    protection: Protection
    offer_ids: tuple[str, ...]
    history: HistoryColumns
    answers: AnswerColumns
    acceptances: Mapping[str, tuple[int, int]]

    def __len__(self) -> int:
        return len(self.customer_ids)

    def of_customers(self, start: int, stop: int) -> "Audience":
        """Return the customers from `start` to before `stop` as an audience of their own."""
        return Audience(
            self.occasion,
            self.customer_ids[start:stop],
            self.facts[start:stop],
            self.protection.of_customers(start, stop),
            self.offer_ids,
            self.history.of_customers(start, stop),
            self.answers.of_customers(start, stop),
            self.acceptances,
        )


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
