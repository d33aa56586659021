"""An identifier has one normal form, whatever blanks, widths and invisible characters came with it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.domain.identifier import MAX_ID_LENGTH, alike, parse_identifier

BLANKS = [chr(code) for code in range(0x3001) if chr(code).isspace() and unicodedata.category(chr(code)) != "Cc"]
INVISIBLE = ["\u200b", "\u200c", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u200e"]
WIDE = {ord("!") + offset: 0xFF01 + offset for offset in range(94)}
IDS = st.text("ABCabc0123456789-_/.:#%客户号", min_size=1, max_size=40)


@pytest.mark.parametrize("blank", [*BLANKS, *INVISIBLE, "\t", "\n", "  "])
def test_blanks_and_invisible_characters_around_an_id_do_not_count(blank: str) -> None:
    assert parse_identifier(f"{blank}C2{blank}") == "C2"


@pytest.mark.parametrize("invisible", INVISIBLE)
def test_invisible_characters_inside_an_id_do_not_count(invisible: str) -> None:
    assert parse_identifier(f"C{invisible}2") == "C2"


@given(IDS)
def test_full_width_characters_are_the_same_id(text: str) -> None:
    assert parse_identifier(text.translate(WIDE)) == parse_identifier(text)


@given(IDS)
def test_parsing_twice_changes_nothing(text: str) -> None:
    assert parse_identifier(parse_identifier(text)) == parse_identifier(text)


@given(IDS, IDS)
def test_different_ids_stay_different(one: str, other: str) -> None:
    assert (parse_identifier(one) == parse_identifier(other)) == (one == other)


@pytest.mark.parametrize("text", ["0012/345678", "客户-7", "a b", "x" * MAX_ID_LENGTH, "010010", "1e5", "😀"])
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    assert parse_identifier(text) == text


@pytest.mark.parametrize(
    "text", ["", "  ", "\u3000", "\u200b", "a\x00b", "a\x1fb", "\ud800", "x" * (MAX_ID_LENGTH + 1)]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|longer|printed"):
        parse_identifier(text)


@pytest.mark.parametrize(("one", "other"), [("c2", "C2"), ("C-2", "C2"), ("C 2", "C2"), ("Straße", "STRASSE")])
def test_ids_that_a_person_takes_for_the_same_are_alike(one: str, other: str) -> None:
    assert alike(one) == alike(other)
    assert parse_identifier(one) != parse_identifier(other)


def test_ids_that_differ_are_not_alike() -> None:
    assert len({alike(one) for one in ("C2", "C3", "C22", "D2", "2C", "C1")}) == 6


@pytest.mark.parametrize("other", ["7.0", "7.00", "007", "0007.0"])
def test_numbers_that_files_write_another_way_are_alike(other: str) -> None:
    assert alike(other) == alike("7") != alike("70")
    assert alike("1,234") == alike("1234")
