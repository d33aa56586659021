"""EASE: the linear autoencoder in closed form, exact and unrivalled on catalogues of thousands (Steck 2019)."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from recsys.models.base import (
    TIE_BREAK,
    Arrays,
    Contributions,
    Parameters,
    RelevanceModel,
    fill_unknown,
    is_empty,
    popularity_of,
    require_shape,
    shares_of,
)

_BLOCK = 1024


class Ease(RelevanceModel):
    """History × B, where B reconstructs every customer's offers from their others under the penalty `regularization`.

    With P = (XᵀX + λI)⁻¹, B = I − P / diag(P): its diagonal is 0 (Steck 2019, eq. 8). Memory is
    4 bytes × offers².
    """

    name: ClassVar[str] = "ease"
    most_offers: ClassVar[int | None] = 20_000

    def __init__(self, regularization: float = 100.0) -> None:
        if not regularization > 0:
            raise ValueError("regularization is positive")
        self.regularization = float(regularization)
        self.weights: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self.popularity: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`."""
        self.popularity = popularity_of(interactions)
        precision = _inverse_gram(interactions.matrix, self.regularization)
        diagonal = precision.diagonal().copy()
        for start in range(0, len(diagonal), _BLOCK):  # in place: two of these matrices can be too many
            precision[start : start + _BLOCK] /= -diagonal
        np.fill_diagonal(precision, 0.0)
        self.weights = precision
        return self

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        popularity = self.popularity[columns]
        is_whole = np.array_equal(columns, np.arange(len(self.popularity)))
        weights = self.weights if is_whole else self.weights[:, columns]
        scores = np.asarray(histories @ weights, dtype=np.float32) + TIE_BREAK * popularity
        return fill_unknown(scores, is_empty(histories), popularity)

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`: weight × B for every history offer."""
        popularity = float(self.popularity[column])
        if history.nnz == 0:
            return Contributions(popularity, {})
        shares = history.data * self.weights[history.indices, column]
        return Contributions(float(TIE_BREAK) * popularity, shares_of(history, shares))

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {"regularization": self.regularization}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        return {"weights": self.weights, "popularity": self.popularity}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        model.weights, model.popularity = arrays["weights"], arrays["popularity"]
        size = len(model.popularity)
        require_shape(model.weights, (size, size), "weights")
        require_shape(model.popularity, (size,), "popularity")
        return model


def _inverse_gram(matrix: csr_matrix, penalty: float) -> NDArray[np.float32]:
    """Return (XᵀX + λI)⁻¹, float32 (offers, offers); raises ValueError where it is too close to singular.

    With fewer customers than offers by way of the customers' Gram matrix: (I − Xᵀ(XXᵀ + λI)⁻¹X) / λ
    (Woodbury), cheaper by the cube of the ratio.
    """
    from threadpoolctl import threadpool_limits

    wide = matrix.astype(np.float64)
    customers, offers = wide.shape
    with threadpool_limits(limits=1, user_api="blas"):
        if offers <= customers:
            gram = (wide.T @ wide).toarray()
            gram[np.diag_indices(offers)] += penalty
            return np.linalg.inv(gram).astype(np.float32)
        gram = (wide @ wide.T).toarray()
        gram[np.diag_indices(customers)] += penalty
        reached = (wide.T @ np.linalg.inv(gram)).astype(np.float32)  # (offers, customers)
    precision = np.empty((offers, offers), dtype=np.float32)
    transposed = matrix.astype(np.float32).tocsc()
    for start in range(0, offers, _BLOCK):
        rows = reached[start : start + _BLOCK]
        precision[start : start + _BLOCK] = (rows @ transposed) * np.float32(-1 / penalty)
    precision[np.diag_indices(offers)] += np.float32(1 / penalty)
    return precision
