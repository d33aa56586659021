"""Builders of the domain's values: each test names only what it is about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue, build_catalogue
from recsys.domain.channel import PHONE
from recsys.domain.contact import Contact
from recsys.domain.customer import Customer
from recsys.domain.decision import Situation
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.offer import Offer
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.protection import FLAGS
from recsys.domain.vocabulary import SHIPPED
from recsys.interactions.side_features import NOTHING_KNOWN, About
from recsys.models.bundle import Explained
from recsys.rules import BUILT_IN, ValueType

NOW = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
VOCABULARY = {**BUILT_IN, "age": ValueType.NUMBER}


def an_offer(offer_id: str = "card", **changes: Any) -> Offer:
    """A product that anyone may have."""
    return Offer(**{"offer_id": offer_id, "title_en": offer_id.title(), "title_zh": "卡", **changes})


def a_catalogue(*offers: Offer) -> Catalogue:
    """The offers, compiled; rules may name `age` besides the built-in facts."""
    return build_catalogue(offers, VOCABULARY)


def a_customer(**changes: Any) -> Customer:
    """A customer who was never asked for any consent; a flag may be given as if it were a field."""
    flags = frozenset(name for name in FLAGS if changes.pop(name, False))
    return Customer(**{"customer_id": "c1", "flags": flags, **changes})


def a_contact(**changes: Any) -> Contact:
    """An inbound call that is picked up; a complaint where its reason says so."""
    known = {"contact_id": "k1", "customer_id": "c1", "opened_at": NOW, "channel": PHONE, "agent_id": "a1"}
    return Contact(**{**known, "is_complaint": SHIPPED.is_complaint(changes.get("reason")), **changes})


def a_situation(**changes: Any) -> Situation:
    """A customer without any history in an inbound call, now."""
    known = {"decision_id": "d1", "made_at": NOW, "customer": a_customer(), "contact": a_contact()}
    found = {**known, **changes}
    is_heard = any(SHIPPED.is_complaint(intent.name) for intent in changes.get("intents", ()))
    return Situation(**{"is_complaint": found["contact"].is_complaint or is_heard, **found})


def an_interaction(
    offer_id: str, kind: InteractionKind = InteractionKind.ACCEPTED, days_ago: float = 100
) -> Interaction:
    """Something the customer did some days ago."""
    return Interaction("c1", offer_id, NOW - timedelta(days=days_ago), kind)


def a_past_answer(offer_id: str, answer: Answer, days_ago: float = 1, channel: str | None = None) -> PastAnswer:
    """Something the customer answered some days ago."""
    return PastAnswer(offer_id, answer, NOW - timedelta(days=days_ago), channel)


class FakeModel:
    """A relevance model that says what it is told: one score an offer, the same for every history."""

    version = "m-fake"
    uses_facts = False

    def __init__(
        self, scores: Mapping[str, float] | None = None, popularity: Mapping[str, float] | None = None,
        answer_counts: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:  # fmt: skip
        self._scores, self._popularity = scores or {}, popularity or {}
        self.answer_counts = answer_counts or {}
        self.told: list[About] = []

    def score(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> NDArray[np.float32]:
        """Return the told scores, 0 where nothing was told, and remember what was said about customer and offers."""
        self.told.append(about)
        return np.array([self._scores.get(offer_id, 0.0) for offer_id in offer_ids], dtype=np.float32)

    def popularity(self, offer_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the told popularity."""
        return np.array([self._popularity.get(offer_id, 0.0) for offer_id in offer_ids], dtype=np.float32)

    def evidence(self, offer_ids: Sequence[str]) -> NDArray[np.float64]:
        """Return the told answers."""
        return np.array([self.answer_counts.get(offer_id, (0, 0)) for offer_id in offer_ids], float).reshape(-1, 2)

    def explained(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> list[Explained]:
        """Return the contributions as parts of the history, and no facts."""
        mixes = self.uses_facts and bool(about.customer)
        shares = self.contributions(history, offer_ids, about)
        return [Explained(dict(of_offer), mixes_facts=mixes) for of_offer in shares]

    def contributions(
        self, history: Mapping[str, float], offer_ids: Sequence[str], about: About = NOTHING_KNOWN
    ) -> list[list[tuple[str, float]]]:
        """Return half of each score as the share of each history offer."""
        scores = [self._scores.get(offer_id, 0.0) for offer_id in offer_ids]
        return [[(known, score / 2 / len(history)) for known in history] for score in scores]
