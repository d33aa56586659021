"""Exploration: a declared share of lists shows an offer that ranks lower, with the chance of every place known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recsys.catalogue.offer_table import OfferTable
from recsys.domain.chance import uniform


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
    places = [place for place, column in enumerate(best) if table.is_sale[column]]
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


def _fitting(best: Sequence[int], place: int, others: Sequence[int], table: OfferTable) -> Iterator[bool]:
    """Yield, for each of `others`, whether it may stand there: its family has no other place on the list."""
    taken = {int(table.family[column]) for other, column in enumerate(best) if other != place}
    return (int(table.family[column]) not in taken for column in others)
