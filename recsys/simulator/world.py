"""The simulated bank as a whole: its people, its offers, and how any of them would answer today."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recsys.domain.contact import Direction
from recsys.domain.outcome import Answer
from recsys.simulator.arrivals import CAMPAIGN, CHANNELS, PHONE, draw_channels, draw_reasons, draw_sentiments
from recsys.simulator.behaviour import acceptance, decline_reason, draw_answer
from recsys.simulator.chance import Generator, sigmoid, stream
from recsys.simulator.eligibility import eligible_people
from recsys.simulator.offers import OfferTruths, draw_offers, reasons
from recsys.simulator.population import Population, draw_population
from recsys.simulator.temperament import Temperament
from recsys.simulator.visit import Visit, draw_moments

_USUAL_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class World:
    """n people and m offers at `now`, after `months` of history; everything follows from the seed."""

    seed: int
    months: int
    now: datetime
    population: Population
    hidden: Temperament
    offers: OfferTruths
    taste: NDArray[np.float32]
    """(n, m) how well each offer suits each person, about standard normal; 0 for a service action."""
    eligible: NDArray[np.bool_]
    """(n, m) whether the rules and the risk level allow it."""
    drift: NDArray[np.float64]
    """(months + 1, m) how popularity wandered, month by month, the last being now."""
    _row: dict[str, int] = field(repr=False)

    @classmethod
    def build(cls, customers: int, months: int, seed: int, now: datetime) -> "World":
        """Return the world of `seed` with so many people (prospects included); `now` must be aware."""
        population, hidden = draw_population(customers, stream(seed, "population"))
        offers = draw_offers(now, stream(seed, "offers"))
        rng = stream(seed, "tastes")
        taste = hidden.needs @ offers.needs.T + 0.35 * rng.normal(0, 1, (customers, len(offers.ids)))
        suitable = (population.risk_level[:, None] >= offers.risk_level) | offers.is_service
        walk = stream(seed, "drift").normal(0, 0.12, (months + 1, len(offers.ids))).cumsum(axis=0)
        return cls(
            seed=seed,
            months=months,
            now=now,
            population=population,
            hidden=hidden,
            offers=offers,
            taste=np.where(offers.is_service, 0, taste).astype(np.float32),
            eligible=eligible_people(population, offers.rows) & suitable,
            drift=walk,
            _row={customer_id: row for row, customer_id in enumerate(population.customer_id)},
        )

    def acceptance_of(self, customer_id: str, offer_id: str, sentiment: float | None = None) -> float:
        """Return P(accepted) of a person of this world; an offer from elsewhere is answered with average taste."""
        row, column = self._row[customer_id], self.offers.index.get(offer_id)
        taste, pain, base = self._stance(row, column)
        one = np.ones(1)
        return float(acceptance(base * one, taste * one, pain * one, (sentiment or 0.0) * one, 0 * one)[0])

    def answer(
        self, customer_id: str, offer_id: str, sentiment: float | None, rng: Generator
    ) -> tuple[Answer, str | None]:
        """Return what the person says to the offer, and why when it is a no; KeyError for a stranger."""
        said = draw_answer(self.acceptance_of(customer_id, offer_id, sentiment), rng)
        if said is not Answer.DECLINED:
            return said, None
        taste, pain, _ = self._stance(self._row[customer_id], self.offers.index.get(offer_id))
        return said, decline_reason(taste, pain, sentiment or 0.0, rng)

    def visitor(self, rng: Generator) -> Visit:
        """Return who gets in touch next, why, and what they will say over time."""
        rate = self.hidden.contact_rate.cumsum()
        row = int(np.searchsorted(rate, rng.random() * rate[-1]))
        is_called = rng.random() < 0.05 and not self.population.do_not_contact[row]
        reason = np.array([CAMPAIGN]) if is_called else draw_reasons(self.hidden.needs[[row]], rng)
        sentiment = float(draw_sentiments(reason, self.hidden.mood[[row]], rng)[0])
        channel = PHONE if is_called else int(draw_channels(self.hidden.digital[[row]], rng)[0])
        language = str(self.population.language[row])
        return Visit(
            customer_id=self.population.customer_id[row],
            language=language,
            channel=CHANNELS[channel],
            direction=Direction.OUTBOUND if is_called else Direction.INBOUND,
            reason="campaign" if is_called else reasons()[int(reason[0])].name,
            sentiment=sentiment,
            moments=draw_moments(int(reason[0]), self.hidden.needs[row], language, sentiment, rng),
        )

    def csat(self, sentiment: float, rng: Generator) -> int | None:
        """Return the satisfaction (1–5) that somebody in this mood leaves at the end, or None: most do not answer."""
        score = int(draw_csat(np.array([sentiment]), rng)[0])
        return score or None

    def _stance(self, row: int, column: int | None) -> tuple[float, float, float]:
        """Return the taste, the price pain and the base log-odds with which this person meets this offer."""
        if column is None:
            return 0.0, 0.0, float(np.log(_USUAL_CHANCE / (1 - _USUAL_CHANCE)))
        pain = float(self.hidden.thrift[row] * self.offers.price[column])
        return float(self.taste[row, column]), pain, float(self.offers.base[column])


def draw_csat(sentiment: NDArray[np.float64], rng: Generator) -> NDArray[np.int64]:
    """Return 1–5 for each sentiment, or 0 for the two in three who give none (the moved answer more)."""
    score = np.clip(np.round(3.9 + 1.3 * sentiment + rng.normal(0, 0.7, len(sentiment))), 1, 5)
    replies = rng.random(len(sentiment)) < sigmoid(-0.9 + 0.8 * np.abs(sentiment))
    return np.where(replies, score, 0).astype(np.int64)
