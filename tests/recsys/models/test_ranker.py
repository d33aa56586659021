"""The ranker: what it learns from facts that no other family can, from which moments, and how it says so."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.ranking_tasks import RankingTasks, evaluate
from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.interactions.past import Past, earlier_from_events, left_out
from recsys.interactions.side_features import FeatureSpace, SideFeatures
from recsys.models.base import RelevanceModel
from recsys.models.families import create_model
from recsys.models.ranker import Ranker
from recsys.models.ranker_signals import Facts, Signals
from tests.recsys.models.worlds import a_market, every_offer, facts_of

OFFERS = 12


def a_world_of_ages(customers: int = 900, seed: int = 0) -> tuple[InteractionMatrix, SideFeatures, np.ndarray]:
    """Everybody buys at random, but half of the offers are bought only by the young and half only by the old."""
    rng = np.random.default_rng(seed)
    is_old = rng.random(customers) < 0.5
    who, what, age = [], [], []
    for customer in range(customers):
        for offer in rng.choice(OFFERS // 2, 3, replace=False):
            who.append(f"c{customer:04d}")
            what.append(f"o{2 * offer + int(is_old[customer]):02d}")
            age.append(rng.uniform(0, 720))
    world = build_matrix(who, what, age_days=age, catalogue=[f"o{number:02d}" for number in range(OFFERS)])
    facts = {"born": np.array(["1950-01-01" if old else "1995-06-01" for old in is_old], dtype=object)}
    space = FeatureSpace.of_columns(facts)
    offers = csr_matrix((OFFERS, 0), dtype=np.float32)
    side = SideFeatures(space.encode_columns(facts, customers), offers, space, FeatureSpace())
    return world, side, is_old


def fitted_ranker(world: InteractionMatrix, side: SideFeatures | None, **parameters: int) -> Ranker:
    model = create_model("ranker", parameters).fit(world, side, rng=np.random.default_rng(3))
    assert isinstance(model, Ranker)
    return model


def test_people_without_a_history_get_what_people_like_them_buy() -> None:
    world, side, is_old = a_world_of_ages()
    model = fitted_ranker(world, side)
    nobody = csr_matrix((len(is_old), OFFERS), dtype=np.float32)
    top = model.score(nobody, every_offer(world), side.customers).argmax(axis=1)
    assert np.array_equal(top % 2 == 1, is_old)


def test_without_its_facts_it_no_longer_knows() -> None:
    world, _, _ = a_world_of_ages()
    model = fitted_ranker(world, None)
    assert not model.uses_facts
    nobody = csr_matrix((1, OFFERS), dtype=np.float32)
    assert np.array_equal(model.score(nobody, every_offer(world))[0], model.popularity)


def test_contributions_name_the_fact_that_made_the_difference() -> None:
    world, side, is_old = a_world_of_ages()
    model = fitted_ranker(world, side)
    nobody = csr_matrix((1, OFFERS), dtype=np.float32)
    old = side.customers[int(np.flatnonzero(is_old)[0])]
    for column in range(OFFERS):
        parts = model.contributions(nobody, column, old)
        assert parts.total == pytest.approx(model.score(nobody, np.array([column]), old)[0, 0], abs=1e-6)
        assert (parts.facts[0] > 0) == (column % 2 == 1)


def test_a_thousand_explanations_add_up_to_their_scores() -> None:
    world = a_market(400)
    side = facts_of(world)
    model = fitted_ranker(world, side)
    rng = np.random.default_rng(5)
    for _ in range(1000):
        row, column = int(rng.integers(world.matrix.shape[0])), int(rng.integers(30))
        parts = model.contributions(world.matrix[row], column, side.customers[row])
        score = float(model.score(world.matrix[row], np.array([column]), side.customers[row])[0, 0])
        assert parts.total == pytest.approx(score, abs=1e-6)


def test_it_asks_only_what_is_known_before_each_cut() -> None:
    world, side, _ = a_world_of_ages()
    asked: list[tuple[float, float]] = []
    go_back = earlier_from_events(world, side.customers)

    def noted(ages: Sequence[float], window: float) -> list[Past]:
        asked.extend((age, window) for age in ages)
        return go_back(ages, window)

    fitted_ranker(replace(world, earlier=noted), side)
    assert len(asked) == 6
    for past, (age, window) in zip(go_back([age for age, _ in asked], asked[0][1]), asked, strict=True):
        assert past.known.events is not None
        assert past.known.events.age_days.min() >= 0
        assert past.relevant.multiply(past.excluded > 0).nnz == 0
        assert window > 0
        assert past.known.matrix.sum() == (world.events.age_days >= age).sum()  # type: ignore[union-attr]


def test_an_event_at_the_very_cut_is_known_and_a_later_one_is_what_was_bought() -> None:
    world = build_matrix(["a", "a", "b"], ["x", "y", "x"], age_days=[10.0, 9.999, 20.0])
    past = earlier_from_events(world, None)([10.0], 5.0)[0]
    assert past.customer_ids == ("a",)
    assert past.histories.toarray().tolist() == [[1.0, 0.0]]
    assert past.relevant.toarray().tolist() == [[0.0, 1.0]]


def test_of_some_customers_only_their_past_is_seen() -> None:
    world, side, _ = a_world_of_ages()
    some = replace(world, earlier=earlier_from_events(world, side.customers)).of_rows(np.arange(100))
    assert some.earlier is not None
    past = some.earlier([100.0], 50.0)[0]
    assert set(past.known.customer_ids) | set(past.customer_ids) <= set(some.customer_ids)
    assert past.customers is not None
    assert past.customers.shape[0] == past.known.matrix.shape[0]


def test_without_times_everybody_is_held_against_the_others() -> None:
    world = replace(a_market(), events=None, age_days=None)
    found = left_out(world, None, 3, np.random.default_rng(0))
    several = int((np.diff(world.matrix.indptr) > 1).sum())
    assert sum(len(past.customer_ids) for past in found) == several
    for past in found:
        assert not set(past.customer_ids) & set(past.known.customer_ids)
        assert (past.relevant.sum(axis=1) == 1).all()
        assert past.relevant.multiply(past.histories > 0).nnz == 0
    assert np.isfinite(fitted_ranker(world, None).score(world.matrix, every_offer(world))).all()


def test_beyond_its_candidates_the_others_follow_in_the_order_of_the_base() -> None:
    world = a_market()
    side = facts_of(world)
    few, all_of_them = fitted_ranker(world, side, candidates=8), fitted_ranker(world, side)
    scores = few.score(world.matrix[:50], every_offer(world), side.customers[:50])
    base = few._weighed(few._learned.base(world.matrix[:50]))
    for row in range(50):
        if world.matrix[row].nnz == 0:
            continue
        best = np.argsort(-base[row], kind="stable")
        assert set(np.argsort(-scores[row], kind="stable")[:8]) == set(best[:8])
        assert scores[row, best[:8]].min() >= scores[row, best[8:]].max()
    assert all_of_them.score(world.matrix[:50], every_offer(world), side.customers[:50]).shape == scores.shape


def test_an_offer_added_later_is_ranked_like_those_that_resemble_it() -> None:
    world, side, is_old = a_world_of_ages()
    kinds = [{"family": "for the old" if number % 2 else "for the young"} for number in range(OFFERS)]
    space = FeatureSpace.of_rows(kinds)
    side = replace(side, offers=space.encode(kinds), offer_space=space)
    model = fitted_ranker(world, side)
    nobody = csr_matrix((len(is_old), OFFERS), dtype=np.float32)
    new = model.score_new(nobody, space.encode([kinds[0], kinds[1]]), side.customers)
    assert new is not None
    assert np.array_equal(new[:, 1] > new[:, 0], is_old)


def test_a_signal_that_says_more_never_lowers_a_score() -> None:
    """Where its learned parts say that an offer is the likelier, it is: what a reason says of it is true."""
    world = a_market(400)
    side = facts_of(world)
    signals = Signals.learn(world, side.customers, Facts.of(side.customer_space), np.random.default_rng(0))
    raised = {name for name, sign in zip(signals.names, signals.monotone, strict=True) if sign == 1}
    assert {"history:blend", "history:ease", "history:best step", "fact 0:lift", "fact 1:lift"} <= raised
    assert not raised & {"history:size", "general:recent", "history:own"}


def tasks_of(world: InteractionMatrix, side: SideFeatures, rows: np.ndarray, rng: np.random.Generator) -> RankingTasks:
    """One offer of each customer hidden."""
    matrix = world.matrix[rows].tolil()
    relevant = csr_matrix(matrix.shape, dtype=np.float32).tolil()
    for row in range(len(rows)):
        hidden = rng.choice(matrix.rows[row])
        relevant[row, hidden], matrix[row, hidden] = 1.0, 0.0
    histories = matrix.tocsr()
    histories.eliminate_zeros()
    return RankingTasks(
        histories, relevant.tocsr(), np.arange(len(rows)), excluded=histories, facts=side.customers[rows]
    )


def test_it_beats_its_own_base_where_facts_decide() -> None:
    world, side, _ = a_world_of_ages()
    rng = np.random.default_rng(0)
    train, test = np.arange(600), np.arange(600, 900)
    tasks = tasks_of(world, side, test, rng)
    part = world.of_rows(train)
    of_train = replace(side, customers=side.customers[train])
    models: list[RelevanceModel] = [
        create_model(name).fit(part, of_train, rng=np.random.default_rng(1)) for name in ("ranker", "blend")
    ]
    ranker, blend = (evaluate(m, tasks, (3,), np.random.default_rng(0)).values["NDCG@3"].mean() for m in models)
    assert ranker >= blend
