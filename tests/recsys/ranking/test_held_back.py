"""What is allowed and not shown has the code of its rank, for one customer as for many."""

import numpy as np
import pytest

from recsys.domain.contact import Intent
from recsys.domain.offer import OfferKind
from recsys.ranking.arbitration import is_called_for
from recsys.ranking.codes import CODES, NUMBER
from recsys.ranking.held_back import held_back
from recsys.ranking.intents import match_intents
from recsys.ranking.people import Pairs
from recsys.ranking.permission import Permissions
from tests.builders import a_catalogue, an_offer

KINDS = [*OfferKind, *OfferKind]
OFFERS = [
    an_offer(f"o{number}", kind=kind, intents=frozenset({("complaint", "card", "loan")[number % 3]}))
    for number, kind in enumerate(KINDS)
]
CATALOGUE = a_catalogue(*OFFERS)
TABLE = CATALOGUE.table
STOPPED = ("not_on_sale", "vulnerable", "offer_cap", "contact_cap")


@pytest.mark.parametrize("customers", [1, 40])
@pytest.mark.parametrize("seed", range(20))
def test_the_code_of_rank_is_the_first_that_holds(seed: int, customers: int) -> None:
    rng, size = np.random.default_rng(seed), (customers, len(OFFERS))
    numbers = np.array([0, 0, 0, 0, *(NUMBER[code] for code in STOPPED)])
    codes = rng.choice(numbers, size).astype(np.int8)
    is_open = (codes == 0) & (rng.random(size) < 0.7)
    worthwhile, is_shown = rng.random(size) < 0.7, is_open & (rng.random(size) < 0.3)
    left = rng.integers(0, 3, customers)
    permissions = Permissions(codes, codes == 0, left, np.zeros(customers, dtype=bool))
    found = held_back(permissions, is_open, worthwhile, Pairs(*np.nonzero(is_shown)), TABLE)
    seen = set()
    for row in range(customers):
        shown = sum(is_shown[row, column] and offer.is_sale for column, offer in enumerate(OFFERS))
        for column, offer in enumerate(OFFERS):
            if is_shown[row, column]:
                expected = "allowed"
            elif codes[row, column]:
                expected = CODES[codes[row, column]]
            elif not is_open[row, column]:
                expected = "withheld" if offer.is_sale else "not_called_for"
            elif not worthwhile[row, column]:
                expected = "below_threshold"
            else:
                expected = "contact_cap" if offer.is_sale and shown == left[row] else "ranked_lower"
            assert CODES[found[row, column]] == expected
            seen.add(expected)
    assert customers == 1 or len(seen) == len(STOPPED) + 5


@pytest.mark.parametrize("arbitration", ["value", "random", "nothing"])
@pytest.mark.parametrize("intents", [(), ("card",), ("loan", "card")])
def test_a_service_action_needs_a_cause_and_a_sale_a_way_of_arbitration(
    arbitration: str, intents: tuple[str, ...]
) -> None:
    complaints = np.array([False, True])
    matched = match_intents(tuple(map(Intent, intents)), TABLE).found
    found = is_called_for(matched, complaints, arbitration, TABLE)
    for row, has_complaint in enumerate(complaints):
        for column, offer in enumerate(OFFERS):
            has_cause = bool(offer.intents & {*intents, *(["complaint"] if has_complaint else [])})
            assert found[row, column] == (has_cause if offer.kind == OfferKind.SERVICE else arbitration != "nothing")
