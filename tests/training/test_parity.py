"""Fold-in parity: people unknown in training, scored with and without a refit."""

import numpy as np
import pytest

from recsys.interactions.matrix import InteractionMatrix, build_matrix
from training.folds import Recipe
from training.parity import measure_parity


def tastes(customers: int = 200, offers: int = 20) -> InteractionMatrix:
    """Customers who take six offers of one half of the catalogue; the age of an entry is its place."""
    rng = np.random.default_rng(0)
    pairs = [
        (f"c{number:03d}", f"{'ab'[number % 2]}{place:02d}")
        for number in range(customers)
        for place in rng.choice(offers // 2, 6, replace=False)
    ]
    ages = np.arange(len(pairs), dtype=np.float32)
    return build_matrix([c for c, _ in pairs], [o for _, o in pairs], None, ages)


def test_a_model_that_keeps_no_customers_has_nearly_the_same_lists_after_a_refit() -> None:
    found = measure_parity(Recipe("item_item", {}), tastes(), None, 1)
    assert found is not None
    assert (found.customers, found.list_length) == (40, 10)
    assert found.overlap.mean > 0.8
    assert found.difference.low <= 0 <= found.difference.high
    assert found.difference.mean == pytest.approx(found.refit.mean - found.fold_in.mean)


def test_the_same_seed_measures_the_same() -> None:
    recipe = Recipe("als", {"factors": 4, "iterations": 3})
    assert measure_parity(recipe, tastes(), None, 1) == measure_parity(recipe, tastes(), None, 1)


def test_lists_of_a_small_catalogue_are_half_of_it() -> None:
    found = measure_parity(Recipe("popularity", {}), tastes(offers=12), None, 1)
    assert found is not None
    assert found.list_length == 6


def test_too_few_customers_with_two_offers_are_said_to_be_too_few() -> None:
    assert measure_parity(Recipe("popularity", {}), build_matrix(["a", "b"], ["x", "y"]), None, 1) is None


def test_the_first_model_never_sees_those_who_are_scored_nor_either_the_hidden_offer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[InteractionMatrix] = []
    fit = Recipe.fit

    def watched(recipe: Recipe, interactions: InteractionMatrix, *rest: object) -> object:
        seen.append(interactions)
        return fit(recipe, interactions, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Recipe, "fit", watched)
    world = tastes()
    measure_parity(Recipe("popularity", {}), world, None, 1)
    without, refitted = seen
    assert len(without.customer_ids) == 160
    assert (refitted.matrix.nnz, world.matrix.nnz) == (1160, 1200)
    assert set(without.customer_ids) < set(world.customer_ids)


def test_of_very_many_customers_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.parity._MOST_ROWS", 50)
    found = measure_parity(Recipe("item_item", {}), tastes(), None, 1)
    assert found is not None
    assert found.customers == 10
