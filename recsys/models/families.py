"""Which model families there are, by the name that commands, bundles and reports use."""

from collections.abc import Mapping
from typing import Any

from recsys.models.als import AlternatingLeastSquares
from recsys.models.base import RelevanceModel
from recsys.models.blend import Blend
from recsys.models.data_shape import DataShape
from recsys.models.defaults import defaults_of
from recsys.models.ease import Ease
from recsys.models.item_item import ItemItem
from recsys.models.lightfm import LightFm
from recsys.models.popularity import Popularity
from recsys.models.ranker import Ranker
from recsys.models.sampled_factors import BayesianPersonalizedRanking, LogisticFactors

FAMILIES: Mapping[str, type[RelevanceModel]] = {
    family.name: family
    for family in (
        Popularity,
        ItemItem,
        Ease,
        AlternatingLeastSquares,
        BayesianPersonalizedRanking,
        LogisticFactors,
        LightFm,
        Blend,
        Ranker,
    )
}


def create_model(
    name: str, parameters: Mapping[str, Any] | None = None, shape: DataShape | None = None
) -> RelevanceModel:
    """Return an unfitted model, with the defaults for data of that `shape` where `parameters` say nothing.

    Raises ValueError for an unknown name or parameter, naming those that exist.
    """
    if name not in FAMILIES:
        raise ValueError(f"no model called {name!r}; there are {', '.join(FAMILIES)}")
    accepted = FAMILIES[name]().parameters()
    if parameters and not parameters.keys() <= accepted.keys():
        raise ValueError(f"{name} takes the parameters {', '.join(accepted)}")
    defaults = defaults_of(name, shape) if shape else {}
    try:
        return FAMILIES[name](**{**defaults, **(parameters or {})})
    except TypeError as error:
        raise ValueError(f"{name} cannot be made with {dict(parameters or {})}: {error}") from None
