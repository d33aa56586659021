"""Alternating least squares on implicit feedback: a history is folded in by one small linear solve."""

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
    fill_unknown,
    is_empty,
    popularity_of,
    require_shape,
    shares_of,
)
from recsys.models.data_shape import DataShape
from recsys.models.fold_in import FoldIn


class AlternatingLeastSquares(RelevanceModel):
    """Confidence 1 + alpha × weight (Hu, Koren, Volinsky 2008); fitted by implicit, scored without it."""

    name: ClassVar[str] = "als"

    def __init__(
        self, factors: int = 64, regularization: float = 30.0, alpha: float = 3.0, iterations: int = 15
    ) -> None:
        if factors < 1 or iterations < 1 or not regularization > 0 or not alpha > 0:
            raise ValueError("factors, iterations, regularization and alpha are positive")
        self.factors, self.iterations = int(factors), int(iterations)
        self.regularization, self.alpha = float(regularization), float(alpha)
        self._adopt(np.zeros((0, 1), dtype=np.float32), np.zeros(0, dtype=np.float32))

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`; there are never more factors than half the offers."""
        popularity = popularity_of(interactions)
        factors = min(self.factors, max(1, len(popularity) // 2))
        self._adopt(self._solve(interactions.matrix, factors, rng), popularity)
        return self

    def _solve(self, matrix: csr_matrix, factors: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the offers' factors (offers, factors) that fit the weights in `matrix`, by implicit."""
        from implicit.cpu.als import AlternatingLeastSquares as Solver
        from threadpoolctl import threadpool_limits

        confidence = csr_matrix(
            (1.0 + np.float32(self.alpha) * matrix.data, matrix.indices, matrix.indptr), matrix.shape, copy=False
        )
        with threadpool_limits(limits=1, user_api="blas"):
            solver = Solver(
                factors=factors,
                regularization=self.regularization,
                iterations=self.iterations,
                random_state=rng,
            )
            # Only the offers start at random, so that a few customers more do not lead to quite another solution.
            solver.item_factors = rng.random((matrix.shape[1], factors), dtype=np.float32) * np.float32(0.01)
            solver.user_factors = np.zeros((matrix.shape[0], factors), dtype=np.float32)
            solver.fit(confidence, show_progress=False)
        return np.asarray(solver.item_factors, dtype=np.float32)

    def _adopt(self, item_factors: NDArray[np.float32], popularity: NDArray[np.float32]) -> None:
        self.item_factors, self.popularity = item_factors, popularity
        wide = item_factors.astype(np.float64)
        gram = wide.T @ wide + self.regularization * np.eye(wide.shape[1])
        alpha = self.alpha
        self._fold_in = FoldIn.build(item_factors, gram, lambda weights: alpha * weights, lambda w: 1.0 + alpha * w)

    def fold_in(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Return the customer factors (n, factors) of `histories`; zeros for a row without entries."""
        return self._fold_in.fold(histories)

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: the matrix turned round, both sides' factors, then the offers' in doubles."""
        factors = min(self.factors, max(1, shape.offers // 2))
        return 28 * shape.entries + 4 * factors * max(shape.customers + shape.offers, 10 * shape.offers)

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        scores = self.fold_in(histories) @ self.item_factors[columns].T
        return fill_unknown(scores, is_empty(histories), self.popularity[columns])

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`."""
        if history.nnz == 0:
            return Contributions(float(self.popularity[column]), {})
        return Contributions(0.0, shares_of(history, self._fold_in.shares(history, column)))

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {
            "factors": self.factors,
            "regularization": self.regularization,
            "alpha": self.alpha,
            "iterations": self.iterations,
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        return {"item_factors": self.item_factors, "popularity": self.popularity}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        item_factors, popularity = arrays["item_factors"], arrays["popularity"]
        if item_factors.ndim != 2:
            raise ValueError("item_factors is not a matrix")
        require_shape(popularity, (len(item_factors),), "popularity")
        model._adopt(item_factors, popularity)
        return model
