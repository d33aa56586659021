"""Ranking tasks: what is ranked, what is left out, and how ties fall."""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.ranking_tasks import RankingTasks, evaluate
from recsys.models.popularity import Popularity


def a_model(*popularity: float) -> Popularity:
    model = Popularity()
    model.popularity = np.array(popularity, dtype=np.float32)
    return model


def tasks(relevant: list[list[int]], **matrices: list[list[int]]) -> RankingTasks:
    rows: dict[str, Any] = {name: csr_matrix(np.array(values, dtype=np.float32)) for name, values in matrices.items()}
    wanted = csr_matrix(np.array(relevant, dtype=np.float32))
    return RankingTasks(csr_matrix(wanted.shape, dtype=np.float32), wanted, np.arange(len(relevant)), **rows)


def test_the_best_scored_offers_come_first() -> None:
    outcome = evaluate(a_model(0.1, 0.9, 0.5), tasks([[0, 0, 1], [1, 0, 0]]), [1], np.random.default_rng(0))
    assert outcome.values["MRR"].tolist() == [1 / 2, 1 / 3]


def test_negative_scores_sort_below_zero_and_above_what_is_left_out() -> None:
    asked = tasks(np.eye(5, dtype=int).tolist(), excluded=[[0, 0, 0, 0, 1]] * 5)
    outcome = evaluate(a_model(-2.5, 0.0, -0.1, 1e-30, 7.0), asked, [1], np.random.default_rng(0))
    assert outcome.values["MRR"].tolist() == [1 / 4, 1 / 2, 1 / 3, 1, 0]


def test_excluded_offers_leave_their_places_to_others() -> None:
    held = tasks([[0, 0, 1]], excluded=[[0, 1, 0]])
    assert evaluate(a_model(0.1, 0.9, 0.5), held, [1], np.random.default_rng(0)).values["HR@1"].tolist() == [1]


def test_only_eligible_offers_are_ranked() -> None:
    asked = tasks([[0, 0, 1], [0, 1, 0]], eligible=[[1, 0, 1], [1, 0, 1]])
    outcome = evaluate(a_model(0.1, 0.9, 0.5), asked, [3], np.random.default_rng(0))
    assert outcome.values["MRR"].tolist() == [1, 0]


def test_an_excluded_offer_is_never_a_hit_however_long_the_list() -> None:
    held = tasks([[0, 1, 0]], excluded=[[0, 1, 0]])
    outcome = evaluate(a_model(0.1, 0.9, 0.5), held, [3], np.random.default_rng(0))
    assert outcome.values["HR@3"].tolist() == [0]
    assert outcome.coverage["coverage@3"] == 2 / 3


def test_ties_fall_by_seed_and_evenly_and_not_by_place() -> None:
    many = tasks([[1, 0, 0, 0]] * 4_000)
    one, again, other = (
        evaluate(a_model(1, 1, 1, 1), many, [1], np.random.default_rng(seed)).values["HR@1"] for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert abs(one.mean() - 0.25) < 0.03


def test_batches_change_nothing_but_the_ties(monkeypatch: Any) -> None:
    model, many = a_model(0.1, 0.9, 0.5, 0.7), tasks(np.eye(4, dtype=int).tolist() * 5)
    whole = evaluate(model, many, [2], np.random.default_rng(0)).values
    monkeypatch.setattr("recsys.evaluation.ranking_tasks._BATCH_SCORES", 12)
    seen: list[int] = []
    parts = evaluate(model, many, [2], np.random.default_rng(0), lambda done, total: seen.append(done)).values
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    assert seen == [3, 6, 9, 12, 15, 18, 20]
