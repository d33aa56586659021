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
from recsys.models.data_shape import DataShape

_BLOCK = 1024


class Ease(RelevanceModel):
    """History × B, where B reconstructs every customer's offers from their others under the penalty `regularization`.

    With P = (XᵀX + λI)⁻¹, B = I − P / diag(P): its diagonal is 0 (Steck 2019, eq. 8). Memory is
    4 bytes × offers², in fitting three times as much (less where customers are fewer than offers).
    """

    name: ClassVar[str] = "ease"
    most_offers: ClassVar[int | None] = 40_000

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

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: one square of doubles and its inverse in single precision."""
        square, whole = min(shape.customers, shape.offers) ** 2, 4 * shape.offers**2
        block = 40 * shape.entries + 20 * _BLOCK * min(shape.offers, shape.customers)
        if shape.offers <= shape.customers:
            return 8 * square + whole + block
        return max(12 * square, 4 * square + whole) + block

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
    (Woodbury), cheaper by the cube of the ratio. The only wide numbers of that size are those of one square
    matrix, which is inverted in place.
    """
    from threadpoolctl import threadpool_limits

    customers, offers = matrix.shape
    with threadpool_limits(limits=1, user_api="blas"):
        if offers <= customers:
            return _mirrored(_inverse(_gram(matrix.T.tocsr(), penalty)))
        inverse = _mirrored(_inverse(_gram(matrix, penalty)))
        precision = np.empty((offers, offers), dtype=np.float32)
        transposed = matrix.T.tocsr().astype(np.float32)
        for start in range(0, offers, _BLOCK):
            reached = transposed[start : start + _BLOCK] @ inverse
            precision[start : start + _BLOCK] = (reached @ matrix) * np.float32(-1 / penalty)
    precision[np.diag_indices(offers)] += np.float32(1 / penalty)
    return precision


def _gram(rows: csr_matrix, penalty: float) -> NDArray[np.float64]:
    """Return XXᵀ + λI, float64 and Fortran-ordered, a few rows at a time: all of a sparse product may be larger."""
    size = rows.shape[0]
    wide = rows.astype(np.float64)
    gram = np.empty((size, size), order="F")
    for start in range(0, size, _BLOCK):
        gram[:, start : start + _BLOCK] = (wide @ wide[start : start + _BLOCK].T).toarray()
    gram[np.diag_indices(size)] += penalty
    return gram


def _inverse(square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a symmetric positive matrix, in its place and in its lower triangle alone."""
    from scipy.linalg.lapack import dpotrf, dpotri

    factor, failure = dpotrf(square, lower=1, clean=0, overwrite_a=1)
    if failure == 0:
        factor, failure = dpotri(factor, lower=1, overwrite_c=1)
    if failure != 0:
        raise ValueError("the offers' Gram matrix is too close to singular; raise the regularization")
    return np.asarray(factor)


def _mirrored(lower: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the symmetric matrix of which `lower` is the lower triangle, in single precision."""
    size = len(lower)
    whole = np.empty((size, size), dtype=np.float32)
    for start in range(0, size, _BLOCK):
        columns = slice(start, start + _BLOCK)
        whole[start:, columns] = lower[start:, columns]
        square = np.tril(whole[columns, columns])
        whole[columns, columns] = square + np.tril(square, -1).T
        whole[columns, start + _BLOCK :] = whole[start + _BLOCK :, columns].T
    return whole
