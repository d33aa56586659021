"""What nobody at the bank can see: the life stage, needs, moods and habits that make people answer as they do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.simulator.chance import Generator, choose_row_wise

NEEDS = ("saving", "borrowing", "home", "travel", "protection", "investing", "convenience", "family")

STAGES = ("student", "single", "couple", "young_family", "mature_family", "empty_nest", "retired", "owner")
OWNER = STAGES.index("owner")

# How strongly each life stage (row) feels each need (column), before people differ.
_NEED_BY_STAGE = np.array(
    [
        [-0.6, 0.1, -1.2, 0.9, -1.0, -0.6, 0.9, -1.0],
        [0.0, 0.3, -0.4, 1.0, -0.7, 0.3, 0.6, -1.1],
        [0.2, 0.5, 0.9, 0.7, 0.0, 0.3, 0.2, -0.2],
        [0.1, 0.7, 1.0, -0.5, 0.7, -0.2, 0.0, 1.5],
        [0.3, 0.2, 0.4, 0.0, 0.6, 0.5, -0.1, 1.1],
        [0.8, -0.8, -0.1, 0.6, 0.7, 0.8, -0.4, -0.4],
        [1.2, -1.4, -0.7, -0.1, 1.1, 0.0, -1.0, -0.3],
        [-0.4, 1.2, 0.0, 0.2, 0.0, 0.6, 0.7, -0.1],
    ]
)

# Share of each life stage by age: upper age of the band (exclusive), then a weight for every stage.
_STAGE_BY_AGE = (
    (23, (0.80, 0.17, 0.03, 0, 0, 0, 0, 0)),
    (31, (0.02, 0.55, 0.25, 0.13, 0, 0, 0, 0.05)),
    (43, (0, 0.18, 0.20, 0.49, 0.04, 0, 0, 0.09)),
    (57, (0, 0.09, 0.12, 0.12, 0.43, 0.15, 0, 0.09)),
    (64, (0, 0.05, 0.05, 0, 0.18, 0.57, 0.10, 0.05)),
    (200, (0, 0, 0, 0, 0.02, 0.10, 0.87, 0.01)),
)


@dataclass(frozen=True, slots=True)
class Temperament:
    """The hidden side of n people; it never leaves the simulator."""

    stage: NDArray[np.intp]
    needs: NDArray[np.float64]
    """(n, 8) in the order of `NEEDS`, about standard normal over the population."""
    digital: NDArray[np.float64]
    """(n,) ease with the app, 0 to 1."""
    mood: NDArray[np.float64]
    """(n,) how much gladder than others they sound."""
    thrift: NDArray[np.float64]
    """(n,) how much a price hurts, about 1."""
    contact_rate: NDArray[np.float64]
    """(n,) contacts a month."""
    browsing_rate: NDArray[np.float64]
    """(n,) visits a month to product pages in the app."""


def draw_stages(age: NDArray[np.int64], rng: Generator) -> NDArray[np.intp]:
    """Return a life stage (index into `STAGES`) for each age in years."""
    bands = np.searchsorted([upper for upper, _ in _STAGE_BY_AGE], age, side="right")
    return choose_row_wise(np.array([weights for _, weights in _STAGE_BY_AGE])[bands], rng)


def draw_temperament(
    stage: NDArray[np.intp], age: NDArray[np.int64], income: NDArray[np.float64], rng: Generator
) -> Temperament:
    """Return the hidden side of the people of these life stages, ages (years) and incomes (CNY a month)."""
    n = len(stage)
    needs = _NEED_BY_STAGE[stage] + rng.normal(0, 0.9, (n, len(NEEDS)))
    wealth = np.log(income / 9000)
    needs[:, NEEDS.index("investing")] += 0.5 * wealth
    needs[:, NEEDS.index("travel")] += 0.4 * wealth
    needs[:, NEEDS.index("borrowing")] -= 0.3 * wealth
    digital = 1 / (1 + np.exp(-(1.8 - 0.045 * (age - 18) + rng.normal(0, 0.9, n))))
    return Temperament(
        stage=stage,
        needs=(needs - needs.mean(axis=0)) / (needs.std(axis=0) + 1e-9),
        digital=digital,
        mood=rng.normal(0, 0.15, n),
        thrift=np.exp(rng.normal(0, 0.3, n) - 0.25 * wealth),
        contact_rate=0.25 * np.exp(rng.normal(0, 0.5, n)) * (1.3 - 0.5 * digital),
        browsing_rate=1.1 * digital * np.exp(rng.normal(0, 0.5, n)),
    )
