"""What every relevance model keeps to, whichever family it is of."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import build_matrix
from recsys.models.base import Contributions
from recsys.models.families import FAMILIES, create_model
from tests.recsys.models.worlds import a_checkerboard, a_market, every_offer, facts_of, fitted

every_model = pytest.mark.parametrize("name", FAMILIES)
personal_model = pytest.mark.parametrize("name", [name for name in FAMILIES if name != "popularity"])


@personal_model
def test_it_recovers_the_withheld_diagonal_of_the_checkerboard(name: str) -> None:
    world = a_checkerboard()
    scores = fitted(name, world).score(world.matrix, every_offer(world))
    scores[world.matrix.nonzero()] = -np.inf
    assert scores.argmax(axis=1).tolist() == every_offer(world).tolist()


def test_popularity_scores_every_customer_alike() -> None:
    world = a_market()
    scores = fitted("popularity", world).score(world.matrix, every_offer(world))
    assert np.ptp(scores, axis=0).max() == 0
    assert np.ptp(scores) > 0


@every_model
def test_fit_returns_the_model_itself(name: str) -> None:
    model = create_model(name)
    assert model.fit(a_market(), rng=np.random.default_rng(0)) is model


@every_model
def test_a_second_fit_forgets_the_first(name: str) -> None:
    world = a_market()
    model = fitted(name, a_checkerboard()).fit(world, rng=np.random.default_rng(1))
    expected = fitted(name, world).score(world.matrix, every_offer(world))
    assert np.array_equal(model.score(world.matrix, every_offer(world)), expected)


@every_model
def test_the_same_seed_gives_the_same_arrays(name: str) -> None:
    one, other = (fitted(name, a_market(), seed=3).to_arrays() for _ in range(2))
    assert all(np.array_equal(one[key], other[key]) for key in one)


@every_model
def test_scores_are_finite_float32_rows_of_customers_by_offers(name: str) -> None:
    world = a_market()
    columns = np.array([4, 0, 29])
    scores = fitted(name, world).score(world.matrix, columns)
    assert scores.shape == (world.matrix.shape[0], 3)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@every_model
def test_chosen_columns_score_as_they_do_among_all(name: str) -> None:
    world = a_market()
    model = fitted(name, world)
    every = model.score(world.matrix, every_offer(world))
    assert np.allclose(model.score(world.matrix, np.array([7, 2])), every[:, [7, 2]], atol=1e-6)


@every_model
def test_an_unknown_customer_gets_the_popularity_answer(name: str) -> None:
    world = a_market()
    model = fitted(name, world)
    nobody = csr_matrix((1, len(world.offer_ids)), dtype=np.float32)
    assert np.array_equal(model.score(nobody, every_offer(world))[0], model.popularity)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("blend", "ranker")])
def test_popularity_is_the_share_of_evidence(name: str) -> None:
    world = a_market()
    totals = np.asarray(world.matrix.sum(axis=0)).ravel()
    assert np.allclose(fitted(name, world).popularity, totals / totals.max(), atol=1e-6)


@every_model
def test_save_then_load_changes_no_score(name: str) -> None:
    world = a_market()
    model = fitted(name, world)
    loaded = FAMILIES[name].from_arrays(model.to_arrays(), model.parameters())
    before, after = (each.score(world.matrix, every_offer(world)) for each in (model, loaded))
    assert np.array_equal(before, after)


@every_model
def test_neither_fitting_nor_scoring_modifies_the_input(name: str) -> None:
    world, untouched = a_market(), a_market()
    fitted(name, world).score(world.matrix, every_offer(world))
    assert np.array_equal(world.matrix.toarray(), untouched.matrix.toarray())


@personal_model
def test_contributions_sum_to_the_score(name: str) -> None:
    world = a_market()
    model = fitted(name, world)
    known = np.flatnonzero(np.diff(world.matrix.indptr))[:20]
    scores = model.score(world.matrix[known], every_offer(world))
    for row, customer in enumerate(known):
        for column in (0, 5, 11):
            parts = model.contributions(world.matrix[customer], column)
            assert set(parts.shares) == set(world.matrix[customer].indices.tolist())
            assert parts.total == pytest.approx(scores[row, column], abs=1e-5)


def test_popularity_shares_nothing_with_the_history() -> None:
    world = a_market()
    model = fitted("popularity", world)
    assert model.contributions(world.matrix[0], 1) == Contributions(float(model.popularity[1]), {})


@every_model
def test_without_a_history_popularity_is_the_whole_score(name: str) -> None:
    world = a_market()
    model = fitted(name, world)
    nobody = csr_matrix((1, len(world.offer_ids)), dtype=np.float32)
    assert model.contributions(nobody, 2) == Contributions(float(model.popularity[2]), {})


@every_model
def test_facts_change_only_the_scores_of_families_that_say_so(name: str) -> None:
    world = a_market()
    side = facts_of(world)
    model = create_model(name, {"by": "segment"} if name == "popularity" else {})
    model.fit(world, side, rng=np.random.default_rng(1))
    with_facts = model.score(world.matrix, every_offer(world), side.customers)
    without = model.score(world.matrix, every_offer(world))
    assert model.uses_facts == (name in ("popularity", "lightfm", "ranker"))
    assert np.array_equal(with_facts, without) != model.uses_facts


@every_model
def test_with_facts_too_contributions_sum_and_loading_changes_nothing(name: str) -> None:
    world = a_market()
    side = facts_of(world)
    model = create_model(name, {"by": "segment"} if name == "popularity" else {})
    model.fit(world, side, rng=np.random.default_rng(1))
    loaded = FAMILIES[name].from_arrays(model.to_arrays(), model.parameters())
    scores = model.score(world.matrix[:9], every_offer(world), side.customers[:9])
    assert np.array_equal(loaded.score(world.matrix[:9], every_offer(world), side.customers[:9]), scores)
    for row in range(9):
        parts = model.contributions(world.matrix[row], 5, side.customers[row])
        assert parts.total == pytest.approx(scores[row, 5], abs=1e-5)


@every_model
def test_an_offer_known_by_facts_only_gets_a_score_or_nothing(name: str) -> None:
    world = a_market()
    side = facts_of(world)
    model = create_model(name).fit(world, side, rng=np.random.default_rng(1))
    scores = model.score_new(world.matrix, side.offers[:3], side.customers)
    assert (scores is not None) == (name in ("lightfm", "ranker"))
    if scores is not None:
        assert scores.shape == (world.matrix.shape[0], 3)
        assert np.isfinite(scores).all()


@every_model
def test_nothing_to_learn_from_is_said(name: str) -> None:
    empty = build_matrix([], [], catalogue=["a"])
    with pytest.raises(ValueError, match="no positive evidence"):
        create_model(name).fit(empty, rng=np.random.default_rng(0))


@every_model
def test_it_learns_from_two_offers_and_one_customer(name: str) -> None:
    world = build_matrix(["a", "a"], ["x", "y"])
    assert np.isfinite(fitted(name, world).score(world.matrix, every_offer(world))).all()


def test_an_unknown_family_or_parameter_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="there are popularity, item_item, ease, als"):
        create_model("oracle")
    with pytest.raises(ValueError, match="als takes the parameters factors"):
        create_model("als", {"depth": 3})
    with pytest.raises(ValueError, match=r"als cannot be made with .*much"):
        create_model("als", {"alpha": "much"})
