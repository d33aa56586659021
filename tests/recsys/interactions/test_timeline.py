"""What was known before each purchase."""

import numpy as np
import pytest

from recsys.interactions.matrix import EventSequence, build_matrix
from recsys.interactions.timeline import Timeline


def sequence() -> EventSequence:
    """Ann takes x; then y and z together; then x again. Bob takes y."""
    customers, offers = ["ann", "bob", "ann", "ann", "ann"], ["x", "y", "z", "y", "x"]
    events = build_matrix(customers, offers, None, [30.0, 5.0, 20.0, 20.0, 10.0]).events
    assert events is not None
    return events


def test_events_come_by_customer_and_oldest_first() -> None:
    events = sequence()
    assert events.rows.tolist() == [0, 0, 0, 0, 1]
    assert events.columns.tolist() == [0, 1, 2, 0, 1]
    assert events.age_days.tolist() == [30, 20, 20, 10, 5]


def test_a_basket_knows_what_came_before_it_and_not_itself() -> None:
    timeline = Timeline(sequence(), 3)
    every = np.arange(5)
    assert timeline.earlier.tolist() == [0, 1, 1, 3, 0]
    assert timeline.known_before(every).toarray().tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert timeline.basket_of(every).toarray().tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0]]


def test_popularity_at_a_moment_halves_with_the_half_life_before_it() -> None:
    timeline = Timeline(sequence(), 3)
    shares = np.exp(timeline.log_popularity(10.0, timeline.age > 14, 15.0))
    # ages count from the last event, 5 days ago: x 25, y and z 15 → evidence ½, 1, 1, each plus one
    assert shares.tolist() == pytest.approx([1.5 / 5.5, 2 / 5.5, 2 / 5.5])
