"""Small event logs, exported as the service exports its own."""

import atexit
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from features.offline import OfflineFeatures, features_of_export
from features.service_names import RELEVANCE_SERVICE
from recsys.domain.customer import Customer
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.domain.outcome import Answer, PastAnswer
from tests.features.exported import Given, write_export
from training.dataset import Dataset

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """The moment `number` days after the start."""
    return START + timedelta(days=number)


def bought(customer: str, offer: str, on: float, kind: str = "accepted") -> Interaction:
    """Something a customer did on day `on`."""
    return Interaction(customer, offer, day(on), InteractionKind(kind))


def export(
    directory: Path,
    *history: Interaction,
    answers: tuple[PastAnswer, ...] = (),
    customers: tuple[Customer, ...] = (),
    recorded_at: datetime = START,
    versions: Sequence[tuple[datetime, Customer]] = (),
) -> Path:
    """Write the events of any customers, and answers of one of them, and return the folder."""
    known = {event.customer_id: Customer(event.customer_id) for event in history}
    known |= {customer.customer_id: customer for customer in customers}
    events: dict[str, list[Interaction]] = {name: [] for name in known}
    for event in history:
        events[event.customer_id].append(event)
    given = [
        Given(known[name], tuple(events[name]), versions=tuple(v for v in versions if v[1].customer_id == name))
        for name in sorted(known)
    ]
    given.append(Given(Customer("answering"), answers=answers))
    write_export(directory, given, recorded_at)
    return directory


def features_of(directory: Path, service: str = RELEVANCE_SERVICE) -> OfflineFeatures:
    """Feast over any export, with tables and a registry of its own, open until the tests end."""
    opened = features_of_export(directory, day(1_000), service=service)
    features = opened.__enter__()
    atexit.register(opened.__exit__, None, None, None)
    return features


def dataset_of(directory: Path) -> Dataset:
    """What training reads of any export."""
    return Dataset(features_of(directory))


def answered(offer: str, answer: Answer) -> PastAnswer:
    """An answer on the second day."""
    return PastAnswer(offer, answer, day(2))


def two_tastes(directory: Path, customers: int = 120, seed: int = 0) -> Path:
    """Customers who buy only within one of two families of ten offers, where popularity cannot know which."""
    rng = np.random.default_rng(seed)
    history = []
    for number in range(customers):
        family = "ab"[number % 2]
        for place, offer in enumerate(rng.permutation(10)[:6]):
            history.append(bought(f"客户{number:03d}", f"{family}{offer}", place * 20 + float(rng.random())))
    return export(directory, *history)


def one_taste(directory: Path, customers: int = 120, seed: int = 0) -> Path:
    """Customers who all buy at random, the same few offers most: nothing but popularity can be learned."""
    rng = np.random.default_rng(seed)
    chances = np.arange(10, 0, -1) ** 2.0
    history = []
    for number in range(customers):
        for place, offer in enumerate(rng.choice(10, 4, replace=False, p=chances / chances.sum())):
            history.append(bought(f"c{number:03d}", f"o{offer}", place * 20 + float(rng.random())))
    return export(directory, *history)
