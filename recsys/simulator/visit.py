"""A live contact from the customer's side: what they will say, mean and feel as the minutes pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.domain.contact import ContactEventType, Direction
from recsys.simulator.arrivals import CAMPAIGN, draw_reasons
from recsys.simulator.chance import Generator
from recsys.simulator.offers import reasons


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that becomes known `after_seconds` from the one before."""

    after_seconds: float
    type: ContactEventType
    text: str | None = None
    intent: str | None = None
    confidence: float = 1.0
    sentiment: float | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who gets in touch now."""

    customer_id: str
    language: str
    channel: str
    direction: Direction
    reason: str
    sentiment: float
    moments: tuple[Moment, ...]


def draw_moments(
    reason: int, needs: NDArray[np.float64], language: str, sentiment: float, rng: Generator
) -> tuple[Moment, ...]:
    """Return the course of the contact: the reason, a turn of mood, and for half of them a second wish."""
    moments: list[Moment] = []
    wishes = [] if reason == CAMPAIGN else [reason]
    if rng.random() < 0.5:
        wishes.append(int(draw_reasons(1.5 * needs[None, :], rng)[0]))
    mood = sentiment
    for wish in dict.fromkeys(wishes):
        said = reasons()[wish]
        sentences = said.says[language]
        text = sentences[int(rng.integers(len(sentences)))]
        moments.append(Moment(_pause(rng, 6), ContactEventType.UTTERANCE, text=text))
        heard = said.intents[int(rng.random() ** 2 * len(said.intents))]
        confidence = round(float(rng.beta(9, 2)), 2)
        moments.append(Moment(_pause(rng, 2), ContactEventType.INTENT, intent=heard, confidence=confidence))
        mood = round(float(np.clip(0.7 * mood + rng.normal(0.1, 0.2), -1, 1)), 2)
        moments.append(Moment(_pause(rng, 8), ContactEventType.SENTIMENT, sentiment=mood))
    return tuple(moments)


def _pause(rng: Generator, seconds: float) -> float:
    return round(float(seconds * (0.5 + rng.random())), 1)
