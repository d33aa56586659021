"""Folds histories into factors at request time: one small linear solve a customer, and what each offer contributed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.models.data_shape import DataShape

_BATCH_NUMBERS = 4_000_000
_BYTES_A_NUMBER = 24

Floats = NDArray[np.float64]
Weighting = Callable[[Floats], Floats]


def batch_bytes(shape: DataShape, factors: int) -> int:
    """Return about how many bytes folding in everybody of that `shape` has in memory beside the folded."""
    length = max(1, round(shape.entries / max(shape.customers, 1)))
    return _BYTES_A_NUMBER * min(_BATCH_NUMBERS, shape.customers * length * (length + factors))


@dataclass(frozen=True, slots=True)
class FoldIn:
    """Customer factors that solve (G + UᵀDU) x = Uᵀr for a history of k offers with factors U.

    G is `gram` (factors, factors); D = diag(`excess`(w)) and r = `response`(w) of the history's weights w.
    By the push-through identity x = G⁻¹Uᵀ (I + DK)⁻¹ r with K = U G⁻¹ Uᵀ: a k × k system instead of one
    of the size of x. Hu, Koren, Volinsky (2008, eq. 4) is G = YᵀY + λI, excess αw, response 1 + αw; the
    ridge regression of a history on item factors is G = λI, excess and response w.
    """

    item_factors: NDArray[np.float32]
    weighted_factors: Floats
    """Y G⁻¹, (offers, factors)."""
    excess: Weighting
    response: Weighting

    @classmethod
    def build(cls, item_factors: NDArray[np.float32], gram: Floats, excess: Weighting, response: Weighting) -> "FoldIn":
        """Return the fold-in with G⁻¹ applied once; raises LinAlgError where G is singular."""
        weighted = np.asarray(np.linalg.solve(gram, item_factors.astype(np.float64).T).T, dtype=np.float64)
        return cls(item_factors, weighted, excess, response)

    def fold(self, histories: csr_matrix) -> NDArray[np.float32]:
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
                folded[rows] = self._fold_alike(histories.indices[places], weights)
        return folded

    def _fold_alike(self, columns: NDArray[np.intp], weights: Floats) -> Floats:
        """Return customer factors (n, factors) of n histories of the same length k: columns and weights (n, k)."""
        weighted = self.weighted_factors[columns]
        kernel = weighted @ self.item_factors[columns].transpose(0, 2, 1)
        system = np.eye(columns.shape[1]) + self.excess(weights)[:, :, None] * kernel
        shares = np.linalg.solve(system, self.response(weights)[:, :, None])
        return np.asarray((weighted.transpose(0, 2, 1) @ shares)[:, :, 0])

    def shares(self, history: csr_matrix, column: int) -> Floats:
        """Return (k,) what each history offer adds to the score of `column`: rᵢ · yᵀ(G + UᵀDU)⁻¹ uᵢ (ibid., eq. 7)."""
        columns, weights = history.indices, history.data.astype(np.float64)
        weighted = self.weighted_factors[columns]
        system = np.eye(len(columns)) + weighted @ self.item_factors[columns].T * self.excess(weights)  # (I + DK)ᵀ
        reach = np.linalg.solve(system, weighted @ self.item_factors[column])
        return np.asarray(reach * self.response(weights))
