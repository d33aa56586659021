"""Nearest neighbours between offers: who took this also took that."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

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

_WEIGHTINGS = ("cosine", "tfidf", "bm25", "p3alpha", "rp3beta")
_COSINES, _WALKS = ("cosine", "tfidf"), ("p3alpha", "rp3beta")
_BLOCK_NUMBERS = 4_000_000
"""How many numbers of a product of matrices are held at a time."""


class ItemItem(RelevanceModel):
    """History × similarity, each offer keeping its `neighbours` most similar ones; the search is implicit's.

    `weighting` is how much a shared customer counts: "cosine" all the same, "tfidf" and "bm25" less for
    customers with many offers. "p3alpha" is the chance of walking from an offer to a customer of it and on to
    another of their offers, each step's chance to the power `alpha` (Cooper et al. 2014); "rp3beta" divides that by
    the other offer's evidence to the power `beta`, which holds popular offers back (Paudel et al. 2017, eq. 4).
    `shrinkage` is added to what a cosine or TF-IDF is divided by, so that a few shared customers say less. With
    2 `hops`, two offers are similar by what both are similar to, where few customers have both. Where the history
    says nothing of two offers, the more popular one leads, by a millionth.
    """

    name: ClassVar[str] = "item_item"

    def __init__(
        self,
        weighting: str = "tfidf",
        neighbours: int = 50,
        hops: int = 1,
        alpha: float = 1.0,
        beta: float = 0.6,
        shrinkage: float = 0.0,
    ) -> None:
        if weighting not in _WEIGHTINGS or neighbours < 1 or hops not in (1, 2):
            raise ValueError(f"weighting is one of {', '.join(_WEIGHTINGS)}, neighbours at least 1, and hops 1 or 2")
        if not (alpha > 0 and beta >= 0 and shrinkage >= 0):
            raise ValueError("alpha is positive, and beta and shrinkage are not negative")
        self.weighting, self.neighbours, self.hops = weighting, int(neighbours), int(hops)
        self.alpha, self.beta, self.shrinkage = float(alpha), float(beta), float(shrinkage)
        self.similarity = csr_matrix((0, 0), dtype=np.float32)
        self.popularity: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`."""
        self.popularity = popularity_of(interactions)
        similarity = self._walked(interactions.matrix) if self.weighting in _WALKS else self._alike(interactions.matrix)
        self.similarity = similarity if self.hops == 1 else _second_hop(similarity, self.neighbours)
        self.similarity.eliminate_zeros()
        self.similarity.sort_indices()
        return self

    def _alike(self, matrix: csr_matrix) -> csr_matrix:
        weighted = self._weighted(matrix)
        if self.shrinkage > 0 and self.weighting in _COSINES:
            return _shrunk_cosine(weighted, self.shrinkage, self.neighbours)
        return _nearest(weighted, self.neighbours)

    def _weighted(self, matrix: csr_matrix) -> csr_matrix:
        from implicit.nearest_neighbours import bm25_weight, normalize, tfidf_weight

        offers = matrix.T.tocoo()
        if self.weighting == "bm25":
            weighted = bm25_weight(offers, K1=1.2, B=0.75)
        else:
            weighted = tfidf_weight(offers) if self.weighting == "tfidf" else offers
        if self.weighting != "bm25" and not self.shrinkage:
            # an offer whose every customer gets weight 0 has norm 0: implicit divides by it, and NaN means no neighbour
            with np.errstate(divide="ignore", invalid="ignore"):
                weighted = normalize(weighted)
        weighted.data = np.nan_to_num(weighted.data, nan=0.0, posinf=0.0, neginf=0.0)
        return weighted.T.tocsr()

    def _walked(self, matrix: csr_matrix) -> csr_matrix:
        """Return the chances of walking from each offer (a row) to the others; a mean offer's likeliest has 1.

        With x^α / degree^(α/2) for the entries of a customer, W[i, j] = XᵀX / (total[i]^α total[j]^β). For the search
        of neighbours both sides are divided by total^β, which changes no row's order.
        """
        beta = self.beta if self.weighting == "rp3beta" else 0.0
        wide = matrix.astype(np.float64)
        degrees, totals = (np.asarray(wide.sum(axis=axis)).ravel() for axis in (1, 0))
        reciprocal = np.divide(totals.max(), totals, out=np.zeros_like(totals), where=totals > 0)
        steps = np.repeat(np.divide(1.0, degrees, out=np.zeros_like(degrees), where=degrees > 0), np.diff(wide.indptr))
        wide.data = wide.data**self.alpha * steps ** (self.alpha / 2) * reciprocal[wide.indices] ** beta
        similarity = _without_self(_nearest(wide, self.neighbours + 1))
        starting = np.repeat(reciprocal, np.diff(similarity.indptr))
        similarity.data = (similarity.data * starting ** (self.alpha - beta)).astype(np.float32)
        likeliest = similarity.max(axis=1).toarray().ravel()
        similarity.data /= np.float32(likeliest[likeliest > 0].mean() if similarity.nnz else 1.0)
        return similarity

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: the search, then a second hop, whose blocks are more or less filled."""
        kept = shape.offers * min(self.neighbours, shape.offers)
        block = 16 * min(_BLOCK_NUMBERS, shape.offers**2)
        met = 2 * shape.entries**2 / max(shape.customers, 1)  # pairs of offers of one customer; some have many more
        if self.shrinkage > 0 and self.weighting in _COSINES:
            found = 28 * shape.entries + 16 * kept + block * -math.expm1(-met / max(shape.offers, 1) ** 2)
        else:
            found = 44 * shape.entries + (30 if self.weighting in _WALKS else 18) * kept
        joined = 30 * kept + block * -math.expm1(-kept * self.neighbours / max(shape.offers, 1) ** 2)
        return round(found if self.hops == 1 else max(found, joined))

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
        return {
            "weighting": self.weighting,
            "neighbours": self.neighbours,
            "hops": self.hops,
            "alpha": self.alpha,
            "beta": self.beta,
            "shrinkage": self.shrinkage,
        }

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


def _nearest(weighted: csr_matrix, most: int) -> csr_matrix:
    """Return XᵀX (offers, offers), each row keeping its `most` largest entries, itself among them."""
    from implicit.nearest_neighbours import ItemItemRecommender

    neighbourhood = ItemItemRecommender(K=min(most, weighted.shape[1]))
    neighbourhood.fit(weighted, show_progress=False)
    return csr_matrix(neighbourhood.similarity, dtype=np.float32)


def _shrunk_cosine(weighted: csr_matrix, shrinkage: float, most: int) -> csr_matrix:
    """Return xᵢ·xⱼ / (|xᵢ| |xⱼ| + shrinkage), each row keeping its `most` largest entries."""
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=0)).ravel())
    parts = []
    for start, block in _blocks(weighted.T.tocsr(), weighted.tocsr()):
        rows = np.repeat(norms[start : start + block.shape[0]], np.diff(block.indptr))
        block.data = block.data / (rows * norms[block.indices] + shrinkage)
        parts.append(_strongest(block, most))
    return csr_matrix(vstack(parts, format="csr"), dtype=np.float32)


def _second_hop(similarity: csr_matrix, most: int) -> csr_matrix:
    """Return similarity², each offer (a column) keeping the `most` others that point to it most."""
    towards = _without_self(similarity).T.tocsr()
    parts = [_strongest(block, most) for _, block in _blocks(towards, towards)]
    return csr_matrix(vstack(parts, format="csr").T, dtype=np.float32)


def _blocks(left: csr_matrix, right: csr_matrix) -> Iterator[tuple[int, csr_matrix]]:
    """Yield left × right a few rows at a time, each with the place of its first row: the whole may fit nowhere."""
    rows = max(1, _BLOCK_NUMBERS // right.shape[1])
    for start in range(0, left.shape[0], rows):
        yield start, csr_matrix(left[start : start + rows] @ right)


def _strongest(rows: csr_matrix, most: int) -> csr_matrix:
    """Leave each row its `most` largest entries, in place."""
    for start, end in pairwise(rows.indptr):
        if end - start > most:
            values = rows.data[start:end]
            values[np.argpartition(values, end - start - most)[:-most]] = 0.0
    rows.eliminate_zeros()
    return rows


def _without_self(similarity: csr_matrix) -> csr_matrix:
    rows = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))
    others = similarity.copy()
    others.data[rows == similarity.indices] = 0.0
    others.eliminate_zeros()
    return others
