"""A catalogue over the offers of the small market that bundles are trained on, and random people in contacts."""

from datetime import timedelta
from typing import Any

import numpy as np

from recsys.catalogue import Catalogue
from recsys.domain.channel import CHANNELS
from recsys.domain.contact import Direction, Intent
from recsys.domain.customer import Consents
from recsys.domain.decision import Situation
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.offer import OfferKind
from recsys.domain.outcome import Answer
from recsys.ranking.propensity import Floats
from tests.builders import NOW, a_catalogue, a_contact, a_customer, a_past_answer, a_situation, an_offer

OFFER_IDS = [f"产品{number:02d}" for number in range(30)] + ["新品1", "新品2"]
SERVICE = OFFER_IDS[5::9]
FEATURES = ("declined_count_90d", "view_count_30d", "csat_mean", "age", "balance")


def market_catalogue() -> Catalogue:
    """The market's offers, some of them service actions, and two that training did not know."""
    return a_catalogue(
        *(
            an_offer(
                offer_id,
                family=f"f{number % 4}-{number % 3}",
                margin=float(60 + 7 * number),
                kind=OfferKind.SERVICE if offer_id in SERVICE else OfferKind.PRODUCT,
                intents=frozenset({"help"} if offer_id in SERVICE else {"need"} if number % 6 == 0 else ()),
                terms={"limit": "age * 10"} if number % 2 else {},
            )
            for number, offer_id in enumerate(OFFER_IDS)
        )
    )


def random_events(rng: np.random.Generator, kinds: list[InteractionKind], most: int) -> tuple[Interaction, ...]:
    """Up to `most` events of these kinds, oldest first."""
    days = np.sort(rng.uniform(0.1, 400, rng.integers(0, most + 1)))[::-1]
    return tuple(
        Interaction(
            "c1", OFFER_IDS[rng.integers(30)], NOW - timedelta(days=float(day)), kinds[rng.integers(len(kinds))],
            weight=float(rng.uniform(0.2, 2)),
        )
        for day in days
    )  # fmt: skip


def random_features(rng: np.random.Generator) -> dict[str, float]:
    """Some features of the online store."""
    return {name: float(rng.integers(0, 60)) for name in FEATURES if rng.random() < 0.7}


def random_situation(rng: np.random.Generator, **changes: Any) -> Situation:
    """Anybody in any contact."""
    channel = list(CHANNELS)[rng.integers(len(CHANNELS))]
    contact = a_contact(
        contact_id=f"k{rng.integers(1_000_000)}",
        channel=channel,
        direction=Direction.OUTBOUND if rng.random() < 0.3 else Direction.INBOUND,
        sentiment=float(rng.uniform(-1, 1)) if rng.random() < 0.7 else None,
    )
    customer = a_customer(
        segment=("mass", "private", "青年", None)[rng.integers(4)],
        risk_level=int(rng.integers(1, 6)),
        attributes={"age": float(rng.integers(18, 80))} if rng.random() < 0.8 else {},
        consents=Consents(marketing=True, profiling=None if rng.random() < 0.7 else bool(rng.random() < 0.5)),
    )
    intents = tuple(Intent(name, float(rng.random())) for name in ("help", "need", "f1-1") if rng.random() < 0.4)
    answers = [
        a_past_answer(OFFER_IDS[rng.integers(30)], Answer.DECLINED, float(day)) for day in rng.uniform(40, 80, 2)
    ]
    known = {
        "customer": customer, "contact": contact, "intents": intents, "answers": tuple(answers),
        "history": random_events(rng, list(InteractionKind), 8), "features": random_features(rng),
    }  # fmt: skip
    return a_situation(**{**known, **changes})


class SensitivePropensity:
    """A trained model in miniature: every signal counts, and so does whether it is known."""

    version = "pm-sensitive"
    relevance_weight = 0.45
    signals = (
        "base_log_odds", "relevance", "intent_match", "is_service", "times_declined", "days_since_declined",
        "sentiment", "is_outbound", "channel_phone", "risk_level", "income", *FEATURES,
    )  # fmt: skip

    def contributions(self, table: Floats) -> Floats:
        """Return (n, signals + 2): each signal's weight times its value, the calibration's part, the rest."""
        weights = 0.0005 * (1 + np.arange(len(self.signals)))
        weights[:3] = 1.0, self.relevance_weight, 1.2
        parts = np.where(np.isnan(table), -0.03, table * weights)
        return np.column_stack([parts, np.full(len(table), 0.02), np.full(len(table), -0.4)])

    def log_odds(self, table: Floats) -> Floats:
        """Return (n,) the sum of the contributions."""
        return np.asarray(self.contributions(table).sum(axis=1))
