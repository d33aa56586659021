"""Sums are the same on every Python, and those of older records can be made as the Python they were made on did."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.summation import compensated, total

NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=12)


@given(NUMBERS)
def test_a_total_is_added_from_left_to_right(values: list[float]) -> None:
    expected = 0.0
    for value in values:
        expected += value
    assert total(values) == expected


@given(NUMBERS)
def test_one_of_the_two_ways_is_that_of_the_built_in_sum(values: list[float]) -> None:
    with compensated():
        other = total(values)
    assert sum(values) == (other if sys.version_info >= (3, 12) else total(values))


def test_the_two_ways_differ_where_it_matters() -> None:
    values = [0.1] * 10
    with compensated():
        assert total(values) == 1.0
    assert total(values) == 0.9999999999999999
