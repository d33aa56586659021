"""How people answer an offer: one formula for the months of history and for live traffic."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.domain.outcome import Answer
from recsys.simulator.chance import Generator, sigmoid

TASTE_WEIGHT: Final = 1.3
MOOD_WEIGHT: Final = 0.7
PRICE_WEIGHT: Final = 0.5
FATIGUE_WEIGHT: Final = 0.35
LATER_SHARE: Final = 0.18

Floats = NDArray[np.floating]


def acceptance(base: Floats, taste: Floats, price_pain: Floats, sentiment: Floats, pressure: Floats) -> Floats:
    """Return P(accepted): the offer's base log-odds moved by taste, price, mood (−1…1) and recent pitches."""
    log_odds = base + TASTE_WEIGHT * taste - PRICE_WEIGHT * price_pain
    return sigmoid(log_odds + MOOD_WEIGHT * sentiment - FATIGUE_WEIGHT * pressure)


def decline_reason(taste: float, price_pain: float, sentiment: float, rng: Generator) -> str:
    """Return why somebody said no: the more it is so, the likelier they say so."""
    urges = {
        "no_need": 0.6 + max(0.0, -taste),
        "price": price_pain,
        "bad_time": 0.2 + max(0.0, -2 * sentiment),
        "has_elsewhere": 0.3,
        "no_trust": 0.1 + max(0.0, -sentiment),
    }
    weights = np.array(list(urges.values()))
    return list(urges)[int(rng.choice(len(urges), p=weights / weights.sum()))]


def draw_answer(probability: float, rng: Generator) -> Answer:
    """Return the answer of somebody who accepts with `probability`; some who do not will think about it."""
    if rng.random() < probability:
        return Answer.ACCEPTED
    return Answer.LATER if rng.random() < LATER_SHARE else Answer.DECLINED
