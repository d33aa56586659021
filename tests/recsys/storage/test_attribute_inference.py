"""The types of customer attributes come from all their values."""

import pytest

from recsys.storage.attribute_inference import infer_types


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "", "-2.5e3"], "number"),
        (["1", "2", "three"], "text"),
        (["true", "False", ""], "boolean"),
        (["true", "1"], "text"),
        (["1", "nan"], "number"),
        (["0", "1"], "number"),
        (["上海"], "text"),
        (["", " "], None),
    ],
)
def test_a_column_has_the_narrowest_type_that_fits_all_its_values(values: list[str], expected: str | None) -> None:
    assert infer_types([{"x": value} for value in values], ["x"]).get("x") == expected
