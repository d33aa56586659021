"""Which hyper-parameters each family begins with, by how much there is to learn from: the one place that says it."""

from typing import Any

from recsys.models.data_shape import DataShape

_DENSE, _SPARSE = 0.05, 0.01
"""From this share of all pairs on a catalogue counts as dense, and below this as sparse."""


def defaults_of(family: str, shape: DataShape) -> dict[str, Any]:
    """Return the parameters that `family` begins with on such data; one not named keeps what its class says.

    docs/models.md ("Defaults") has the figures behind them.
    """
    if family == "als":
        return _als(shape)
    if family == "bpr" and shape.density < _SPARSE:  # each factor is drawn on so seldom that it needs more passes
        return {"learning_rate": 0.1, "regularization": 0.02, "iterations": 400, "popularity_weight": 0.0}
    if family == "bpr":
        return {"popularity_weight": 0.5}
    if family == "popularity":
        return {"half_life_days": 180.0}
    return {}


def _als(shape: DataShape) -> dict[str, Any]:
    """The rarer a purchase, the more it says: more confidence, more factors, and less to hold them back."""
    if shape.density >= _DENSE:
        return {"factors": 64, "regularization": 30.0, "alpha": 3.0, "iterations": 15}
    regularization = 100.0 if shape.density >= _SPARSE else 30.0
    return {"factors": 128, "regularization": regularization, "alpha": 40.0, "iterations": 15}
