"""What permission is told of n customers, one or a million: protection, holdings and past answers as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.domain.contact import Direction
from recsys.domain.outcome import Answer
from recsys.domain.protection import Purpose

Bools = NDArray[np.bool_]
Microseconds = NDArray[np.int64]
Places = NDArray[np.integer[Any]]

NEVER_ASKED = -1
"""A consent that was never asked for."""
NO_COMPLAINT = np.iinfo(np.int64).min
AS_THE_POLICY_SAYS = -1
MICROSECONDS_PER_DAY = 86_400_000_000
ANSWERS = tuple(Answer)
"""What a number in `AnswerColumns.answers` stands for."""

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Occasion:
    """The contact that everybody is in: when, where, and who called whom."""

    at: datetime
    channel: str
    direction: str = Direction.INBOUND

    @property
    def microseconds(self) -> int:
        """The moment in microseconds since 1970."""
        return microseconds(self.at)


class Pairs(NamedTuple):
    """k pairs of a customer (`rows`) and an offer (`offers`)."""

    rows: Places
    offers: Places


@dataclass(frozen=True, slots=True)
class AnswerColumns:
    """k past answers by customer (`rows`), then by one of the `offers` after the other, and then oldest first.

    `on_channel` is whether it was on the channel of the occasion, `at` microseconds since 1970.
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
class Protection:
    """(n,) what forbids sales: risk level (0: unknown), all FLAGS by name, consents (1, 0 or NEVER_ASKED), complaints.

    `complaint_at` is when the open complaint began, NO_COMPLAINT where there is none, and `complaint_days` how long
    it counts (AS_THE_POLICY_SAYS where it has no days of its own); `is_complaint` is whether the occasion is one.
    """

    risk_level: NDArray[np.int8]
    flags: Mapping[str, Bools]
    consents: Mapping[Purpose, NDArray[np.int8]]
    complaint_at: Microseconds
    complaint_days: NDArray[np.int64]
    is_complaint: Bools

    def __len__(self) -> int:
        return len(self.risk_level)

    def of_customers(self, start: int, stop: int) -> "Protection":
        """Return what protects the customers from `start` to before `stop`."""
        return Protection(
            self.risk_level[start:stop],
            {name: holds[start:stop] for name, holds in self.flags.items()},
            {purpose: given[start:stop] for purpose, given in self.consents.items()},
            self.complaint_at[start:stop],
            self.complaint_days[start:stop],
            self.is_complaint[start:stop],
        )


NO_PAIRS = Pairs(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp))


@dataclass(frozen=True, slots=True)
class People:
    """n customers on one occasion, and all that permission asks about them.

    Offers are columns of one catalogue, `len(table)` for any that has left it. `elsewhere` is what stands on the
    list of another live contact and `elsewhere_here` (k,) whether that is on the occasion's channel; `acceptances`
    is offer → (today, ever) by everybody, of the offers whose number is limited.
    """

    occasion: Occasion
    protection: Protection
    held: Pairs
    answers: AnswerColumns
    elsewhere: Pairs = NO_PAIRS
    elsewhere_here: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))
    acceptances: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.protection)
