"""The one protocol of every relevance model: models only score, they never filter and never rank."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix

Parameters = Mapping[str, str | int | float | bool | None]
Arrays = Mapping[str, NDArray[Any]]


class RelevanceModel(Protocol):
    """A model of how relevant each offer is to a customer with a given history.

    A *history* is a sparse row of evidence weights, one column an offer in the order of the training
    matrix. Scoring folds the history in as it stands now; a model keeps nothing about single customers.
    """

    name: ClassVar[str]
    popularity: NDArray[np.float32]
    """(offers,) share of each offer relative to the most popular one, 0–1: what is known without a history."""

    def fit(
        self, interactions: InteractionMatrix, side_features: Parameters | None = None, *, rng: np.random.Generator
    ) -> Self:
        """Learn from `interactions` alone, forgetting any earlier fit, and return self.

        The same seed gives the same model. Raises ValueError when there is nothing to learn from.
        """

    def score(self, histories: csr_matrix, columns: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return finite scores (n, m) of the m offers `columns` for the n rows of `histories`.

        Higher is more relevant; scores compare within a row. A row without any entry gets `popularity`.
        """

    def contributions(self, history: csr_matrix, column: int) -> dict[int, float]:
        """Return history column → its additive share of the score of offer `column`, for one row.

        The shares sum to the score within 1e-5, except where popularity answers: nothing is shared then.
        """

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON values; the class called with them is the same unfitted model."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything learned, as arrays of numbers."""

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """Return the fitted model; raises ValueError or KeyError when arrays and parameters do not fit."""


def popularity_of(interactions: InteractionMatrix, half_life_days: float | None = None) -> NDArray[np.float32]:
    """Return the evidence on each offer (offers,), relative to the largest.

    Where ages are known and `half_life_days` is given, evidence halves with every half-life. Raises
    ValueError without any positive evidence.
    """
    evidence = interactions.matrix.data.astype(np.float64)
    if half_life_days is not None and interactions.age_days is not None:
        evidence = evidence * 0.5 ** (interactions.age_days / half_life_days)
    totals = np.bincount(interactions.matrix.indices, weights=evidence, minlength=len(interactions.offer_ids))
    if totals.size == 0 or not totals.max() > 0:
        raise ValueError("no positive evidence to learn from")
    return np.asarray(totals / totals.max(), dtype=np.float32)


def fill_unknown(
    scores: NDArray[np.float32], histories: csr_matrix, popularity: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return `scores` (n, m) with `popularity` (m,) in the rows whose history has no entry."""
    unknown = np.diff(histories.indptr) == 0
    if unknown.any():
        scores[unknown] = popularity
    return scores


def require_shape(array: NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless `array` has exactly `shape`."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
