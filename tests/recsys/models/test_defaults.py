"""What families begin with, by the shape of the data, and that the search can reach it."""

import pytest

from recsys.models.data_shape import DataShape
from recsys.models.defaults import defaults_of
from recsys.models.families import FAMILIES, create_model
from tests.recsys.models.worlds import a_market
from training.search_spaces import Choice, space_of

SHAPES = {
    "a bank": DataShape(5_000, 60, 40_000),
    "a larger bank": DataShape(200_000, 500, 1_300_000),
    "citeulike": DataShape(5_551, 16_980, 55_510),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_are_parameters_of_the_family_within_what_is_searched(family: str, shape: DataShape) -> None:
    begun = create_model(family, None, shape).parameters()
    assert begun.items() >= defaults_of(family, shape).items()
    for name, allowed in space_of(family, False).items():
        if isinstance(allowed, Choice):
            assert begun[name] in allowed.values
        else:
            assert allowed.low <= begun[name] <= allowed.high


def test_a_rare_purchase_says_more_and_what_is_asked_for_goes_before() -> None:
    dense, sparse = (defaults_of("als", SHAPES[name]) for name in ("a bank", "citeulike"))
    assert sparse["alpha"] > dense["alpha"]
    assert sparse["factors"] > dense["factors"]
    assert create_model("als", {"alpha": 7.0}, SHAPES["citeulike"]).parameters() == {**sparse, "alpha": 7.0}


def test_a_shape_is_counted_from_the_matrix() -> None:
    world = a_market()
    shape = DataShape.of(world)
    assert (shape.customers, shape.offers, shape.entries) == (*world.matrix.shape, world.matrix.nnz)
    assert world.events is not None
    assert shape.events == len(world.events.rows)
    assert shape.grown(2.0) == DataShape(2 * shape.customers, shape.offers, 2 * shape.entries, 2 * shape.events)
