"""Matrix factorisations learned by sampled gradient steps – BPR and logistic – with histories folded in by ridge."""

from abc import abstractmethod
from dataclasses import dataclass
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
from recsys.models.fold_in import FoldIn, batch_bytes


@dataclass(frozen=True, slots=True)
class _Solved:
    """Factors of customers and offers, and the offers' biases."""

    customer_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]
    bias: NDArray[np.float32]


class SampledFactors(RelevanceModel):
    """Item factors and biases from implicit; the fitted customer factors are thrown away.

    A history is folded in by ridge regression on the item factors, where every offer counts a little as
    not taken: x = argmin Σᵢ wᵢ (1 − x·yᵢ)² + `background` Σⱼ (x·yⱼ)² + `ridge` t |x|², the first sum over
    the history, the second over all offers, t the mean eigenvalue of YᵀY. `scale` is the number that brings
    x closest to the fitted customer factors; score = scale × x·y + `bias_weight` × bias + `popularity_weight` ×
    log popularity. The last is what sampling takes away: negatives drawn as often as offers are taken teach how much
    likelier than its popularity an offer is (Bengio & Senécal 2008), as implicit draws them for BPR.
    """

    _columns_behind: ClassVar[int]
    """How many columns of the library's factors are none; the first of them is the offers' bias."""
    _copies: ClassVar[int] = 1
    """How many numbers the library keeps a factor while it learns."""

    def __init__(  # noqa: PLR0913  # hyper-parameters
        self,
        factors: int,
        learning_rate: float,
        regularization: float,
        iterations: int,
        ridge: float,
        background: float,
        bias_weight: float,
        popularity_weight: float,
    ) -> None:
        if factors < 1 or iterations < 1 or not learning_rate > 0 or not ridge > 0:
            raise ValueError("factors, iterations, learning_rate and ridge are positive")
        if not (regularization >= 0 and background >= 0 and bias_weight >= 0 and popularity_weight >= 0):
            raise ValueError("regularization, background, bias_weight and popularity_weight are not negative")
        self.factors, self.iterations = int(factors), int(iterations)
        self.learning_rate, self.regularization = float(learning_rate), float(regularization)
        self.ridge, self.background, self.bias_weight = float(ridge), float(background), float(bias_weight)
        self.popularity_weight = float(popularity_weight)
        self.scale = 1.0
        self._adopt(np.zeros((0, 1), dtype=np.float32), *np.zeros((2, 0), dtype=np.float32))

    @staticmethod
    @abstractmethod
    def _library() -> Any:
        """Return implicit's class."""

    def _solve(self, matrix: csr_matrix, rng: np.random.Generator) -> _Solved:
        solver = self._library()(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.iterations,
            num_threads=1,
            random_state=rng,
        )
        solver.fit(matrix, show_progress=False)
        end = -self._columns_behind
        return _Solved(solver.user_factors[:, :end], solver.item_factors[:, :end], solver.item_factors[:, end])

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`; on one thread, since the library's parallel steps are not repeatable."""
        popularity = popularity_of(interactions)
        solved = self._solve(interactions.matrix, rng)
        self._adopt(np.ascontiguousarray(solved.item_factors), np.ascontiguousarray(solved.bias), popularity)
        folded = self._fold_in.fold(interactions.matrix)
        self.scale = float((folded * solved.customer_factors).sum() / max(float((folded**2).sum()), 1e-12))
        if not self.scale > 0:  # nothing learned points anywhere
            self.scale = 1.0
        return self

    def _adopt(
        self, item_factors: NDArray[np.float32], bias: NDArray[np.float32], popularity: NDArray[np.float32]
    ) -> None:
        self.item_factors, self.bias, self.popularity = item_factors, bias, popularity
        least = popularity[popularity > 0].min(initial=1.0)  # what nobody took counts as the rarest that somebody did
        logarithm = np.log(np.maximum(popularity, least))
        self._level = np.asarray(self.bias_weight * bias + self.popularity_weight * logarithm, dtype=np.float32)
        wide = item_factors.astype(np.float64)
        square = wide.T @ wide
        mean_eigenvalue = max(float(np.trace(square)) / wide.shape[1], 1e-12)
        gram = self.background * square + self.ridge * mean_eigenvalue * np.eye(wide.shape[1])
        self._fold_in = FoldIn.build(item_factors, gram, lambda weights: weights, lambda weights: weights)

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: both sides' factors as often as the library keeps them, then folded in."""
        library = 4 * self._copies * (self.factors + self._columns_behind) * (shape.customers + shape.offers)
        folded = 4 * self.factors * shape.customers + batch_bytes(shape, self.factors)
        return 16 * shape.entries + library + max(folded, 32 * self.factors * shape.offers)

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        people = np.asarray(self.scale * self._fold_in.fold(histories), dtype=np.float32)
        scores = people @ self.item_factors[columns].T + self._level[columns]
        return fill_unknown(scores, is_empty(histories), self.popularity[columns])

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`."""
        if history.nnz == 0:
            return Contributions(float(self.popularity[column]), {})
        shares = self.scale * self._fold_in.shares(history, column)
        return Contributions(float(self._level[column]), shares_of(history, shares))

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {
            "factors": self.factors,
            "learning_rate": self.learning_rate,
            "regularization": self.regularization,
            "iterations": self.iterations,
            "ridge": self.ridge,
            "background": self.background,
            "bias_weight": self.bias_weight,
            "popularity_weight": self.popularity_weight,
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        scale = np.array([self.scale])
        return {"item_factors": self.item_factors, "bias": self.bias, "popularity": self.popularity, "scale": scale}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        item_factors = arrays["item_factors"]
        if item_factors.ndim != 2:
            raise ValueError("item_factors is not a matrix")
        for name in ("bias", "popularity"):
            require_shape(arrays[name], (len(item_factors),), name)
        require_shape(arrays["scale"], (1,), "scale")
        model._adopt(item_factors, arrays["bias"], arrays["popularity"])
        model.scale = float(arrays["scale"][0])
        return model


class BayesianPersonalizedRanking(SampledFactors):
    """Pairs of a taken and another offer, ranked right (Rendle et al. 2009)."""

    name: ClassVar[str] = "bpr"
    _columns_behind: ClassVar[int] = 1

    def __init__(  # noqa: PLR0913  # hyper-parameters
        self,
        factors: int = 64,
        learning_rate: float = 0.05,
        regularization: float = 0.01,
        iterations: int = 100,
        ridge: float = 0.1,
        background: float = 0.1,
        bias_weight: float = 1.0,
        popularity_weight: float = 0.0,
    ) -> None:
        super().__init__(
            factors, learning_rate, regularization, iterations, ridge, background, bias_weight, popularity_weight
        )

    @staticmethod
    def _library() -> Any:
        from implicit.cpu.bpr import BayesianPersonalizedRanking as Solver

        return Solver


class LogisticFactors(SampledFactors):
    """The chance of a purchase as a logistic function of x·y + bias (Johnson 2014)."""

    name: ClassVar[str] = "lmf"
    _columns_behind: ClassVar[int] = 2
    _copies: ClassVar[int] = 2

    def __init__(  # noqa: PLR0913  # hyper-parameters
        self,
        factors: int = 32,
        learning_rate: float = 1.0,
        regularization: float = 0.6,
        iterations: int = 30,
        ridge: float = 0.1,
        background: float = 0.1,
        bias_weight: float = 1.0,
        popularity_weight: float = 0.0,
    ) -> None:
        super().__init__(
            factors, learning_rate, regularization, iterations, ridge, background, bias_weight, popularity_weight
        )

    @staticmethod
    def _library() -> Any:
        from implicit.cpu.lmf import LogisticMatrixFactorization as Solver

        return Solver
