"""Finds facts that are too good to be true: such as were made from the purchases they are to predict.

A fact without a date holds from the customer's first event on. If it comes from a snapshot of today, it may say what
was bought since: a model that reads it looks perfect on past purchases, and fails on the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.interactions.side_features import FeatureSpace
from training.gates import Gate, Verdict

TELLS_MORE = 0.1
"""How much more of the last purchase than of the others a fact may tell, as a share of all there is to tell."""

TIMES_MORE = 2.0
"""And at least how many times as much; the same holds between a value's customers and the others."""

ALL_TOOK_IT = 0.8
"""The share of a value's customers who may take the same offer between split and date, of those without it before."""

FEWEST, FEWEST_OF_A_VALUE = 200, 30
_STANDARD_ERRORS = 4.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMOOTHING = 10.0
NAME = "facts without a date"
_ADVICE = "it was made from what it is to predict; say since when it is known (known_at), or leave it out"


@dataclass(frozen=True, slots=True)
class Bought:
    """Purchases (n,) in time order within each customer: place of the customer, column of the offer, moment (µs)."""

    customers: NDArray[np.intp]
    offers: NDArray[np.intp]
    moments: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_]) -> "Bought":
        """Return these purchases only."""
        return Bought(self.customers[chosen], self.offers[chosen], self.moments[chosen])


@dataclass(frozen=True, slots=True)
class Undated:
    """Customers whose facts carry no date: what is known of them, since when (µs) at the latest, what they bought."""

    facts: Mapping[str, NDArray[Any]]
    dates: NDArray[np.int64]
    bought: Bought

    def judge(self, moment: datetime) -> Gate:
        """Refuse a fact that tells far more of what was bought just before its date than of anything else.

        What was bought after the date is the measure, where there is enough of it, else what was bought earlier. A
        fact is refused, too, if whoever has a value of it took the same offer between `moment`, the split, and the
        date.
        """
        split = (moment - _EPOCH) // timedelta(microseconds=1)
        if not len(self.dates):
            return Gate(NAME, Verdict.PASSED, "every fact says since when it is known")
        found = [self._judge(name, split) for name in sorted(self.facts)]
        refused = [said for said, is_refused in found if is_refused]
        if refused:
            return Gate(NAME, Verdict.REFUSED, "; ".join(refused))
        named = f"{len(found)} facts of {len(self.dates)} customers carry no date"
        return Gate(NAME, Verdict.PASSED, f"{named}; none tells more of what was bought before its date than after")

    def _judge(self, name: str, split: int) -> tuple[str, bool]:
        space = FeatureSpace.of_columns({name: self.facts[name]})
        levels = np.full(len(self.dates), len(space), dtype=np.intp)
        encoded = space.encode_columns({name: self.facts[name]}, len(self.dates)).tocoo()
        levels[encoded.row] = encoded.col
        told = self._against_others(name, levels, split)
        if told:
            return told, True
        all_took = self._all_took_it(space, levels, split)
        return (all_took, True) if all_took else (name, False)

    def _against_others(self, name: str, levels: NDArray[np.intp], split: int) -> str | None:
        """Return what is wrong with a fact that tells more of the last purchase before its date than of others."""
        latest, others, said = self._to_compare(split)
        if min(len(latest.offers), len(others.offers)) < FEWEST:
            return None
        of_latest, error = _told(levels[latest.customers], latest)
        of_others, other_error = _told(levels[others.customers], others)
        more = of_latest - of_others
        if more <= _STANDARD_ERRORS * float(np.hypot(error, other_error)):
            return None
        if more <= TELLS_MORE or of_latest <= TIMES_MORE * of_others:
            return None
        return (
            f"{name} tells {of_latest:.0%} of which offer was bought last before its date and {max(of_others, 0):.0%} "
            f"of those bought {said}: {_ADVICE}"
        )

    def _to_compare(self, split: int) -> tuple[Bought, Bought, str]:
        """Return each customer's last purchase before the date, what it is held against, and when that was bought.

        Only purchases after the split are last ones, where there are enough: by these a model is judged.
        """
        bought = self.bought
        is_before = bought.moments <= self.dates[bought.customers]
        before, after = bought.select(is_before), bought.select(~is_before)
        is_last = np.append(
            before.customers[1:] != before.customers[:-1], np.ones(min(len(before.offers), 1), dtype=bool)
        )
        is_held_out = is_last & (before.moments > split)
        chosen = is_held_out if is_held_out.sum() >= FEWEST else is_last
        if len(after.offers) >= FEWEST:
            return before.select(chosen), after, "after"
        return before.select(chosen), before.select(~is_last), "earlier"

    def _all_took_it(self, space: FeatureSpace, levels: NDArray[np.intp], split: int) -> str | None:
        """Return what is wrong with a value whose customers all took one offer between the split and the date."""
        bought = self.bought
        offers = int(bought.offers.max()) + 1 if len(bought.offers) else 0
        had, took = (np.zeros((len(self.dates), offers), dtype=bool) for _ in range(2))
        is_later = bought.moments > split
        is_between = is_later & (bought.moments <= self.dates[bought.customers])
        had[bought.customers[~is_later], bought.offers[~is_later]] = True
        took[bought.customers[is_between], bought.offers[is_between]] = True
        could, did = ~had, took & ~had
        all_could, all_did = could.sum(axis=0), did.sum(axis=0)
        for level, label in enumerate(space.columns):
            of_level = levels == level
            level_could, level_did = could[of_level].sum(axis=0), did[of_level].sum(axis=0)
            share = level_did / np.maximum(level_could, 1)
            of_others = (all_did - level_did) / np.maximum(all_could - level_could, 1)
            is_it = (level_could >= FEWEST_OF_A_VALUE) & (share > ALL_TOOK_IT) & (share > TIMES_MORE * of_others)
            if is_it.any():
                place = int(np.argmax(np.where(is_it, share, 0.0)))
                return (
                    f"{share[place]:.0%} of the customers with {label} who did not have one offer before the split "
                    f"took it before the fact's date, {of_others[place]:.0%} of the others: {_ADVICE}"
                )
        return None


def _told(levels: NDArray[np.intp], bought: Bought) -> tuple[float, float]:
    """Return how much of what there is to tell of the offers a fact's values tell (0–1), and the standard error.

    That is the gain in log-likelihood over the offers' shares, for one half of the customers by the other half's
    counts, divided by the log-likelihood that could be gained: nothing is told by chance.
    """
    shape = (int(levels.max()) + 1, int(bought.offers.max()) + 1)
    gain, surprise = np.zeros(len(levels)), np.zeros(len(levels))
    for half in (0, 1):
        judged = bought.customers % 2 == half
        counts = np.zeros(shape)
        np.add.at(counts, (levels[~judged], bought.offers[~judged]), 1.0)
        shares = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * shape[1])
        given = (counts + _SMOOTHING * shares) / (counts.sum(axis=1, keepdims=True) + _SMOOTHING)
        offers = bought.offers[judged]
        surprise[judged] = -np.log(shares[offers])
        gain[judged] = np.log(given[levels[judged], offers]) + surprise[judged]
    whole = float(surprise.mean())
    return float(gain.mean()) / whole, float(gain.std()) / np.sqrt(len(gain)) / whole
