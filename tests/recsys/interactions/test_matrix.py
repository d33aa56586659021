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
