"""The sparse customer × offer matrix."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix, build_matrix


def test_repeated_pairs_add_up_and_the_latest_age_stays() -> None:
    built = build_matrix(["b", "a", "b"], ["x", "y", "x"], [1.0, 2.0, 3.0], [10.0, 5.0, 2.0])
    assert built.customer_ids == ("a", "b")
    assert built.matrix.toarray().tolist() == [[0.0, 2.0], [4.0, 0.0]]
    assert built.age_days is not None
    assert built.age_days.tolist() == [5.0, 2.0]


def test_the_order_of_events_does_not_matter() -> None:
    one = build_matrix(["a", "b", "c"], ["x", "y", "z"])
    other = build_matrix(["c", "a", "b"], ["z", "x", "y"])
    assert one.offer_ids == other.offer_ids
    assert (one.matrix != other.matrix).nnz == 0


def test_offers_that_no_event_names_are_empty_columns() -> None:
    built = build_matrix(["a"], ["x"], catalogue=["w", "x"])
    assert built.offer_ids == ("w", "x")
    assert built.matrix.toarray().tolist() == [[0.0, 1.0]]


def test_ids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="ids do not fit"):
        InteractionMatrix(csr_matrix((2, 2), dtype=np.float32), ("a",), ("x", "y"))
    with pytest.raises(ValueError, match="ages do not fit"):
        InteractionMatrix(csr_matrix((1, 1), dtype=np.float32), ("a",), ("x",), np.zeros(1, dtype=np.float32))


def a_dated_world(customers: int = 60) -> InteractionMatrix:
    rng = np.random.default_rng(0)
    count = customers * 5
    who = [f"c{number:02d}" for number in rng.integers(0, customers, count)]
    what = [f"o{number}" for number in rng.integers(0, 9, count)]
    return build_matrix(who, what, None, rng.uniform(0, 100, count))


def entries(world: InteractionMatrix) -> dict[tuple[str, str], float]:
    assert world.age_days is not None
    rows = np.repeat(np.arange(world.matrix.shape[0]), np.diff(world.matrix.indptr))
    names = [(world.customer_ids[r], world.offer_ids[c]) for r, c in zip(rows, world.matrix.indices, strict=True)]
    return dict(zip(names, world.age_days.tolist(), strict=True))


def moments(world: InteractionMatrix) -> set[tuple[str, str, float]]:
    assert world.events is not None
    parts = (world.events.rows, world.events.columns, world.events.age_days.tolist())
    return {(world.customer_ids[r], world.offer_ids[c], age) for r, c, age in zip(*parts, strict=True)}


def test_some_rows_keep_their_names_ages_and_events() -> None:
    world = a_dated_world()
    rows = np.array([3, 20, 59])
    some = world.of_rows(rows)
    names = {world.customer_ids[row] for row in rows}
    assert entries(some) == {key: age for key, age in entries(world).items() if key[0] in names}
    assert moments(some) == {one for one in moments(world) if one[0] in names}


def test_entries_go_together_with_the_events_behind_them() -> None:
    world = a_dated_world()
    every = list(entries(world))
    gone = {every[place] for place in (0, 17, 100)}
    left = world.without_entries(np.array([0, 17, 100]))
    assert left.matrix.nnz == world.matrix.nnz - 3
    assert entries(left) == {key: age for key, age in entries(world).items() if key not in gone}
    assert moments(left) == {one for one in moments(world) if one[:2] not in gone}
