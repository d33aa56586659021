"""Facts made from the purchases they are to predict are refused by name, and honest ones are not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys.domain.customer import Customer
from tests.training.events import bought, day, export, features_of
from training.config import TrainingConfig
from training.gates import Verdict
from training.leaks import Bought, Undated
from training.pipeline import TrainResult, train

OFFERS, DAYS, SPLIT = 12, 1_000, 800
DAY = 86_400_000_000
"""Microseconds."""

Values = NDArray[Any]


@dataclass(frozen=True)
class World:
    """Customers of four segments who each buy a few offers, those of their segment's taste most."""

    segments: NDArray[np.intp]
    bought: Bought
    rng: np.random.Generator

    def last(self, until: int = DAYS) -> NDArray[np.intp]:
        """Return what each customer bought last by the day, -1 for nothing."""
        last = np.full(len(self.segments), -1)
        is_known = self.bought.moments <= until * DAY
        last[self.bought.customers[is_known]] = self.bought.offers[is_known]
        return last


def a_world(seed: int, customers: int = 3_000, in_order: bool = False) -> World:
    rng = np.random.default_rng(seed)
    segments, rows = rng.integers(4, size=customers), []
    for customer in range(customers):
        weights = np.arange(OFFERS, 0, -1.0) ** 0.7 * np.where(np.arange(OFFERS) % 4 == segments[customer], 6.0, 1.0)
        count = min(1 + int(rng.poisson(4)), OFFERS)
        offers = np.arange(count) if in_order else rng.choice(OFFERS, count, replace=False, p=weights / weights.sum())
        moments = np.sort(rng.integers(DAYS * DAY, size=count))
        rows += [(customer, offer, moment) for offer, moment in zip(offers, moments, strict=True)]
    customers_, offers_, moments_ = np.array(rows).T
    return World(segments, Bought(customers_, offers_, moments_), rng)


def named(values: Values) -> Values:
    return np.array([f"v{value}" for value in values], dtype=object)


def judged(world: World, fact: Values, date: int = DAYS) -> Any:
    dates = np.full(len(world.segments), date * DAY)
    return Undated({"fact": fact}, dates, world.bought).judge(datetime.fromtimestamp(SPLIT * 86_400, UTC))


def noisy(share: float) -> Callable[[World], Values]:
    def copy(world: World) -> Values:
        others = world.rng.integers(OFFERS, size=len(world.segments))
        return named(np.where(world.rng.random(len(others)) < share, world.last(), others))

    return copy


def holds(world: World) -> Values:
    flags = np.zeros(len(world.segments), dtype=bool)
    flags[world.bought.customers[world.bought.offers == 3]] = True
    return flags.astype(object)


LEAKS: dict[str, Callable[[World], Values]] = {
    "the last product": lambda world: named(world.last()),
    "the family of the last product": lambda world: named(world.last() % 4),
    "three quarters of a copy": noisy(0.75),
    "half of a copy": noisy(0.5),
    "whether an offer is held": holds,
}
HONEST: dict[str, Callable[[World], Values]] = {
    "the segment that makes the taste": lambda world: named(world.segments),
    "an age": lambda world: world.rng.random(len(world.segments)) * 60.0,
    "a text of many values": lambda world: named(world.rng.integers(40, size=len(world.segments))),
    "what nobody knows": lambda world: np.full(len(world.segments), None, dtype=object),
    "what most do not know": lambda world: np.where(
        world.rng.random(len(world.segments)) < 0.05, world.rng.random(), np.nan
    ),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("leak", LEAKS)
def test_a_fact_made_of_what_was_bought_is_refused_by_its_name(leak: str, seed: int) -> None:
    world = a_world(seed)
    gate = judged(world, LEAKS[leak](world))
    assert gate.verdict is Verdict.REFUSED
    assert "fact" in gate.figure


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_number_of_purchases_is_refused_where_it_tells_which_came_last(seed: int) -> None:
    world = a_world(seed, in_order=True)
    count = np.bincount(world.bought.customers, minlength=len(world.segments)).astype(float)
    assert judged(world, count).verdict is Verdict.REFUSED
    other = a_world(seed)
    assert judged(other, np.bincount(other.bought.customers).astype(float)).verdict is Verdict.PASSED


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("fact", HONEST)
def test_an_honest_fact_is_not_refused(fact: str, seed: int, in_order: bool) -> None:
    world = a_world(seed, in_order=in_order)
    assert judged(world, HONEST[fact](world)).verdict is Verdict.PASSED


def test_what_was_bought_last_before_the_split_is_known_then_and_not_refused() -> None:
    world = a_world(1)
    assert judged(world, named(world.last(SPLIT))).verdict is Verdict.PASSED


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fact_is_held_against_what_was_bought_after_its_date_where_there_is_enough(seed: int) -> None:
    world = a_world(seed)
    gate = judged(world, named(world.last(500)), date=500)
    assert gate.verdict is Verdict.REFUSED
    assert "bought after" in gate.figure
    assert judged(world, named(world.segments), date=500).verdict is Verdict.PASSED


def test_with_few_customers_nothing_is_judged() -> None:
    world = a_world(1, customers=100)
    assert judged(world, named(world.last())).verdict is Verdict.PASSED


def trained(directory: Path, uri: str, known_since: float | None) -> TrainResult:
    """Train where `tier` is the last product bought: of a snapshot of day 130, or known since a day."""
    rng = np.random.default_rng(0)
    history, customers, versions = [], [], []
    for number in range(1_000):
        count = 1 + int(rng.poisson(0.7))
        offers, days = rng.permutation(10)[:count], np.sort(rng.random(count) * 120)
        history += [bought(f"c{number:04d}", f"o{offer}", float(on)) for offer, on in zip(offers, days, strict=True)]
        customers.append(Customer(f"c{number:04d}", attributes={"tier": f"o{offers[-1]}"}))
        versions += [(day(known_since), customers[-1])] if known_since is not None else []
    events = export(directory, *history, customers=tuple(customers), recorded_at=day(130), versions=versions)
    config = TrainingConfig(
        features_of(events), uri, ("lightfm",), {"lightfm": {"epochs": 100}}, promote_if_better=True
    )
    return train(config, lambda what, done, total: None)


def test_the_last_product_bought_from_a_snapshot_of_today_is_not_promoted(tmp_path: Path, tracking_uri: str) -> None:
    result = trained(tmp_path / "events", tracking_uri, None)
    assert result.comparison.best.name == "lightfm"
    assert result.comparison.best.intervals["HR@1"].mean > 0.6  # of ten equally popular offers
    assert not result.is_promoted
    (gate,) = [gate for gate in result.gates if gate.is_refused]
    assert gate.name == "facts without a date"
    assert gate.figure.startswith("tier tells ")


def test_the_same_fact_with_its_date_is_not_known_before_and_helps_nobody(tmp_path: Path, tracking_uri: str) -> None:
    result = trained(tmp_path / "events", tracking_uri, 129)
    lightfm = result.comparison.candidates[1]
    assert lightfm.intervals["HR@1"].mean < 0.5
