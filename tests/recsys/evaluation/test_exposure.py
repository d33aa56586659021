"""Beyond accuracy: coverage, evenness and how groups fare."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.exposure import by_group, exposure_of, gini, lorenz_curve
from recsys.evaluation.ranking_tasks import NO_OFFER, RankingTasks, evaluate
from recsys.interactions.matrix import build_matrix
from recsys.models.popularity import Popularity


def test_coverage_counts_the_offers_that_anybody_sees_and_empty_places_show_nothing() -> None:
    exposure = exposure_of(np.array([[0, 1], [0, NO_OFFER], [NO_OFFER, NO_OFFER]]), 4)
    assert exposure.shown.tolist() == [2, 1, 0, 0]
    assert exposure.is_filled.tolist() == [True, True, False]
    assert (exposure.coverage, exposure.length) == (0.5, 2)


def test_gini_is_0_where_all_are_shown_alike_and_nears_1_where_one_takes_all() -> None:
    assert gini(np.full(10, 7)) == pytest.approx(0.0)
    assert gini(np.array([0] * 99 + [5])) == pytest.approx(0.99)
    assert gini(np.array([1, 3])) == pytest.approx(0.25)
    assert gini(np.zeros(3, dtype=np.int64)) == 0.0


def test_the_lorenz_curve_bounds_an_area_of_half_the_gini_index() -> None:
    counts = np.random.default_rng(0).integers(0, 50, 40)
    offers, places = lorenz_curve(counts)
    area = float(((places[1:] + places[:-1]) / 2 * np.diff(offers)).sum())
    assert 1 - 2 * area == pytest.approx(gini(counts))


def test_lists_leave_out_what_the_task_leaves_out_and_end_where_nothing_is_left() -> None:
    world = build_matrix(["a", "b", "b", "c", "c", "c"], ["x", "x", "y", "x", "y", "z"])
    model = Popularity().fit(world, rng=np.random.default_rng(0))
    held = csr_matrix(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 1]], dtype=np.float32))
    wanted = csr_matrix(np.ones((3, 3), dtype=np.float32))
    tasks = RankingTasks(csr_matrix((3, 3), dtype=np.float32), wanted, np.arange(3), excluded=held)
    lists = evaluate(model, tasks, (2,), np.random.default_rng(0)).lists
    assert lists.tolist() == [[0, 1], [1, 2], [NO_OFFER, NO_OFFER]]


def test_offers_that_score_alike_come_in_an_order_of_the_seed() -> None:
    world = build_matrix(["a", "b"], ["x", "y"])
    model = Popularity().fit(world, rng=np.random.default_rng(0))
    nothing = csr_matrix((200, 2), dtype=np.float32)
    tasks = RankingTasks(nothing, csr_matrix(np.ones((200, 2), dtype=np.float32)), np.arange(200))
    first, again = (evaluate(model, tasks, (1,), np.random.default_rng(3)).lists for _ in range(2))
    assert np.array_equal(first, again)
    assert 50 < int((first == 0).sum()) < 150


def test_groups_are_compared_with_everybody_and_small_or_nameless_ones_left_out() -> None:
    groups = np.array(["young"] * 4 + ["old"] * 4 + ["few"] + [""])
    shares = by_group(np.array([1, 0, 0, 0, 1, 1, 1, 0, 1, 0], dtype=float), groups, 2)
    assert {name: (share.customers, share.ratio) for name, share in shares.items()} == {
        "young": (4, 0.5),
        "old": (4, 1.5),
    }


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    assert math.isnan(by_group(np.zeros(3), np.array(["a"] * 3), 1)["a"].ratio)
