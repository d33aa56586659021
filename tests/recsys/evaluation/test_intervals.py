"""Bootstrap intervals."""

import numpy as np
import pytest

from recsys.evaluation.intervals import bootstrap


def test_the_interval_is_about_two_standard_errors_wide_on_each_side() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3.0, 2.0, 2_000)
    interval = bootstrap({"x": values}, np.arange(2_000), rng)["x"]
    assert interval.mean == pytest.approx(values.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * 2.0 / np.sqrt(2_000), rel=0.1)


def test_tasks_of_one_customer_count_as_one_draw() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=100), 20)
    alone = bootstrap({"x": values}, np.arange(2_000), rng)["x"]
    together = bootstrap({"x": values}, np.repeat(np.arange(100), 20), rng)["x"]
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=500)
    interval = bootstrap({"difference": (one + 0.01) - one}, np.arange(500), rng)["difference"]
    assert interval.low == pytest.approx(0.01)
    assert interval.high == pytest.approx(0.01)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = {"x": np.random.default_rng(0).random(50)}
    one, other = (bootstrap(values, np.arange(50), np.random.default_rng(4)) for _ in range(2))
    assert one == other
