"""Ids that a person, a spreadsheet or another alphabet takes for one another are alike, and others are not."""
# ruff: noqa: RUF001

import unicodedata
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.identifier import alike

GROUPS = [
    [
        "100000",
        "1E+05",
        "1.00E+05",
        "1e5",
        "100.000",
        "100,000",
        "100'000",
        "100 000",
        "0100000",
        "100000.0",
        "+100000",
    ],
    ["12", '="12"', '"12"', "12.", "+12", "12,0", "12.0", "12.00", "012", "٠١٢", "१२", "１２", "0012.0"],
    ["1234", "1.234", "1,234", "1 234", "1,234.00", "1.234,0"],
    ["C12", "C12.", "C012", "C0012", "С12", "с-12", "c 12", "Ｃ１２", "C/12", "'C12"],
    ["K-77", "K.77", "K/77", "K:77", "K77", "К77", "Κ77", "k_077"],
    ["0012345678", "0012/345678", "12345678", "0012-345-678"],
    ["José", "Jose", "JOSÉ", "Jose\u0301", "jose"],
    ["Łukasz", "lukasz"],
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_every_writing_of_an_id_is_alike(group: list[str]) -> None:
    assert {alike(one) for one in group} == {alike(group[0])}


def test_the_groups_are_not_alike() -> None:
    assert len({alike(group[0]) for group in GROUPS}) == len(GROUPS)
    others = ("C2", "C3", "C20", "C200", "C22", "D2", "2C", "C1", "C10", "0", "1", "10", "客户7", "客户70", "///", "--")
    assert len({alike(one) for one in others}) == len(others)


DIGITS = ("0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９", "০১২৩৪৫৬৭৮৯")


@given(st.integers(0, 10**12), st.sampled_from(DIGITS), st.integers(0, 5), st.sampled_from(["", ".0", ".", ",00"]))
def test_a_number_is_the_same_in_every_script_with_zeros_around_it(
    number: int, digits: str, zeros: int, behind: str
) -> None:
    spelt = "0" * zeros + str(number)
    assert alike(spelt.translate(str.maketrans("0123456789", digits)) + behind) == alike(str(number))


@given(st.integers(1, 999), st.integers(0, 9))
def test_an_exponent_is_the_number_it_says(number: int, exponent: int) -> None:
    assert alike(f"{number}E+{exponent:02}") == alike(f"{number}e{exponent}") == alike(str(number * 10**exponent))


@given(st.text("ABCXYZ", min_size=1, max_size=4), st.integers(0, 9999), st.integers(0, 3))
def test_separators_and_zeros_between_letters_and_digits_do_not_count(letters: str, number: int, zeros: int) -> None:
    for mark, case in product(["", "-", "/", ".", ":", " ", "_", "\u2013", "#"], (str.upper, str.lower)):
        assert alike(f"{case(letters)}{mark}{'0' * zeros}{number}") == alike(f"{letters}{number}")


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_that_differ_are_not_alike(one: int, other: int) -> None:
    assert (alike(str(one)) == alike(str(other))) is (one == other)


@given(st.text(min_size=1, max_size=20).filter(lambda text: unicodedata.normalize("NFKC", text).strip()))
def test_every_id_has_a_key(text: str) -> None:
    assert alike(text) or not text.strip()
