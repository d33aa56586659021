"""When rows are a periodic extract: by how many repeat from one date to the next."""

import pytest

from recsys.domain.extract import Date, is_extract, repeated_share


@pytest.mark.parametrize(
    ("dates", "is_one"),
    [
        ([Date(100, 90), Date(100, 90), Date(100, 0)], True),  # a tenth ends every month
        ([Date(100, 73), Date(100, 0)], True),  # the same, by quarter
        ([Date(100, 3)] * 50, False),  # purchases, some of them repeated at once
        ([Date(1_000, 0), *[Date(10, 1)] * 50], False),  # a stock, then purchases
        ([Date(100, 100)], False),  # one date repeats nothing
        ([Date(19, 19), Date(500, 0)], False),  # too few to tell
    ],
)
def test_most_rows_of_an_extract_repeat(dates: list[Date], is_one: bool) -> None:
    assert is_extract(dates) is is_one


def test_the_share_is_of_all_pairs_that_could_repeat() -> None:
    assert repeated_share([Date(10, 5), Date(30, 30), Date(99, 0)]) == pytest.approx(35 / 40)
    assert repeated_share([Date(10, 10)]) == 0
