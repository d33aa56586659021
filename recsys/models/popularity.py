"""The baseline that every report shows: what customers took most, the recent counting more."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix
from recsys.models.base import Arrays, Parameters, popularity_of, require_shape


class Popularity:
    """Every customer gets the same scores; evidence halves every `half_life_days` (0: never) where ages are known."""

    name: ClassVar[str] = "popularity"

    def __init__(self, half_life_days: float = 0.0) -> None:
        if half_life_days < 0:
            raise ValueError("half_life_days is not negative")
        self.half_life_days = float(half_life_days)
        self.popularity: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def fit(
        self, interactions: InteractionMatrix, side_features: Parameters | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`."""
        self.popularity = popularity_of(interactions, self.half_life_days or None)
        return self

    def score(self, histories: csr_matrix, columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        return np.tile(self.popularity[columns], (histories.shape[0], 1))

    def contributions(self, history: csr_matrix, column: int) -> dict[int, float]:
        """Return nothing: no part of the score comes from the history."""
        return {}

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {"half_life_days": self.half_life_days}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        return {"popularity": self.popularity}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        model.popularity = arrays["popularity"]
        require_shape(model.popularity, (model.popularity.size,), "popularity")
        return model
