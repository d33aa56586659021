"""What single families promise beyond the common contract."""

import numpy as np
import pytest

from recsys.interactions.matrix import build_matrix
from recsys.models.als import AlternatingLeastSquares
from recsys.models.item_item import ItemItem
from recsys.models.popularity import Popularity
from recsys.models.sampled_factors import BayesianPersonalizedRanking
from tests.recsys.models.worlds import a_market, every_offer


def test_als_folds_a_history_in_as_implicit_does() -> None:
    from implicit.cpu.als import AlternatingLeastSquares as Implicit

    world = a_market()
    model = AlternatingLeastSquares(factors=8, alpha=5.0).fit(world, rng=np.random.default_rng(0))
    reference = Implicit(factors=8, regularization=model.regularization)
    reference.item_factors = model.item_factors
    confidence = world.matrix.copy()
    confidence.data = 1 + np.float32(5.0) * confidence.data
    expected = reference.recalculate_user(np.arange(world.matrix.shape[0]), confidence)
    assert np.allclose(model.fold_in(world.matrix), expected, atol=1e-3)


def test_als_solves_the_normal_equations_of_the_paper() -> None:
    world = a_market()
    model = AlternatingLeastSquares(factors=6).fit(world, rng=np.random.default_rng(0))
    factors = model.item_factors.astype(float)
    history = world.matrix[3].toarray().ravel().astype(float)
    confidence, preference = 1 + model.alpha * history, history > 0
    system = factors.T @ (confidence[:, None] * factors) + model.regularization * np.eye(factors.shape[1])
    expected = np.linalg.solve(system, factors.T @ (confidence * preference))
    assert np.allclose(model.fold_in(world.matrix[3])[0], expected, rtol=1e-4, atol=1e-5)


def test_als_has_no_more_factors_than_half_the_offers() -> None:
    model = AlternatingLeastSquares(factors=64).fit(a_market(offers=30), rng=np.random.default_rng(0))
    assert model.item_factors.shape == (30, 15)


def test_als_folds_in_histories_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_market()
    model = AlternatingLeastSquares().fit(world, rng=np.random.default_rng(0))
    together = model.fold_in(world.matrix)
    monkeypatch.setattr("recsys.models.fold_in._BATCH_NUMBERS", 1)
    assert np.allclose(model.fold_in(world.matrix), together, atol=1e-6)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25", "p3alpha", "rp3beta"])
def test_item_item_stays_finite_when_everybody_bought_everything(weighting: str) -> None:
    world = build_matrix(["a", "a", "b", "b"], ["x", "y", "x", "y"])
    model = ItemItem(weighting).fit(world, rng=np.random.default_rng(0))
    assert np.isfinite(model.score(world.matrix, every_offer(world))).all()


def test_item_item_cosine_is_the_cosine_of_two_offers_customers() -> None:
    world = build_matrix(["a", "a", "b", "c"], ["x", "y", "x", "y"])
    model = ItemItem("cosine").fit(world, rng=np.random.default_rng(0))
    assert model.similarity.toarray() == pytest.approx(np.array([[1.0, 0.5], [0.5, 1.0]]))


@pytest.mark.parametrize(("weighting", "alpha", "beta"), [("p3alpha", 1.0, 0.0), ("rp3beta", 0.7, 0.4)])
def test_a_walk_has_the_chances_of_the_papers(weighting: str, alpha: float, beta: float) -> None:
    world = a_market()
    matrix = world.matrix.toarray().astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        to_customer = np.nan_to_num((matrix / matrix.sum(axis=0)).T) ** alpha
        to_offer = np.nan_to_num(matrix / matrix.sum(axis=1, keepdims=True)) ** alpha
        expected = np.nan_to_num(to_customer @ to_offer / matrix.sum(axis=0) ** beta)
    np.fill_diagonal(expected, 0.0)
    model = ItemItem(weighting, neighbours=30, alpha=alpha, beta=beta).fit(world, rng=np.random.default_rng(0))
    assert model.similarity.toarray() == pytest.approx(expected / expected.max(axis=1)[:-1].mean(), rel=1e-4)


def test_a_walk_keeps_each_offers_likeliest_neighbours() -> None:
    world = a_market()
    every, few = (ItemItem("rp3beta", most).fit(world, rng=np.random.default_rng(0)).similarity for most in (30, 4))
    likeliest = np.sort(every.toarray(), axis=1)[:, -4:]
    assert np.sort(few.toarray(), axis=1)[:, -4:] == pytest.approx(likeliest * (few.max() / every.max()), rel=1e-4)
    assert np.diff(few.indptr).max() == 4


@pytest.mark.parametrize("block", [1, 100, 4_000_000])
def test_shrinkage_says_less_where_few_customers_are_shared(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.models.item_item._BLOCK_NUMBERS", block)
    world = a_market()
    matrix = world.matrix.toarray().astype(float)
    norms = np.linalg.norm(matrix, axis=0)
    model = ItemItem("cosine", neighbours=30, shrinkage=3.0).fit(world, rng=np.random.default_rng(0))
    assert model.similarity.toarray() == pytest.approx(matrix.T @ matrix / (np.outer(norms, norms) + 3.0), rel=1e-4)


@pytest.mark.parametrize("block", [1, 100, 4_000_000])
def test_two_hops_join_what_each_offers_neighbours_are_similar_to(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.models.item_item._BLOCK_NUMBERS", block)
    world = a_market()
    one, two = (ItemItem("cosine", 5, hops).fit(world, rng=np.random.default_rng(0)) for hops in (1, 2))
    others = one.similarity.toarray()
    np.fill_diagonal(others, 0.0)
    expected = others @ others
    expected[expected < np.sort(expected, axis=0)[-5]] = 0.0
    assert two.similarity.toarray() == pytest.approx(expected, rel=1e-4)


def test_item_item_prefers_the_popular_where_the_history_says_nothing() -> None:
    world = build_matrix(["a", "b", "c", "d"], ["x", "y", "y", "z"])
    scores = ItemItem("cosine").fit(world, rng=np.random.default_rng(0)).score(world.matrix[0], every_offer(world))[0]
    assert scores[1] > scores[2]


def test_bpr_gets_back_the_popularity_that_its_negatives_take_away() -> None:
    world = a_market()
    without, half = (
        BayesianPersonalizedRanking(iterations=5, popularity_weight=weight).fit(world, rng=np.random.default_rng(0))
        for weight in (0.0, 0.5)
    )
    gained = half.score(world.matrix[:9], every_offer(world)) - without.score(world.matrix[:9], every_offer(world))
    taken = half.popularity > 0
    assert gained[:, taken] == pytest.approx(np.tile(0.5 * np.log(half.popularity[taken]), (9, 1)), abs=1e-4)


def test_recent_purchases_count_more_towards_popularity() -> None:
    world = build_matrix(["a", "b", "c"], ["old", "old", "new"], None, [400.0, 400.0, 0.0])
    plain, decayed = (Popularity(half_life).fit(world, rng=np.random.default_rng(0)) for half_life in (0.0, 100.0))
    assert plain.popularity.tolist() == [0.5, 1.0]
    assert decayed.popularity.tolist() == [1.0, pytest.approx(2 / 16)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AlternatingLeastSquares(factors=0),
        lambda: AlternatingLeastSquares(regularization=float("nan")),
        lambda: ItemItem("magic"),
        lambda: ItemItem(beta=float("nan")),
        lambda: Popularity(-1.0),
    ],
)
def test_parameters_out_of_range_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"positive|weighting|negative"):
        wrong()  # type: ignore[operator]
