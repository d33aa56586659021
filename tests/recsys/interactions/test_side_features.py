"""Facts become the same columns whether they come one by one or as a table."""

import json

import numpy as np
import pytest

from recsys.interactions.side_features import FeatureSpace

COLUMNS = {
    "segment": np.array(["mass", "private", None, "", "青年", "mass"], dtype=object),
    "age": np.array([20.0, 35.0, np.nan, 50.0, 65.0, 80.0]),
    "born": np.array(["1960-02-29", "1980-01-01", None, "1999-12-31", "2001-05-05", "1960-02-29"], dtype=object),
    "is_member": np.array([True, False, None, True, True, False], dtype=object),
}
SPACE = FeatureSpace.of_columns(COLUMNS)
ROWS = [{name: values[row] for name, values in COLUMNS.items()} for row in range(6)]


def test_rows_and_columns_encode_alike() -> None:
    assert np.array_equal(SPACE.encode(ROWS).toarray(), SPACE.encode_columns(COLUMNS, 6).toarray())


def test_texts_have_a_column_a_value_and_numbers_one_a_band() -> None:
    assert [name for name in SPACE.columns if not name.startswith(("age", "born"))] == [
        "is_member=False", "is_member=True", "segment=mass", "segment=private", "segment=青年",
    ]  # fmt: skip
    assert sum(name.startswith("age") for name in SPACE.columns) == 5


def test_what_is_unknown_has_no_column() -> None:
    assert SPACE.encode([{"segment": None, "age": float("nan"), "colour": "red", "is_member": "?"}]).nnz == 0


def test_a_number_beyond_all_seen_falls_into_the_outer_band() -> None:
    low, high = SPACE.encode([{"age": -5}, {"age": 900}])
    assert [SPACE.columns[row.indices[0]] for row in (low, high)] == ["age=0", "age=7"]


def test_a_value_that_few_have_gets_no_column() -> None:
    assert FeatureSpace.of_columns(COLUMNS, at_least=2).columns[-1] == "segment=mass"


def test_a_number_that_all_share_says_nothing() -> None:
    space = FeatureSpace.of_columns({"risk_level": np.array([1.0, 1.0, np.nan]), "age": np.array([np.nan] * 3)})
    assert (space.columns, dict(space.bands)) == ((), {})
    assert FeatureSpace.of_rows([{"margin": 7, "family": "card"}, {"margin": 7}]).columns == ("family=card",)


def test_an_offer_may_have_several_values_of_a_fact() -> None:
    space = FeatureSpace.of_rows(
        [{"intents": ["travel", "fees"], "margin": 3.0}, {"intents": frozenset(), "margin": 9}]
    )
    assert space.encode([{"intents": ("fees", "travel", "?")}]).sum() == 2


@pytest.mark.parametrize("row", range(6))
def test_decoded_facts_encode_to_the_same_row(row: int) -> None:
    encoded = SPACE.encode(ROWS)[row]
    assert np.array_equal(SPACE.encode([SPACE.decode(encoded)]).toarray(), encoded.toarray())


def test_a_space_survives_json() -> None:
    assert FeatureSpace.from_json(json.loads(json.dumps(SPACE.to_json()))) == SPACE


@pytest.mark.parametrize("wrong", [{}, {"bands": {}, "columns": ["a", "a"]}, {"bands": {"x": [2, 1]}, "columns": []}])
def test_a_space_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        FeatureSpace.from_json(wrong)


def test_a_date_is_a_number_of_days_and_anything_else_where_dates_are_expected_says_nothing() -> None:
    early, late = SPACE.encode([{"born": "1900-01-01"}, {"born": "2020-01-01"}])
    bands = [name for name in SPACE.columns if name.startswith("born=")]
    assert [SPACE.columns[row.indices[0]] for row in (early, late)] == [bands[0], bands[-1]]
    assert SPACE.encode([{"born": text} for text in ("", "soon", "1999-13-45", "1999-1-1")]).nnz == 0
    assert SPACE.encode([SPACE.decode(early)]).toarray().tolist() == early.toarray().tolist()


def test_texts_of_which_one_is_no_date_stay_texts() -> None:
    for odd in ("later", "1999-02-30"):
        space = FeatureSpace.of_columns({"since": np.array(["1999-01-01", odd], dtype=object)})
        assert space.columns == tuple(sorted(("since=1999-01-01", f"since={odd}")))
