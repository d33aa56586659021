"""Exploration: offers shown by chance, one in a declared share of lists or all of them, each with its chance known."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.chance import uniform
from recsys.domain.offer import Offer

Columns = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Slate:
    """The list as shown: columns, the chance that each stands where it does, and where exploration stepped in."""

    columns: tuple[int, ...]
    probabilities: tuple[float, ...]
    explored_position: int | None = None
    made_room: int | None = None
    """The column that exploration took off the list."""


def explore(best: Sequence[int], others: Sequence[int], table: OfferTable, share: float, unit: str) -> Slate:
    """Return the list of `best` columns, one of its sales perhaps exchanged for one of `others`.

    With the chance `share` one place that holds a sale, each alike, goes to one of `others`, each alike,
    among those whose family stands nowhere else on the list. So the best offer of such a place is shown with
    1 − share / places and each of its n alternatives with share / (places · n): every offer that could be
    shown has a known chance, as off-policy evaluation needs. Service actions stay. The draw follows from
    `unit` alone (a contact keeps its list while it lasts, as far as the same offers are in question).
    """
    places = [place for place, column in enumerate(best) if table.sales[column]]
    chance = share / len(places) if places else 0.0
    probabilities = [1.0] * len(best)
    for place in places:
        if any(_fitting(best, place, others, table)):
            probabilities[place] = 1 - chance
    if not places or uniform("explore", unit) >= share:
        return Slate(tuple(best), tuple(probabilities))
    place = places[int(uniform("explore-place", unit) * len(places))]
    alternatives = [column for column, fits in zip(others, _fitting(best, place, others, table), strict=True) if fits]
    if not alternatives:
        return Slate(tuple(best), tuple(probabilities))
    chosen = min(alternatives, key=lambda column: uniform("explore-offer", f"{unit}|{table.offer_ids[column]}"))
    probabilities[place] = chance / len(alternatives)
    return Slate((*best[:place], chosen, *best[place + 1 :]), tuple(probabilities), place + 1, best[place])


def drawn(columns: Columns, offers: Sequence[Offer], unit: str) -> Columns:
    """Return the columns in an order that `unit` draws: every family alike, and within it each of its offers alike."""

    def draw(column: int) -> tuple[float, float]:
        offer = offers[column]
        family = offer.family or f"|{offer.offer_id}"
        return uniform("random-family", f"{unit}|{family}"), uniform("random-offer", f"{unit}|{offer.offer_id}")

    return np.array(sorted(columns.tolist(), key=draw), dtype=np.intp)


def drawn_slate(shown: Sequence[int], sales: Columns, table: OfferTable) -> Slate:
    """Return the list whose sales were `drawn` out of all open `sales`, of which it shows one a family.

    A sale stands at any of the places that sales have with 1 / (families · offers of its family): the families that
    no service action on the list has taken come in any order alike.
    """
    taken = [table.family[column] for column in shown if not table.is_sale[column]]
    families = Counter(table.family[sales][~np.isin(table.family[sales], taken)].tolist())
    chances = (1 / (len(families) * families[int(table.family[c])]) if table.is_sale[c] else 1.0 for c in shown)
    return Slate(tuple(shown), tuple(chances))


def _fitting(best: Sequence[int], place: int, others: Sequence[int], table: OfferTable) -> Iterator[bool]:
    """Yield, for each of `others`, whether it may stand there: its family has no other place on the list."""
    taken = {table.families[column] for other, column in enumerate(best) if other != place}
    return (table.families[column] not in taken for column in others)
