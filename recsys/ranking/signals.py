"""Signals: what a trained propensity model is told of an offer in a contact, by the same names as in the records."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.contact import Direction
from recsys.domain.decision import Situation
from recsys.domain.outcome import Answer
from recsys.ranking.intents import Matches

_DAY = 86_400.0
Signal = float | None


def shared_signals(situation: Situation, profiled: bool, channels: Iterable[str]) -> dict[str, Signal]:
    """Return the signals that are the same for every offer: the contact's and, unless refused, the person's.

    None stands for what is not known. `channels` are all there are. `situation.features` come from the online store,
    and so do the person's facts where it is up to date, and the bank's own features.
    """
    contact = situation.contact
    signals: dict[str, Signal] = {f"channel_{channel}": float(contact.channel == channel) for channel in channels}
    signals |= {"is_outbound": float(contact.direction == Direction.OUTBOUND), "sentiment": contact.sentiment}
    if profiled:
        facts = situation.profile
        if facts is None:
            facts = {**situation.customer.attributes, "risk_level": situation.customer.risk_level}
        known = {**facts, **situation.features, **situation.own}
        signals |= {
            name: float(value)
            for name, value in known.items()
            if isinstance(value, int | float) and not name.startswith("attr_") and name not in signals
        }
    return signals


def is_of_contact(name: str) -> bool:
    """Return whether a signal of `shared_signals` is the contact's, and stays as it was logged; else the person's."""
    return name in ("is_outbound", "sentiment") or name.startswith("channel_")


class OfferSignals:
    """The signals that differ between offers, as (m,) arrays; NaN is what is not known."""

    def __init__(
        self, base: NDArray[np.float64], relevance: NDArray[np.float32], matches: Matches, table: OfferTable
    ) -> None:
        self.values: dict[str, NDArray[np.float64]] = {
            "base_log_odds": base,
            "relevance": relevance.astype(np.float64),
            "intent_match": matches.confidence,
            "is_service": (~table.is_sale).astype(np.float64),
        }

    def add_past_answers(self, situation: Situation, table: OfferTable) -> None:
        """Add how often, and how long ago, this customer has declined each offer."""
        times, days = np.zeros(len(table)), np.full(len(table), np.nan)
        declined = [past for past in situation.answers if past.answer is Answer.DECLINED]
        for offer_id, count in Counter(past.offer_id for past in declined).items():
            if offer_id in table.column:
                times[table.column[offer_id]] = count
        for past in declined:
            if past.offer_id in table.column:
                days[table.column[past.offer_id]] = (situation.made_at - past.answered_at).total_seconds() / _DAY
        self.values |= {"times_declined": times, "days_since_declined": days}

    def of(self, column: int) -> dict[str, Signal]:
        """Return the signals of one offer."""
        row = {name: float(values[column]) for name, values in self.values.items()}
        return {name: None if value != value else value for name, value in row.items()}

    def rows(
        self, columns: NDArray[np.intp], names: Sequence[str], shared: Mapping[str, Signal]
    ) -> NDArray[np.float64]:
        """Return (len(columns), len(names)) of these offers, NaN where a name is not known."""
        found = np.full((len(columns), len(names)), np.nan)
        for place, name in enumerate(names):
            if name in self.values:
                found[:, place] = self.values[name][columns]
            elif (value := shared.get(name)) is not None:
                found[:, place] = value
        return found
