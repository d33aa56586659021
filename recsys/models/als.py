"""Alternating least squares on implicit feedback: a history is folded in by one small linear solve."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix
from recsys.models.base import Arrays, Parameters, fill_unknown, popularity_of, require_shape

_BATCH_NUMBERS = 4_000_000


class AlternatingLeastSquares:
    """Confidence 1 + alpha × weight (Hu, Koren, Volinsky 2008); fitted by implicit, scored without it.

    With item factors Y, a history of k offers with factors U, confidences c and D = diag(c − 1), the
    customer's factors solve (G + UᵀDU) x = Uᵀc, where G = YᵀY + λI (eq. 4 there). By the push-through
    identity x = G⁻¹Uᵀ (I + DK)⁻¹ c with K = U G⁻¹ Uᵀ: a k × k system instead of one of the size of x.
    """

    name: ClassVar[str] = "als"

    def __init__(
        self, factors: int = 64, regularization: float = 1.0, alpha: float = 10.0, iterations: int = 15
    ) -> None:
        if factors < 1 or iterations < 1 or not regularization > 0 or not alpha > 0:
            raise ValueError("factors, iterations, regularization and alpha are positive")
        self.factors, self.iterations = int(factors), int(iterations)
        self.regularization, self.alpha = float(regularization), float(alpha)
        self._adopt(np.zeros((0, 1), dtype=np.float32), np.zeros(0, dtype=np.float32))

    def fit(
        self, interactions: InteractionMatrix, side_features: Parameters | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`; there are never more factors than half the offers."""
        from implicit.cpu.als import AlternatingLeastSquares as Solver
        from threadpoolctl import threadpool_limits

        popularity = popularity_of(interactions)
        confidence = interactions.matrix.copy()
        confidence.data = 1.0 + np.float32(self.alpha) * confidence.data
        with threadpool_limits(limits=1, user_api="blas"):
            solver = Solver(
                factors=min(self.factors, max(1, len(popularity) // 2)),
                regularization=self.regularization,
                iterations=self.iterations,
                random_state=rng,
            )
            solver.fit(confidence, show_progress=False)
        self._adopt(np.asarray(solver.item_factors, dtype=np.float32), popularity)
        return self

    def _adopt(self, item_factors: NDArray[np.float32], popularity: NDArray[np.float32]) -> None:
        self.item_factors, self.popularity = item_factors, popularity
        wide = item_factors.astype(np.float64)
        gram = wide.T @ wide + self.regularization * np.eye(wide.shape[1])
        self._weighted_factors = np.linalg.solve(gram, wide.T).T  # Y G⁻¹, (offers, factors)

    def _fold_in_alike(self, columns: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return customer factors (n, factors) of n histories of the same length k: columns and weights (n, k)."""
        excess = self.alpha * weights
        weighted = self._weighted_factors[columns]
        kernel = weighted @ self.item_factors[columns].transpose(0, 2, 1)
        system = np.eye(columns.shape[1]) + excess[:, :, None] * kernel
        shares = np.linalg.solve(system, (1.0 + excess)[:, :, None])
        return np.asarray((weighted.transpose(0, 2, 1) @ shares)[:, :, 0])

    def fold_in(self, histories: csr_matrix) -> NDArray[np.float32]:
        """Return the customer factors (n, factors) of `histories`; zeros for a row without entries."""
        lengths = np.diff(histories.indptr)
        folded = np.zeros((len(lengths), self.item_factors.shape[1]), dtype=np.float32)
        for length in np.unique(lengths[lengths > 0]):
            alike = np.flatnonzero(lengths == length)
            batch = max(1, _BATCH_NUMBERS // int(length * (length + folded.shape[1])))
            for start in range(0, len(alike), batch):
                rows = alike[start : start + batch]
                places = histories.indptr[rows][:, None] + np.arange(length)
                weights = histories.data[places].astype(np.float64)
                folded[rows] = self._fold_in_alike(histories.indices[places], weights)
        return folded

    def score(self, histories: csr_matrix, columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        scores = self.fold_in(histories) @ self.item_factors[columns].T
        return fill_unknown(scores, histories, self.popularity[columns])

    def contributions(self, history: csr_matrix, column: int) -> dict[int, float]:
        """See `RelevanceModel.contributions`: cᵢ · yⱼᵀ(G + UᵀDU)⁻¹ yᵢ for every history offer i (Hu et al., eq. 7)."""
        columns = history.indices
        excess = self.alpha * history.data.astype(np.float64)
        weighted = self._weighted_factors[columns]
        system = np.eye(len(columns)) + weighted @ self.item_factors[columns].T * excess  # (I + DK)ᵀ
        reach = np.linalg.solve(system, weighted @ self.item_factors[column])
        return dict(zip(columns.tolist(), (reach * (1.0 + excess)).tolist(), strict=True))

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
