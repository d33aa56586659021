"""Named random streams, so that a change in one part of the simulated bank leaves the others as they were."""

import zlib

import numpy as np
from numpy.typing import NDArray

Generator = np.random.Generator


def stream(seed: int, name: str, block: int = 0) -> Generator:
    """Return the random generator that belongs to one named part of the world (and one block of its people)."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), block])


def sigmoid(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities that `log_odds` stand for, same shape."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(log_odds, dtype=np.float64))))


def choose_row_wise(weights: NDArray[np.floating], rng: Generator) -> NDArray[np.intp]:
    """Return one column for each row of `weights` (n, m), drawn in proportion to the row's weights (not all 0)."""
    totals = np.cumsum(weights, axis=1, dtype=np.float64)
    cuts = rng.random(len(weights)) * totals[:, -1]
    return np.asarray((totals <= cuts[:, None]).sum(axis=1).clip(max=weights.shape[1] - 1), dtype=np.intp)
