"""The baseline that every report shows: what customers took most, the recent counting more, by segment."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from recsys.models.base import (
    Arrays,
    Contributions,
    Parameters,
    RelevanceModel,
    decayed_evidence,
    popularity_of,
    require_shape,
)
from recsys.models.data_shape import DataShape


class Popularity(RelevanceModel):
    """Evidence halves every `half_life_days` (0: never) where ages are known; everybody of a segment scores alike.

    A segment is one value of the customers' fact `by` ("": none). Its shares are drawn towards those of
    everybody by `shrinkage` units of evidence: (evidence + shrinkage × overall share) / (total + shrinkage),
    the posterior mean of a Dirichlet prior (Gelman et al., BDA 3rd ed., section 3.4).
    """

    name: ClassVar[str] = "popularity"

    def __init__(self, half_life_days: float = 0.0, by: str = "", shrinkage: float = 100.0) -> None:
        if not half_life_days >= 0 or not shrinkage > 0:
            raise ValueError("half_life_days is not negative, and shrinkage positive")
        self.half_life_days, self.by, self.shrinkage = float(half_life_days), str(by), float(shrinkage)
        self.popularity: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._forget_segments()

    def _forget_segments(self) -> None:
        self.segment_places: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.segment_popularity: NDArray[np.float32] = np.zeros((0, len(self.popularity)), dtype=np.float32)

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`."""
        self.popularity = popularity_of(interactions, self.half_life_days or None)
        self._forget_segments()
        if side_features is not None and self.by:
            self._fit_segments(interactions, side_features)
        return self

    def _fit_segments(self, interactions: InteractionMatrix, side: SideFeatures) -> None:
        names = side.customer_space.columns
        places = np.array([p for p, name in enumerate(names) if name.startswith(f"{self.by}=")], dtype=np.int32)
        if len(places) == 0:
            return
        matrix = interactions.matrix
        decayed = decayed_evidence(interactions, self.half_life_days or None)
        evidence = csr_matrix((decayed, matrix.indices, matrix.indptr), matrix.shape)
        by_segment = (side.customers[:, places].T @ evidence).toarray()
        share = self.popularity / self.popularity.sum(dtype=np.float64)
        posterior = (by_segment + self.shrinkage * share) / (by_segment.sum(axis=1, keepdims=True) + self.shrinkage)
        self.segment_places = places
        self.segment_popularity = (posterior / share.max()).astype(np.float32)

    @property
    def uses_facts(self) -> bool:
        """See `RelevanceModel.uses_facts`."""
        return len(self.segment_places) > 0

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`."""
        return 25 * shape.entries

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        scores = np.tile(self.popularity[columns], (histories.shape[0], 1))
        if customers is None or not self.uses_facts:
            return scores
        segments = customers[:, self.segment_places]
        has_one = np.asarray(segments.sum(axis=1)).ravel() > 0
        scores[has_one] = (segments @ self.segment_popularity[:, columns])[has_one]
        return scores

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`: no part of the score comes from the history."""
        return Contributions(float(self.score(history, np.array([column]), customer)[0, 0]), {})

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {"half_life_days": self.half_life_days, "by": self.by, "shrinkage": self.shrinkage}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        arrays: dict[str, NDArray[Any]] = {"popularity": self.popularity}
        if self.uses_facts:
            arrays |= {"segment_popularity": self.segment_popularity, "segment_places": self.segment_places}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        model.popularity = arrays["popularity"]
        require_shape(model.popularity, (model.popularity.size,), "popularity")
        model._forget_segments()
        if "segment_places" in arrays:
            model.segment_places, model.segment_popularity = arrays["segment_places"], arrays["segment_popularity"]
            segments = model.segment_places.size
            require_shape(model.segment_places, (segments,), "segment_places")
            require_shape(model.segment_popularity, (segments, model.popularity.size), "segment_popularity")
        return model
