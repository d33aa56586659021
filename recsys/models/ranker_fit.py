"""Fits the ranker: examples from earlier moments, the weight of the base, and boosted trees on what it leaves open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.interactions.past import Past
from recsys.models.data_shape import DataShape
from recsys.models.ranker_signals import Facts, Signals

CELLS = 2_000_000
"""Customers × offers that are worked on at once."""

_CHUNK, _PATIENCE = 10, 8
_LIST = 5
_MOST_ROUNDS = 150
_MOST_EXAMPLES = 200_000
"""Of so many customers who bought, at most, and `_NEGATIVES` offers each that they did not buy."""
_NEGATIVES = 15
_RIDGE = 1e-3
_BYTES_AN_EXAMPLE, _BYTES_A_CELL = 150, 60
_NEVER = np.float32(2.0)

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """How trees grow, and among how many `candidates` of the base."""

    leaves: int
    learning_rate: float
    least_rows_in_leaf: int
    l2: float
    candidates: int


@dataclass(frozen=True, slots=True)
class Examples:
    """k rows of the trees' columns: bought or not (k,), both bases (k, 2), the group (one customer) and the block."""

    table: NDArray[np.float32]
    bought: Doubles
    bases: Doubles
    group: NDArray[np.intp]
    block: NDArray[np.intp]

    def of(self, chosen: NDArray[np.bool_]) -> "Examples":
        """Return only these rows, groups numbered anew."""
        _, group = np.unique(self.group[chosen], return_inverse=True)
        return Examples(self.table[chosen], self.bought[chosen], self.bases[chosen], group, self.block[chosen])


@dataclass(frozen=True, slots=True)
class Fitted:
    """(3,) the weights of both bases and what is added to them (log-odds), and the grown LightGBM booster."""

    base: Doubles
    booster: Any


def examples_need(shape: DataShape) -> int:
    """Return about how many bytes examples and trees have in memory at their peak, without facts of customers."""
    examples = (1 + _NEGATIVES) * min(_MOST_EXAMPLES, shape.events or shape.entries)
    return _BYTES_AN_EXAMPLE * examples + _BYTES_A_CELL * CELLS


