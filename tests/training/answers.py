"""Event logs with decisions whose answers follow a known law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from recsys.domain.outcome import Answer, Outcome
from recsys.storage.database import Database
from recsys.storage.decision_log import AnsweredOffer
from tests.builders import NOW, a_contact, a_customer


@dataclass(frozen=True)
class Given:
    """One shown offer: who, when (hours after the start), the signals, what was declared and answered."""

    customer: str
    hour: float
    signals: Mapping[str, float | bool | None]
    answer: Answer = Answer.DECLINED
    propensity: float = 0.1
    offer: str = "card"
    profiling: bool | None = None
    decision: str = field(default="")
    model: str = "none"


def a_record(given: Given, decision_id: str) -> dict[str, Any]:
    """The record of a decision that showed this offer, as far as training reads it."""
    return {
        "decision_id": decision_id,
        "contact_id": f"k-{given.customer}",
        "customer_id": given.customer,
        "made_at": NOW.isoformat(),
        "model_version": given.model,
        "catalogue_version": "c",
        "policy_version": "p",
        "offers": [{"offer_id": given.offer, "propensity": given.propensity, "signals": dict(given.signals)}],
        "inputs": {"customer": {"consents": {"marketing": None, "profiling": given.profiling, "partner": None}}},
    }


def answered(*given: Given) -> list[AnsweredOffer]:
    """The answers as the log gives them; those with the same `decision` are answers to one."""
    return [
        AnsweredOffer(
            a_record(one, one.decision or f"d{number}"), one.offer, one.answer, NOW + timedelta(hours=one.hour)
        )
        for number, one in enumerate(given)
    ]


def record(database: Database, given: Sequence[Given]) -> None:
    """Write customers, contacts, decisions and answers into a real event log."""
    with database.transaction() as log:
        for name in dict.fromkeys(one.customer for one in given):
            log.add_customer(a_customer(customer_id=name), NOW)
            log.add_contact(a_contact(contact_id=f"k-{name}", customer_id=name))
        for number, one in enumerate(given):
            log.add_decision(a_record(one, f"d{number}"), log.next_sequence(f"k-{one.customer}"))
            ids = (f"o{number}", f"d{number}", f"k-{one.customer}", one.customer, one.offer)
            outcome = Outcome(*ids, one.answer, NOW + timedelta(hours=one.hour))
            log.add_outcome(outcome, f"key-{number}", "", {})


def a_logistic_world(count: int, seed: int = 0, customers: int = 400, hours: float = 0.0) -> list[Given]:
    """Answers that follow base + .8 · relevance + .9 · intent_match − .5 · times_declined; the declared do not."""
    rng = np.random.default_rng(seed)
    world = []
    for number in range(count):
        base, relevance = float(rng.choice([-2.5, -1.5, -1.0])), float(rng.normal())
        intent, declined = float(rng.random() < 0.4), float(rng.integers(0, 3))
        truth = base + 0.8 * relevance + 0.9 * intent - 0.5 * declined
        accepts = rng.random() < 1 / (1 + np.exp(-truth))
        signals: dict[str, float | None] = {
            "base_log_odds": base,
            "relevance": relevance,
            "intent_match": intent,
            "times_declined": declined,
        }
        signals |= {"noise": float(rng.normal()), "age": float(rng.integers(18, 80)) if rng.random() < 0.9 else None}
        declared = 1 / (1 + np.exp(-(base + 0.3 * relevance + 1.0)))
        answer = Answer.ACCEPTED if accepts else (Answer.LATER if rng.random() < 0.3 else Answer.DECLINED)
        customer = f"客户{int(rng.integers(customers)):04d}"
        world.append(
            Given(customer, hours + number / 10, signals, answer, float(declared), offer=f"o{int(rng.integers(3))}")
        )
    return world
