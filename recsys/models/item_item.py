"""Nearest neighbours between offers: who took this also took that."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

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


class ItemItem(RelevanceModel):
    """History × similarity, each offer keeping its `neighbours` most similar ones; fitted by implicit.

    `weighting` is how much a shared customer counts: "cosine" all the same, "tfidf" and "bm25" less for
    customers with many offers. With 2 `hops`, two offers are similar by what both are similar to, where few
    customers have both. Where the history says nothing of two offers, the more popular one leads, by a
    millionth.
    """

    name: ClassVar[str] = "item_item"

    def __init__(self, weighting: str = "tfidf", neighbours: int = 50, hops: int = 1) -> None:
        if weighting not in ("cosine", "tfidf", "bm25") or neighbours < 1 or hops not in (1, 2):
            raise ValueError("weighting is cosine, tfidf or bm25, neighbours at least 1, and hops 1 or 2")
        self.weighting, self.neighbours, self.hops = weighting, int(neighbours), int(hops)
        self.similarity = csr_matrix((0, 0), dtype=np.float32)
        self.popularity: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`."""
        from implicit.nearest_neighbours import ItemItemRecommender

        self.popularity = popularity_of(interactions)
        offers = len(self.popularity)
        neighbourhood = ItemItemRecommender(K=min(self.neighbours if self.hops == 1 else offers, offers))
        neighbourhood.fit(self._weighted(interactions.matrix), show_progress=False)
        similarity = csr_matrix(neighbourhood.similarity, dtype=np.float32)
        self.similarity = similarity if self.hops == 1 else _second_hop(similarity, self.neighbours)
        self.similarity.eliminate_zeros()
        self.similarity.sort_indices()
        return self

    def _weighted(self, matrix: csr_matrix) -> csr_matrix:
        from implicit.nearest_neighbours import bm25_weight, normalize, tfidf_weight

        offers = matrix.T.tocoo()
        # an offer whose every customer gets weight 0 has norm 0: implicit divides by it, and NaN means no neighbour
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.weighting == "bm25":
                weighted = bm25_weight(offers, K1=1.2, B=0.75)
            else:
                weighted = normalize(tfidf_weight(offers) if self.weighting == "tfidf" else offers)
        weighted.data = np.nan_to_num(weighted.data, nan=0.0, posinf=0.0, neginf=0.0)
        return weighted.T.tocsr()

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        one = histories.shape[0] == 1
        scores = self._score_one(histories) if one else (histories @ self.similarity).toarray()
        scores = scores.astype(np.float32, copy=False)[:, columns]
        popularity = self.popularity[columns]
        return fill_unknown(scores + TIE_BREAK * popularity, is_empty(histories), popularity)

    def _score_one(self, history: csr_matrix) -> NDArray[np.float32]:
        """Return (1, offers) what the sparse product gives, several times as fast for a live decision."""
        starts, similar, offers = self.similarity.indptr, self.similarity.data, self.similarity.indices
        scores = np.zeros((1, len(self.popularity)), dtype=np.float32)
        for offer, weight in zip(history.indices.tolist(), history.data, strict=True):
            start, end = starts[offer], starts[offer + 1]
            scores[0, offers[start:end]] += weight * similar[start:end]
        return scores

    def _similarity_to(self, column: int, offers: Iterable[int]) -> NDArray[np.float32]:
        """Return how similar each of `offers` is to that of `column`; rows are sorted, so that it is looked up."""
        starts, similar, columns = self.similarity.indptr, self.similarity.data, self.similarity.indices
        found = []
        for offer in offers:
            end = starts[offer + 1]
            place = starts[offer] + np.searchsorted(columns[starts[offer] : end], column)
            found.append(similar[place] if place < end and columns[place] == column else 0.0)
        return np.array(found, dtype=np.float32)

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`: weight × similarity for every history offer."""
        popularity = float(self.popularity[column])
        if history.nnz == 0:
            return Contributions(popularity, {})
        similar = self._similarity_to(column, history.indices.tolist())
        return Contributions(float(TIE_BREAK) * popularity, shares_of(history, history.data * similar))

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        return {"weighting": self.weighting, "neighbours": self.neighbours, "hops": self.hops}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`."""
        return {
            "similarity": self.similarity.data,
            "neighbour": self.similarity.indices.astype(np.int32),
            "row_start": self.similarity.indptr.astype(np.int64),
            "popularity": self.popularity,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`."""
        model = cls(**parameters)  # type: ignore[arg-type]
        popularity = arrays["popularity"]
        size = len(popularity)
        require_shape(popularity, (size,), "popularity")
        require_shape(arrays["row_start"], (size + 1,), "row_start")
        parts = (arrays["similarity"], arrays["neighbour"], arrays["row_start"])
        model.similarity = csr_matrix(parts, shape=(size, size))
        model.similarity.check_format(full_check=True)
        model.similarity.sort_indices()
        model.popularity = popularity
        return model


def _second_hop(similarity: csr_matrix, most: int) -> csr_matrix:
    """Return similarity², each offer (a column) keeping the `most` others that point to it most."""
    others = similarity - diags_array(similarity.diagonal(), format="csr", dtype=np.float32)
    squared = (others @ others).tocsc()
    for start, end in pairwise(squared.indptr):
        if end - start > most:
            values = squared.data[start:end]
            values[np.argpartition(values, end - start - most)[:-most]] = 0.0
    return csr_matrix(squared)
