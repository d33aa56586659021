"""The one protocol of every relevance model: models only score, they never filter and never rank."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.domain.errors import NotEnoughMemory
from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.side_features import SideFeatures
from recsys.models.data_shape import DataShape

Parameters = Mapping[str, str | int | float | bool | None]
Arrays = Mapping[str, NDArray[Any]]

TIE_BREAK = np.float32(1e-6)
"""What popularity adds where a history says nothing of two offers: the more popular one leads."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """A score taken apart: `base`, the `shares` of the history by column, and of `facts` by number, add up to it.

    Facts are numbered in the order of `FeatureSpace.facts`; a family that does not take them apart leaves them, like
    the offer's own level, in `base`.
    """

    base: float
    shares: Mapping[int, float]
    facts: Mapping[int, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """The score."""
        return self.base + sum(self.shares.values()) + sum(self.facts.values())


class RelevanceModel(ABC):
    """A model of how relevant each offer is to a customer with a given history.

    A *history* is a sparse row of evidence weights, one column an offer in the order of the training
    matrix. Scoring folds the history in as it stands now; a model keeps nothing about single customers.
    `customers`, where given, are the encoded facts of the same rows (`SideFeatures.customers`); most
    families do not use them.
    """

    name: ClassVar[str]
    most_offers: ClassVar[int | None] = None
    """The largest catalogue that the family is for; None: any."""
    popularity: NDArray[np.float32]
    """(offers,) share of each offer relative to the most popular one, 0–1: what is known without a history."""

    @abstractmethod
    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """Learn from `interactions` alone, forgetting any earlier fit, and return self.

        The same seed gives the same model. Raises ValueError when there is nothing to learn from.
        """

    @abstractmethod
    def needs(self, shape: DataShape) -> int:
        """Return about how many bytes a fit on data of this `shape` has in memory at its peak, beside that data.

        Within a factor of 1.5 of what `nbo bench memory` measures from some 50 MiB on; what a library maps for its
        code is not in it.
        """

    @abstractmethod
    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Return finite scores (n, m) of the m offers `columns` for the n rows of `histories`.

        Higher is more relevant; scores compare within a row. A row of which nothing is known gets `popularity`.
        """

    @abstractmethod
    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """Return the score of offer `column` for one row, taken apart to within 1e-5."""

    @property
    def uses_facts(self) -> bool:
        """Whether the facts of a customer change their scores."""
        return False

    def score_new(
        self, histories: csr_matrix, offers: csr_matrix, customers: csr_matrix | None = None
    ) -> NDArray[np.float32] | None:
        """Return scores (n, k) of k offers known by their encoded facts (k, g) only; None where a family cannot."""
        return None

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON values; the class called with them is the same unfitted model."""

    @abstractmethod
    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything learned, as arrays of numbers."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """Return the fitted model; raises ValueError or KeyError when arrays and parameters do not fit."""


def require_memory(model: RelevanceModel, shape: DataShape, memory: int | None) -> None:
    """Raise NotEnoughMemory where a fit on data of `shape` needs more than `memory` bytes (None: any)."""
    needs = model.needs(shape)
    if memory is not None and needs > memory:
        raise NotEnoughMemory(model.name, needs, memory)


def popularity_of(interactions: InteractionMatrix, half_life_days: float | None = None) -> NDArray[np.float32]:
    """Return the evidence on each offer (offers,), relative to the largest.

    Where ages are known and `half_life_days` is given, evidence halves with every half-life. Raises
    ValueError without any positive evidence.
    """
    evidence = decayed_evidence(interactions, half_life_days)
    totals = np.bincount(interactions.matrix.indices, weights=evidence, minlength=len(interactions.offer_ids))
    if totals.size == 0 or not totals.max() > 0:
        raise ValueError("no positive evidence to learn from")
    return np.asarray(totals / totals.max(), dtype=np.float32)


def decayed_evidence(interactions: InteractionMatrix, half_life_days: float | None) -> NDArray[np.float64]:
    """Return the evidence of every stored entry, halved with every half-life of its age where ages are known."""
    evidence = interactions.matrix.data.astype(np.float64)
    if half_life_days is not None and interactions.age_days is not None:
        evidence = evidence * 0.5 ** (interactions.age_days / half_life_days)
    return np.asarray(evidence)


def fill_unknown(
    scores: NDArray[np.float32], is_unknown: NDArray[np.bool_], popularity: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return `scores` (n, m) with `popularity` (m,) in the rows where `is_unknown` (n,)."""
    if is_unknown.any():
        scores[is_unknown] = popularity
    return scores


def is_empty(rows: csr_matrix) -> NDArray[np.bool_]:
    """Return (n,) whether a row has no stored entry."""
    return np.asarray(np.diff(rows.indptr) == 0)


def shares_of(history: csr_matrix, values: NDArray[np.floating[Any]]) -> dict[int, float]:
    """Return column → value for the stored entries of one row."""
    return dict(zip(history.indices.tolist(), values.tolist(), strict=True))


def require_shape(array: NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless `array` has exactly `shape`."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
