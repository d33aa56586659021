"""LightFM's hybrid factorisation: people known by their facts alone, and offers that nobody has taken yet."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, identity

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

_MAP_RIDGE = 1.0


class LightFm(RelevanceModel):
    """Everybody and every offer is the sum of the vectors of their facts and one of their own (Kula 2015), WARP loss.

    Serving keeps no customer's own vector. It is replaced by the weighted mean of the history's offer
    vectors, times the matrix that came closest to the fitted own vectors (ridge regression); how close
    the lists come is measured as every model's fold-in is. An offer without evidence in training is
    scored by its facts alone, as one added later is.
    """

    name: ClassVar[str] = "lightfm"

    def __init__(
        self,
        factors: int = 16,
        epochs: int = 20,
        learning_rate: float = 0.02,
        item_alpha: float = 1e-4,
        user_alpha: float = 1e-4,
    ) -> None:
        if factors < 1 or epochs < 1 or not learning_rate > 0:
            raise ValueError("factors, epochs and learning_rate are positive")
        if not (item_alpha >= 0 and user_alpha >= 0):
            raise ValueError("item_alpha and user_alpha are not negative")
        self.factors, self.epochs, self.learning_rate = int(factors), int(epochs), float(learning_rate)
        self.item_alpha, self.user_alpha = float(item_alpha), float(user_alpha)
        self._adopt({}, np.zeros(0, dtype=np.float32))

    def _adopt(self, arrays: Arrays, popularity: NDArray[np.float32]) -> None:
        none = np.zeros((0, self.factors), dtype=np.float32)
        self.popularity = popularity
        self.item_vectors = arrays.get("item_vectors", none)
        self.item_bias = arrays.get("item_bias", none[:, 0])
        self.history_map = arrays.get("history_map", np.zeros((self.factors, self.factors), dtype=np.float32))
        self.customer_fact_vectors = arrays.get("customer_fact_vectors", none)
        self.offer_fact_vectors = arrays.get("offer_fact_vectors", none)
        self.offer_fact_bias = arrays.get("offer_fact_bias", none[:, 0])

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`; on one thread, since the library's parallel steps are not repeatable."""
        popularity = popularity_of(interactions)
        customers, offers = interactions.matrix.shape
        of_customers = side_features.customers if side_features else csr_matrix((customers, 0), dtype=np.float32)
        of_offers = side_features.offers if side_features else csr_matrix((offers, 0), dtype=np.float32)
        taken = np.flatnonzero(popularity > 0)
        solver = self._solve(interactions.matrix[:, taken], of_customers, of_offers[taken], rng)
        own, fact_vectors = np.split(solver.item_embeddings, [len(taken)])
        own_bias, fact_bias = np.split(solver.item_biases, [len(taken)])
        vectors, bias = of_offers @ fact_vectors, of_offers @ fact_bias
        vectors[taken] += own
        bias[taken] += own_bias
        learned = {
            "item_vectors": vectors.astype(np.float32),
            "item_bias": bias.astype(np.float32),
            "customer_fact_vectors": solver.user_embeddings[customers:],
            "offer_fact_vectors": fact_vectors,
            "offer_fact_bias": fact_bias,
        }
        means = _means(interactions.matrix, learned["item_vectors"])
        known = ~is_empty(interactions.matrix)
        learned["history_map"] = _ridge(means[known], solver.user_embeddings[:customers][known])
        self._adopt(learned, popularity)
        return self

    def _solve(self, matrix: csr_matrix, customers: csr_matrix, offers: csr_matrix, rng: np.random.Generator) -> Any:
        from lightfm import LightFM as Solver

        solver = Solver(
            no_components=self.factors,
            loss="warp",
            learning_rate=self.learning_rate,
            item_alpha=self.item_alpha,
            user_alpha=self.user_alpha,
            random_state=np.random.RandomState(int(rng.integers(2**31))),  # the library takes no other
        )
        weights = matrix.tocoo().astype(np.float32)
        return solver.fit(
            weights,
            user_features=_with_own(customers),
            item_features=_with_own(offers),
            sample_weight=weights,
            epochs=self.epochs,
            num_threads=1,
        )

    @property
    def uses_facts(self) -> bool:
        """See `RelevanceModel.uses_facts`."""
        return len(self.customer_fact_vectors) > 0

    def _people(self, histories: csr_matrix, customers: csr_matrix | None) -> NDArray[np.float32]:
        people = _means(histories, self.item_vectors) @ self.history_map
        if customers is not None and self.uses_facts:
            people = people + customers @ self.customer_fact_vectors
        return np.asarray(people, dtype=np.float32)

    def _is_unknown(self, histories: csr_matrix, customers: csr_matrix | None) -> NDArray[np.bool_]:
        nothing = is_empty(histories)
        return nothing & is_empty(customers) if customers is not None and self.uses_facts else nothing

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: three numbers a factor while it learns, then doubles of everybody's mean."""
        numbers = self.factors * (shape.customers + shape.offers)
        return 40 * shape.entries + 20 * numbers

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        scores = self._people(histories, customers) @ self.item_vectors[columns].T + self.item_bias[columns]
        return fill_unknown(scores, self._is_unknown(histories, customers), self.popularity[columns])

    def score_new(
        self, histories: csr_matrix, offers: csr_matrix, customers: csr_matrix | None = None
    ) -> NDArray[np.float32] | None:
        """See `RelevanceModel.score_new`; 0 for a person of whom nothing is known."""
        if len(self.offer_fact_vectors) == 0:
            return None
        vectors, bias = offers @ self.offer_fact_vectors, offers @ self.offer_fact_bias
        scores = np.asarray(self._people(histories, customers) @ vectors.T + bias, dtype=np.float32)
        return fill_unknown(scores, self._is_unknown(histories, customers), np.zeros(len(bias), dtype=np.float32))

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`: the mean's share of every history offer; facts and bias are the base."""
        if self._is_unknown(history, customer)[0]:
            return Contributions(float(self.popularity[column]), {})
        reach = self.history_map @ self.item_vectors[column]
        shares = history.data / max(history.data.sum(), 1e-12) * (self.item_vectors[history.indices] @ reach)
        base = float(self.item_bias[column])
        if customer is not None and self.uses_facts:
            base += float((customer @ self.customer_fact_vectors @ self.item_vectors[column])[0])
        return Contributions(base, shares_of(history, shares))

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {
            "factors": self.factors,
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "item_alpha": self.item_alpha,
            "user_alpha": self.user_alpha,
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        arrays = {
            "popularity": self.popularity,
            "item_vectors": self.item_vectors,
            "item_bias": self.item_bias,
            "history_map": self.history_map,
            "customer_fact_vectors": self.customer_fact_vectors,
            "offer_fact_vectors": self.offer_fact_vectors,
            "offer_fact_bias": self.offer_fact_bias,
        }
        return {name: array for name, array in arrays.items() if array.size}

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        model._adopt(arrays, arrays["popularity"])
        offers, factors = model.popularity.size, model.factors
        require_shape(model.popularity, (offers,), "popularity")
        require_shape(model.item_vectors, (offers, factors), "item_vectors")
        require_shape(model.item_bias, (offers,), "item_bias")
        require_shape(model.history_map, (factors, factors), "history_map")
        require_shape(model.customer_fact_vectors, (len(model.customer_fact_vectors), factors), "customer_fact_vectors")
        require_shape(model.offer_fact_vectors, (model.offer_fact_bias.size, factors), "offer_fact_vectors")
        require_shape(model.offer_fact_bias, (model.offer_fact_bias.size,), "offer_fact_bias")
        return model


def _with_own(facts: csr_matrix) -> csr_matrix:
    """Return one indicator column a row, followed by the columns of `facts`."""
    return hstack([identity(facts.shape[0], dtype=np.float32, format="csr"), facts], format="csr")


def _means(histories: csr_matrix, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, factors) the weighted mean vector of each history, zeros where it is empty."""
    totals = np.maximum(np.asarray(histories.sum(axis=1)), 1e-12)
    return np.asarray((histories @ vectors) / totals, dtype=np.float32)


def _ridge(inputs: NDArray[np.float32], targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix M that minimises |inputs M − targets|² + |M|²."""
    wide = inputs.astype(np.float64)
    gram = wide.T @ wide + _MAP_RIDGE * np.eye(wide.shape[1])
    return np.asarray(np.linalg.solve(gram, wide.T @ targets), dtype=np.float32)
