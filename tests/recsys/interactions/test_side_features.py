"""Facts become the same columns whether they come one by one or as a table."""

import json

import numpy as np
import pytest

from recsys.interactions.side_features import FeatureSpace

COLUMNS = {
    "segment": np.array(["mass", "private", None, "", "青年", "mass"], dtype=object),
    "age": np.array([20.0, 35.0, np.nan, 50.0, 65.0, 80.0]),
    "is_member": np.array([True, False, None, True, True, False], dtype=object),
}
SPACE = FeatureSpace.of_columns(COLUMNS)
ROWS = [{name: values[row] for name, values in COLUMNS.items()} for row in range(6)]


def test_rows_and_columns_encode_alike() -> None:
    assert np.array_equal(SPACE.encode(ROWS).toarray(), SPACE.encode_columns(COLUMNS, 6).toarray())


def test_texts_have_a_column_a_value_and_numbers_one_a_fifth() -> None:
    assert [name for name in SPACE.columns if not name.startswith("age")] == [
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
