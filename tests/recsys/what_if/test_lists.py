"""Lists of many customers: shortlists with ties, and the greedy order, against the engine's own `arrange`."""

import numpy as np
import pytest

from recsys.ranking.arbitration import arrange, best_first
from recsys.what_if.lists import arrange_many, best_of
from tests.builders import a_catalogue, an_offer

TABLE = a_catalogue(
    *(an_offer(f"o{number}", family=f"f{number % 3}" if number % 2 else "") for number in range(9))
).table


@pytest.mark.parametrize("seed", range(20))
def test_lists_with_ties_are_those_of_the_engine(seed: int) -> None:
    rng = np.random.default_rng(seed)
    priorities = rng.integers(0, 4, (30, 9)).astype(float)
    chosen, left = rng.random((30, 9)) < 0.6, rng.integers(0, 4, 30)
    short = best_of(chosen, priorities, 4)
    lists = arrange_many(short & (left > 0)[:, None], priorities, TABLE, 3, left)
    for row in range(30):
        ordered = best_first(np.flatnonzero(chosen[row]), priorities[row], False, TABLE)[:4]
        expected = arrange(ordered.tolist(), TABLE, 3, int(left[row]))
        assert [column for column in lists[row].tolist() if column >= 0] == expected


def test_a_shortlist_takes_the_lower_column_of_two_alike() -> None:
    chosen = best_of(np.ones((1, 4), dtype=bool), np.array([[1.0, 2.0, 1.0, 1.0]]), 2)
    assert chosen.tolist() == [[True, True, False, False]]
