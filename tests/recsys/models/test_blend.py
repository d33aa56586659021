"""The conditional logit: what it learns, and that nothing of the future gets in."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.models import blend as module
from recsys.models.blend import Blend
from tests.recsys.models.worlds import a_market, every_offer


def after_a_comes_b(customers: int = 400, seed: int = 0) -> InteractionMatrix:
    """Half of the customers take a and later b, the others c and later d; ages up to two years."""
    rng = np.random.default_rng(seed)
    who, what, age = [], [], []
    for number in range(customers):
        first, second = ("a", "b") if number % 2 else ("c", "d")
        start = rng.uniform(60, 700)
        who += [f"{number:03d}"] * 2
        what += [first, second]
        age += [start, start - rng.uniform(1, 50)]
    return build_matrix(who, what, None, age)


def fit(world: InteractionMatrix) -> Blend:
    return Blend().fit(world, rng=np.random.default_rng(0))


def examples_of(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The examples of every fit from now on, whose weights stay 0."""
    seen: list[Any] = []

    def remember(examples: Any, penalty: float) -> np.ndarray:
        seen.append(examples)
        return np.zeros((4, 4))

    monkeypatch.setattr(module, "_fit_weights", remember)
    return seen


def test_what_follows_a_purchase_is_learned_with_its_direction() -> None:
    scores = fit(after_a_comes_b()).score(csr_matrix(np.eye(4, dtype=np.float32)), np.arange(4))
    assert scores[0, 1] > scores[0, 3]
    assert scores[2, 3] > scores[2, 1]


def test_without_a_history_the_rate_among_those_who_can_still_buy_counts() -> None:
    world = build_matrix(list("abcdefg"), list("xxxxyyy"), None, np.zeros(7))
    nobody = csr_matrix((1, 2), dtype=np.float32)
    assert fit(world).score(nobody, np.arange(2))[0].argmax() == 0
    scarce = replace(world, open_share=np.array([0.9, 0.1]))
    assert fit(scarce).score(nobody, np.arange(2))[0].argmax() == 1


def test_the_recent_counts_more() -> None:
    world = build_matrix(list("abcde"), list("xxxyy"), None, [300, 300, 300, 0, 0])
    assert fit(world).popularity.argmax() == 1


def test_an_example_is_explained_by_earlier_blocks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same past gives the same offsets, whatever happens after."""
    seen = examples_of(monkeypatch)
    past = after_a_comes_b()
    assert past.events is not None
    more = build_matrix(["x"] * 500, ["d"] * 500, None, np.zeros(500))
    assert more.events is not None
    rows = [past.customer_ids[row] for row in past.events.rows] + ["zz"] * 500
    offers = [past.offer_ids[column] for column in past.events.columns] + ["d"] * 500
    # the flood of d comes 60 days after the last event of the past
    both = build_matrix(rows, offers, None, np.concatenate([past.events.age_days + 60, more.events.age_days]))
    fit(past)
    fit(both)
    count = len(seen[0].chosen)
    assert count > 100
    assert np.allclose(seen[0].offsets, seen[1].offsets[:count])


def test_offers_already_held_are_no_alternative_unless_they_can_be_bought_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = examples_of(monkeypatch)
    world = after_a_comes_b()
    fit(world)
    fit(replace(world, open_share=np.array([1.0, 0.5, 0.5, 0.5])))
    held_a = np.asarray(seen[0].known[:, 0].toarray()).ravel() > 0
    assert (seen[0].offsets[held_a, 0] < -1e8).all()
    assert (seen[1].offsets[held_a, 0] > -1e8).all()


def test_examples_are_drawn_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_EXAMPLES", 20)
    world = after_a_comes_b()
    scores = fit(world).score(world.matrix, every_offer(world))
    assert np.isfinite(scores).all()


def test_more_offers_than_it_is_for_are_refused() -> None:
    world = build_matrix(["a"] * 1_001, [f"o{n}" for n in range(1_001)])
    with pytest.raises(ValueError, match="at most 1000 offers"):
        fit(world)


def test_its_popularity_is_what_somebody_unknown_gets() -> None:
    model = fit(a_market())
    assert model.popularity.max() == 1
    assert np.argsort(model.popularity).tolist() == np.argsort(model.level).tolist()


def pairs(customers: int = 400, span: float = 0.0) -> InteractionMatrix:
    """Half of the customers hold a and b, the others c and d; all of one date, or drawn from `span` days."""
    rng = np.random.default_rng(0)
    who = [f"{number:03d}" for number in range(customers) for _ in range(2)]
    what = [offer for number in range(customers) for offer in ("ab" if number % 2 else "cd")]
    return build_matrix(who, what, None, rng.uniform(0, span, 2 * customers) if span else np.zeros(2 * customers))


@pytest.mark.parametrize("span", [0.0, 1.0, 20.0, 100.0])
def test_what_goes_together_is_learned_of_a_stock_of_one_date_and_of_a_short_log(span: float) -> None:
    scores = fit(pairs(span=span)).score(csr_matrix(np.eye(4, dtype=np.float32)), np.arange(4))
    for held, other in enumerate([1, 0, 3, 2]):
        scores[held, held] = -np.inf
        assert scores[held].argmax() == other


def test_on_one_date_popularity_is_what_was_taken_most() -> None:
    world = build_matrix(list("abcdefg"), list("xxxxyyy"), None, np.zeros(7))
    model = fit(world)
    assert not model.shift.any()
    assert model.level.argmax() == 0
