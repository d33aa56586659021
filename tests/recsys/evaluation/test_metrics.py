"""Ranking metrics against values worked out by hand."""

import numpy as np
import pytest

from recsys.evaluation import metrics

HITS = np.array([[0, 1, 0, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
RELEVANT = np.array([3, 3, 1])


def test_hit_rate_says_whether_anything_relevant_is_in_the_list() -> None:
    assert metrics.hit_rate(HITS, 1).tolist() == [0, 1, 0]
    assert metrics.hit_rate(HITS, 2).tolist() == [1, 1, 0]


def test_recall_divides_by_what_is_relevant_and_precision_by_k() -> None:
    assert metrics.recall(HITS, RELEVANT, 2) == pytest.approx([1 / 3, 2 / 3, 0])
    assert metrics.precision(HITS, 2) == pytest.approx([1 / 2, 1, 0])


def test_precision_counts_the_places_that_could_not_be_filled() -> None:
    assert metrics.precision(HITS, 10) == pytest.approx([0.2, 0.3, 0])


def test_ndcg_is_one_for_the_ideal_list_and_discounts_by_position() -> None:
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    expected = [(1 / np.log2(3) + 1 / np.log2(5)) / ideal, 1, 0]
    assert metrics.ndcg(HITS, RELEVANT, 5) == pytest.approx(expected)


def test_the_ideal_list_of_ndcg_is_cut_at_k() -> None:
    assert metrics.ndcg(HITS, np.array([3, 3, 3]), 1).tolist() == [0, 1, 0]


def test_average_precision_averages_over_what_could_be_found() -> None:
    assert metrics.average_precision(HITS, RELEVANT, 4) == pytest.approx([(1 / 2 + 2 / 4) / 3, 1, 0])
    assert metrics.average_precision(HITS, RELEVANT, 2) == pytest.approx([(1 / 2) / 2, 1, 0])


def test_reciprocal_rank_is_zero_where_nothing_relevant_was_ranked() -> None:
    assert metrics.reciprocal_rank(np.array([2, 1, 0])).tolist() == [1 / 2, 1, 0]


def test_lists_longer_than_the_catalogue_are_cut_to_it() -> None:
    values = metrics.ranking_metrics(HITS, RELEVANT, [50])
    assert values["HR@50"].tolist() == [1, 1, 0]
    assert values["NDCG@50"][1] == pytest.approx(1)


def test_all_metrics_agree_with_scikit_learn_where_it_has_them() -> None:
    from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

    rng = np.random.default_rng(0)
    relevant = rng.random((40, 12)) < 0.3
    relevant[:, 0] |= ~relevant.any(axis=1)
    scores = rng.random((40, 12))
    hits = np.take_along_axis(relevant, np.argsort(-scores, axis=1), axis=1)
    counts = relevant.sum(axis=1)
    assert metrics.ndcg(hits, counts, 5).mean() == pytest.approx(ndcg_score(relevant, scores, k=5))
    average = label_ranking_average_precision_score(relevant, scores)
    assert metrics.average_precision(hits, counts, 12).mean() == pytest.approx(average)
