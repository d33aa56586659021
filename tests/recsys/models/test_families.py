"""What single families promise beyond the common contract."""

import numpy as np
import pytest

from recsys.interactions.matrix import build_matrix
from recsys.models.als import AlternatingLeastSquares
from recsys.models.item_item import ItemItem
from recsys.models.popularity import Popularity
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


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_item_item_stays_finite_when_everybody_bought_everything(weighting: str) -> None:
    world = build_matrix(["a", "a", "b", "b"], ["x", "y", "x", "y"])
    model = ItemItem(weighting).fit(world, rng=np.random.default_rng(0))
    assert np.isfinite(model.score(world.matrix, every_offer(world))).all()


def test_item_item_cosine_is_the_cosine_of_two_offers_customers() -> None:
    world = build_matrix(["a", "a", "b", "c"], ["x", "y", "x", "y"])
    model = ItemItem("cosine").fit(world, rng=np.random.default_rng(0))
    assert model.similarity.toarray() == pytest.approx(np.array([[1.0, 0.5], [0.5, 1.0]]))


def test_item_item_prefers_the_popular_where_the_history_says_nothing() -> None:
    world = build_matrix(["a", "b", "c", "d"], ["x", "y", "y", "z"])
    scores = ItemItem("cosine").fit(world, rng=np.random.default_rng(0)).score(world.matrix[0], every_offer(world))[0]
    assert scores[1] > scores[2]


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
        lambda: Popularity(-1.0),
    ],
)
def test_parameters_out_of_range_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"positive|weighting|negative"):
        wrong()  # type: ignore[operator]
