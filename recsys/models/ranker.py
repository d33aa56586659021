"""The ranker: a collaborative base, and boosted trees that know the customer, judged on later purchases."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.interactions.matrix import InteractionMatrix
from recsys.interactions.past import Past, earlier_from_events, left_out
from recsys.interactions.side_features import FeatureSpace, SideFeatures
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
from recsys.models.ranker_fit import CELLS, TreeOptions, at, draw_examples, examples_need, fit_trees
from recsys.models.ranker_signals import Facts, Signals, signals_need
from recsys.models.tree_text import load_trees, saved_text

_SHORTEST, _LONGEST = 7.0, 120.0
_LEAST_KNOWN = 0.1
_FOLDS = 3
_RESEMBLING = 10
_BASE_ALONE = np.array([1.0, 0.0, 0.0])


class Ranker(RelevanceModel):
    """Score = weights · (collaborative score, level) + offset + Σ trees: the log-odds of being bought next.

    The base is a family that folds histories in; trees are grown by LightGBM (Ke et al. 2017) on what it leaves open,
    over collaborative scores, steps from offer to offer, popularity, and for every fact of the customer how much more
    often people with that value took the offer. They learn from `cuts` earlier moments: everything they see of an
    example was learned before it. Without times from three folds of customers. In catalogues of more than
    `candidates` offers the trees rank the best of the base, and the others follow in the base's order.
    """

    name: ClassVar[str] = "ranker"

    def __init__(
        self,
        leaves: int = 15,
        learning_rate: float = 0.1,
        least_rows_in_leaf: int = 100,
        l2: float = 5.0,
        cuts: int = 6,
        candidates: int = 200,
    ) -> None:
        if min(leaves - 1, least_rows_in_leaf, cuts, candidates) < 1:
            raise ValueError("leaves are at least 2, and the other counts at least 1")
        if not 0 < learning_rate <= 1 or not l2 >= 0:
            raise ValueError("learning_rate is in 0–1, and l2 not negative")
        self.options = TreeOptions(
            int(leaves), float(learning_rate), int(least_rows_in_leaf), float(l2), int(candidates)
        )
        self.cuts = int(cuts)
        self.popularity: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self.base = _BASE_ALONE
        self.offers: csr_matrix = csr_matrix((0, 0), dtype=np.float32)
        self._text = ""
        self._booster: Any = None
        self._signals: Signals | None = None

    def fit(
        self, interactions: InteractionMatrix, side_features: SideFeatures | None = None, *, rng: np.random.Generator
    ) -> Self:
        """See `RelevanceModel.fit`."""
        popularity_of(interactions)
        space = side_features.customer_space if side_features else FeatureSpace()
        customers = side_features.customers if side_features and len(space) else None
        facts = Facts.of(space if customers is not None else FeatureSpace())
        pasts = self._pasts(interactions, customers, rng)
        examples = draw_examples(pasts, facts, self.options, rng)
        self._signals = signals = Signals.learn(interactions, customers, facts, rng)
        self.base, self._text, self._booster = _BASE_ALONE, "", None
        if examples is not None and len(examples.bought) >= 2 * self.options.least_rows_in_leaf:
            found = fit_trees(examples, signals.monotone, self.options, int(rng.integers(2**31 - 1)))
            self.base, self._text = found.base, saved_text(found.booster)
            self._booster = load_trees(self._text, found.booster.num_trees(), len(signals.names))
        self.popularity = np.exp(signals.level - signals.level.max())
        has_facts = side_features is not None and side_features.offers.nnz
        self.offers = side_features.offers if has_facts and side_features else csr_matrix((len(self.popularity), 0))
        return self

    def needs(self, shape: DataShape) -> int:
        """See `RelevanceModel.needs`: the fit of its base, or the table of examples."""
        return max(signals_need(shape), examples_need(shape))

    def _pasts(
        self, interactions: InteractionMatrix, customers: csr_matrix | None, rng: np.random.Generator
    ) -> list[Past]:
        """Return earlier moments, oldest first: at least a tenth of all purchases came before each."""
        events = interactions.events
        if events is None or float(np.ptp(events.age_days)) < 2 * _SHORTEST:
            return left_out(interactions, customers, _FOLDS, rng)
        newest, oldest = float(events.age_days.min()), float(np.quantile(events.age_days, 1.0 - _LEAST_KNOWN))
        window = min(max((oldest - newest) / (self.cuts + 3), _SHORTEST), _LONGEST)
        ages = [newest + window * step for step in range(self.cuts, 0, -1) if newest + window * step < oldest]
        go_back = interactions.earlier or earlier_from_events(interactions, customers)
        return go_back(ages, window) or left_out(interactions, customers, _FOLDS, rng)

    @property
    def uses_facts(self) -> bool:
        """See `RelevanceModel.uses_facts`."""
        return self._signals is not None and self._signals.facts.count > 0

    def score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """See `RelevanceModel.score`."""
        n, offers = histories.shape
        scores = np.empty((n, len(columns)), dtype=np.float32)
        step = max(1, CELLS // max(1, min(offers, self.options.candidates)) // 4)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            mine = None if customers is None else customers[rows]
            scores[rows] = self._score(histories[rows], columns, mine)
        return fill_unknown(scores, self._is_unknown(histories, customers), self.popularity[columns])

    def _is_unknown(self, histories: csr_matrix, customers: csr_matrix | None) -> NDArray[np.bool_]:
        nobody = is_empty(histories)
        return nobody if customers is None or not self.uses_facts else nobody & is_empty(customers)

    def _score(
        self, histories: csr_matrix, columns: NDArray[np.intp], customers: csr_matrix | None
    ) -> NDArray[np.float32]:
        bases = self._learned.base(histories)
        base = self._weighed(bases)
        table = self._learned.columns(histories, self._facts(customers), bases[0])
        if base.shape[1] <= self.options.candidates:
            grid = np.broadcast_to(columns, (base.shape[0], len(columns)))
            return np.asarray(base[:, columns] + self._trees(at(table, base.shape, grid)).reshape(grid.shape))
        best = np.argpartition(-base, self.options.candidates - 1, axis=1)[:, : self.options.candidates]
        added = self._trees(at(table, base.shape, best)).reshape(best.shape)
        scores = base + added.min(axis=1, keepdims=True)  # below every candidate, as the base is
        np.put_along_axis(scores, best, np.take_along_axis(base, best, axis=1) + added, axis=1)
        return np.asarray(scores[:, columns], dtype=np.float32)

    @property
    def _learned(self) -> Signals:
        if self._signals is None:
            raise ValueError("the ranker is not fitted")
        return self._signals

    def _facts(self, customers: csr_matrix | None) -> csr_matrix | None:
        return customers if self.uses_facts else None

    def _weighed(self, bases: NDArray[np.float32]) -> NDArray[np.float32]:
        weighed = self.base[0] * bases[0] + self.base[1] * bases[1] + self.base[2]
        return np.asarray(weighed, dtype=np.float32)

    def _trees(self, table: NDArray[Any]) -> NDArray[np.float32]:
        if self._booster is None:
            return np.zeros(len(table), dtype=np.float32)
        found = self._booster.predict(table, raw_score=True, num_threads=1)
        return np.asarray(found, dtype=np.float32)

    def _shap(self, table: NDArray[Any]) -> NDArray[np.float64]:
        """Return what each signal adds in the trees for one row, and what they expect of nobody in particular."""
        if self._booster is None:
            return np.zeros(table.shape[1] + 1)
        return np.asarray(self._booster.predict(table, pred_contrib=True, num_threads=1)[0])

    def score_new(
        self, histories: csr_matrix, offers: csr_matrix, customers: csr_matrix | None = None
    ) -> NDArray[np.float32] | None:
        """See `RelevanceModel.score_new`: what the signals say of the ten offers whose facts resemble it most.

        None where nothing is known of any offer.
        """
        if self.offers.shape[1] == 0 or offers.shape[1] != self.offers.shape[1]:
            return None
        near = self._resembling(offers)
        bases = self._learned.base(histories)
        shape = bases.shape[1:]
        table = [
            np.broadcast_to(one, shape) @ near.T
            for one in self._learned.columns(histories, self._facts(customers), bases[0])
        ]
        grid = np.broadcast_to(np.arange(offers.shape[0]), (shape[0], offers.shape[0]))
        scores = self._weighed(bases) @ near.T + self._trees(at(table, grid.shape, grid)).reshape(grid.shape)
        popularity = np.asarray(self.popularity @ near.T, dtype=np.float32)
        return fill_unknown(np.asarray(scores, dtype=np.float32), self._is_unknown(histories, customers), popularity)

    def _resembling(self, offers: csr_matrix) -> NDArray[np.float32]:
        """Return (k, offers) the weights, which add up to 1, of the known offers that resemble each new one most."""
        alike = np.asarray((offers @ self.offers.T).todense(), dtype=np.float32) + np.float32(1e-6)
        most = min(_RESEMBLING, alike.shape[1])
        least = np.partition(alike, alike.shape[1] - most, axis=1)[:, [alike.shape[1] - most]]
        alike[alike < least] = 0.0
        return np.asarray(alike / alike.sum(axis=1, keepdims=True))

    def contributions(self, history: csr_matrix, column: int, customer: csr_matrix | None = None) -> Contributions:
        """See `RelevanceModel.contributions`: the trees' SHAP values (Lundberg et al. 2020) by what they are about."""
        where = np.array([column])
        if self._is_unknown(history, customer)[0]:
            return Contributions(float(self.popularity[column]), {})
        bases = self._learned.base(history)
        table = at(self._learned.columns(history, self._facts(customer), bases[0]), bases.shape[1:], where[None])
        total = float(self._weighed(bases)[0, column] + self._trees(table)[0])
        if len(self.popularity) > self.options.candidates:
            total = float(self.score(history, where, customer)[0, 0])
        parts = self._shap(table)
        facts = np.zeros(self._learned.facts.count)
        of_history = 0.0
        for name, part in zip(self._learned.names, parts[:-1].tolist(), strict=True):
            topic = name.partition(":")[0]
            if topic == "history":
                of_history += part
            elif topic != "general":
                facts[int(topic.removeprefix("fact "))] += part
        shares = self._of_history(history, column, of_history)
        rest = total - float(facts.sum()) - sum(shares.values())
        return Contributions(rest, shares, dict(enumerate(facts.tolist())))

    def _of_history(self, history: csr_matrix, column: int, of_trees: float) -> dict[int, float]:
        """Return what each offer of the history adds by the base, and its even part of what the trees say of them."""
        if history.nnz == 0:
            return {}
        of_base = self._learned.sources[0].contributions(history, column).shares
        values = np.array([self.base[0] * of_base[place] for place in history.indices.tolist()])
        return shares_of(history, values + of_trees / history.nnz)

    def parameters(self) -> dict[str, Any]:
        """See `RelevanceModel.parameters`."""
        options = self.options
        return {
            "leaves": options.leaves,
            "learning_rate": options.learning_rate,
            "least_rows_in_leaf": options.least_rows_in_leaf,
            "l2": options.l2,
            "cuts": self.cuts,
            "candidates": options.candidates,
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `RelevanceModel.to_arrays`; the trees are their text, a character a number."""
        text = np.frombuffer(self._text.encode("ascii"), dtype=np.uint8).astype(np.int32)
        offers = self.offers.tocoo()
        own = {
            "popularity": self.popularity,
            "base": self.base,
            "trees": text,
            "offer_facts": np.stack([offers.row, offers.col]).astype(np.int32),
            "offer_shape": np.array(self.offers.shape, dtype=np.int32),
        }
        return own | self._learned.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Arrays, parameters: Parameters) -> Self:
        """See `RelevanceModel.from_arrays`; the text of the trees is looked through before LightGBM reads it."""
        model = cls(**parameters)  # type: ignore[arg-type]
        model.popularity, model.base = arrays["popularity"], arrays["base"]
        size = len(model.popularity)
        require_shape(model.base, (3,), "base")
        model._signals = Signals.from_arrays(arrays, size)
        model._text = bytes(_bytes_of(arrays["trees"])).decode("ascii")
        if model._text:
            model._booster = load_trees(model._text, model._text.count("\nTree="), len(model._signals.names))
        rows, facts = (int(number) for number in arrays["offer_shape"])
        places = arrays["offer_facts"]
        require_shape(places, (2, places.shape[-1]), "offer_facts")
        if rows != size or facts < 0:
            raise ValueError("the facts are of other offers")
        marks = np.ones(places.shape[1], dtype=np.float32)
        model.offers = csr_matrix((marks, (places[0], places[1])), shape=(rows, facts))
        return model


def _bytes_of(numbers: NDArray[Any]) -> Sequence[int]:
    if (
        numbers.ndim != 1
        or numbers.dtype.kind != "i"
        or (numbers.size and not 0 < numbers.min() <= numbers.max() < 128)
    ):
        raise ValueError("the trees are not text")
    return list(numbers.tolist())