def draw_examples(
    pasts: Sequence[Past], facts: Facts, options: TreeOptions, rng: np.random.Generator
) -> Examples | None:
    """Return examples of every past, oldest first, each with signals that were learned as of its moment alone.

    None when there is no example.
    """
    asked = sum(len(past.customer_ids) for past in pasts)
    share = min(1.0, _MOST_EXAMPLES / max(1, asked))
    parts: list[Examples] = []
    groups = 0
    for block, past in enumerate(pasts):
        signals = Signals.learn(past.known, past.customers, facts, rng)
        rows = np.flatnonzero(rng.random(len(past.customer_ids)) < share)
        step = max(1, CELLS // past.histories.shape[1])
        for start in range(0, len(rows), step):
            part = _examples_of(signals, past, rows[start : start + step], options, rng)
            size = len(part.bought)
            parts.append(Examples(part.table, part.bought, part.bases, part.group + groups, np.full(size, block)))
            groups += int(part.group[-1]) + 1 if size else 0
    if not parts:
        return None
    fields = ([getattr(part, name) for part in parts] for name in ("table", "bought", "bases", "group", "block"))
    return Examples(*(np.concatenate(values) for values in fields))


def _examples_of(
    signals: Signals, past: Past, rows: NDArray[np.intp], options: TreeOptions, rng: np.random.Generator
) -> Examples:
    histories, facts = past.histories[rows], None if past.facts is None else past.facts[rows]
    bases = signals.base(histories)
    bought = past.relevant[rows].toarray() > 0
    keys = rng.random(bought.shape, dtype=np.float32)
    keys[(past.excluded[rows].toarray() > 0) & ~bought] = _NEVER
    if bought.shape[1] > options.candidates:
        order = np.argpartition(-bases[0], options.candidates - 1, axis=1)[:, options.candidates :]
        np.put_along_axis(keys, order, _NEVER, axis=1)
    keys[bought] = -1.0  # what was bought comes first
    most = min(bought.shape[1], int(bought.sum(axis=1).max()) + _NEGATIVES)
    columns = np.argpartition(keys, most - 1, axis=1)[:, :most]
    chosen = np.take_along_axis(keys, columns, axis=1)
    is_bought = np.take_along_axis(bought, columns, axis=1)
    place = np.cumsum(np.where(is_bought, 0, chosen < _NEVER), axis=1)
    keep = is_bought | ((chosen < _NEVER) & (place <= _NEGATIVES))
    row, column = np.nonzero(keep)[0], columns[keep]
    table = np.stack(
        [np.broadcast_to(one, bought.shape)[row, column] for one in signals.columns(histories, facts, bases[0])], axis=1
    )
    return Examples(table, is_bought[keep].astype(np.float64), bases[:, row, column].T.astype(np.float64), row, row)


def fit_trees(examples: Examples, monotone: Sequence[int], options: TreeOptions, seed: int) -> Fitted:
    """Grow the trees on what the bases leave open, as many as rank the last block best, then on all blocks."""
    weights = _base_weights(examples)
    offset = _offset(examples.bases @ weights, examples.bought)
    start = examples.bases @ weights + offset
    parameters = _parameters(monotone, options, seed)
    is_last = examples.block == examples.block.max()
    rounds = _MOST_ROUNDS // 2
    if is_last.any() and (~is_last).sum() >= 2 * options.least_rows_in_leaf:
        rounds = _best_rounds(examples, start, is_last, parameters)
    booster = _grower(examples.table, examples.bought, start, parameters)
    for _ in range(rounds):
        booster.update()
    return Fitted(np.array([*weights, offset]), booster)


def _base_weights(examples: Examples) -> Doubles:
    """Return (2,) weights of at least 0 that make what was bought likeliest among the group (McFadden 1974)."""
    from scipy.optimize import minimize

    def loss(weights: Doubles) -> float:
        return list_loss(examples.bases @ weights, examples) + _RIDGE * float(weights @ weights)

    found = minimize(loss, np.array([0.5, 0.1]), method="L-BFGS-B", bounds=[(0.0, None)] * 2)
    return np.asarray(found.x)


def list_loss(scores: Doubles, examples: Examples) -> float:
    """Return the mean of −log softmax of what was bought among its group: it cares for the order alone."""
    starts = np.flatnonzero(np.diff(examples.group, prepend=-1))
    highest = np.maximum.reduceat(scores, starts)
    sums = np.add.reduceat(np.exp(scores - highest[examples.group]), starts)
    losses = (highest + np.log(sums))[examples.group] - scores
    return float((losses @ examples.bought) / examples.bought.sum())


def list_gain(scores: Doubles, examples: Examples) -> float:
    """Return the mean NDCG@5 of the groups: what the lists are judged by, several purchases of one customer and all."""
    order = np.lexsort((-scores, examples.group))
    group, bought = examples.group[order], examples.bought[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    rank = np.arange(len(group)) - starts[group]
    gained = np.bincount(group, weights=bought * (rank < _LIST) / np.log2(rank + 2.0))
    ideal = np.concatenate([[1.0], np.cumsum(1.0 / np.log2(np.arange(_LIST) + 2.0))])
    most = np.minimum(np.bincount(group, weights=bought).astype(np.intp), _LIST)
    return float((gained / ideal[most]).mean())


def _offset(scores: Doubles, bought: Doubles) -> float:
    """Return what added to the scores makes their mean chance the share of what was bought, by Newton's steps."""
    offset = 0.0
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-(scores + offset)))
        slope = float((chance * (1.0 - chance)).sum())
        step = float((bought - chance).sum()) / max(slope, 1e-9)
        offset += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-9:
            break
    return offset


def _best_rounds(examples: Examples, start: Doubles, is_last: NDArray[np.bool_], parameters: dict[str, Any]) -> int:
    early, late = ~is_last, examples.of(is_last)
    booster = _grower(examples.table[early], examples.bought[early], start[early], parameters)
    scores, rounds = start[is_last].copy(), 0
    best = list_gain(scores, late)
    for done in range(_CHUNK, _MOST_ROUNDS + 1, _CHUNK):
        for _ in range(_CHUNK):
            booster.update()
        scores += booster.predict(late.table, raw_score=True, start_iteration=done - _CHUNK, num_threads=1)
        gain = list_gain(scores, late)
        if gain > best:
            best, rounds = gain, done
        elif done >= rounds + _PATIENCE * _CHUNK:
            break
    return max(rounds, 1)


def _grower(table: NDArray[np.float32], bought: Doubles, start: Doubles, parameters: dict[str, Any]) -> Any:
    import lightgbm

    quiet = {"verbosity": -1, "num_threads": 1}
    data = lightgbm.Dataset(
        table, bought, init_score=start, params={**quiet, "max_bin": 63, "use_missing": False}, free_raw_data=True
    )
    return lightgbm.Booster(parameters, data)


def _parameters(monotone: Sequence[int], options: TreeOptions, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "boost_from_average": False,
        "num_leaves": options.leaves,
        "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.least_rows_in_leaf,
        "lambda_l2": options.l2,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "max_bin": 63,
        "use_missing": False,
        "monotone_constraints": list(monotone),
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def at(table: list[NDArray[np.float32]], shape: tuple[int, int], columns: NDArray[np.intp]) -> NDArray[Any]:
    """Return (n × k, signals) where `columns` (n, k) are offers of each row."""
    rows = np.arange(shape[0])[:, None]
    picked = [np.broadcast_to(one, shape)[rows, columns] for one in table]
    return np.stack(picked, axis=2).reshape(-1, len(picked))
