"""What a trained propensity model is told of many customers, by the names of `recsys.ranking.signals`."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.domain.protection import FLAGS
from recsys.ranking.people import ANSWERS, MICROSECONDS_PER_DAY
from recsys.ranking.permission import is_profiled
from recsys.what_if.audience import Audience
from recsys.what_if.lists import Floats

_DECLINED = ANSWERS.index(Answer.DECLINED)


def declines_90d(audience: Audience) -> NDArray[np.int64]:
    """Return (n,) the feature `declined_count_90d`: how often each declined something in the last 90 days."""
    since = audience.occasion.microseconds - 90 * MICROSECONDS_PER_DAY
    return audience.history.declines_since(since, len(audience))


class AudienceSignals:
    """The signals of n customers and m offers; NaN is what is not known.

    Of the online store's features the event log's columns give `declined_count_90d`; the others are not known.
    """

    def __init__(
        self, audience: Audience, table: OfferTable, base: Floats, relevance: NDArray[np.float32], policy: Policy
    ) -> None:
        self._audience, self._table, self._relevance = audience, table, relevance
        self._profiled = is_profiled(audience.protection, policy)
        channel = audience.occasion.channel
        self._constants = {f"channel_{one}": float(one == channel) for one in policy.words.channels}
        self._constants |= {"is_outbound": 0.0, "intent_match": 0.0}
        self._of_offers = {"base_log_odds": base, "is_service": (~table.is_sale).astype(np.float64)}

    def rows(self, rows: NDArray[np.intp], columns: NDArray[np.intp], names: Sequence[str]) -> Floats:
        """Return (pairs, len(names)) of these pairs of customer and offer."""
        return np.column_stack([self._of(name, rows, columns) for name in names])

    def _of(self, name: str, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
        if name in self._constants:
            return np.full(len(rows), self._constants[name])
        if name in self._of_offers:
            return self._of_offers[name][columns]
        if name == "relevance":
            return self._relevance[rows, columns].astype(np.float64)
        if name in ("times_declined", "days_since_declined"):
            times, days = self._past_answers
            values = (times if name == "times_declined" else days)[rows, columns]
        else:
            values = self._of_customers(name)[rows]
        return np.where(self._profiled[rows], values, np.nan)

    def _of_customers(self, name: str) -> Floats:
        facts = self._audience.facts
        if name == "declined_count_90d":
            return declines_90d(self._audience).astype(np.float64)
        is_usable = name in facts.column_names and name not in FLAGS
        if is_usable and str(facts.schema.field(name).type) in ("double", "bool"):
            return np.asarray(facts[name].cast("double").to_numpy(), dtype=np.float64)
        return np.full(len(self._audience), np.nan)

    @cached_property
    def _past_answers(self) -> tuple[Floats, Floats]:
        """(n, m) how often, and how many days ago, each customer has declined each offer."""
        answers, table = self._audience.answers, self._table
        columns = table.columns_of(self._audience.offer_ids)[answers.offers]
        counts = (answers.answers == _DECLINED) & (columns < len(table))
        rows, columns, at = answers.rows[counts], columns[counts], answers.at[counts]
        times = np.zeros((len(self._audience), len(table)))
        np.add.at(times, (rows, columns), 1.0)
        days = np.full(times.shape, np.nan)
        days[rows, columns] = (self._audience.occasion.microseconds - at) / MICROSECONDS_PER_DAY
        return times, days
