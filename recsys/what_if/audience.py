"""The audience: what is known of many customers at one moment, as columns that a batch of decisions reads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recsys.catalogue.offer_table import OfferTable
from recsys.interactions.history_columns import HistoryColumns
from recsys.ranking.people import AnswerColumns, Occasion, Pairs, People, Protection

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Audience:
    """n customers on one occasion, which is neutral: without reason, mood or needs.

    `facts` has a column for each fact of theirs that rules and models may name.

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

    def people(self, table: OfferTable) -> People:
        """Return what permission is told of them: nobody has another live contact."""
        columns = table.columns_of(self.offer_ids)
        rows, held = self.history.held()
        answers = replace(self.answers, offers=columns[self.answers.offers])
        return People(self.occasion, self.protection, Pairs(rows, columns[held]), answers, acceptances=self.acceptances)
