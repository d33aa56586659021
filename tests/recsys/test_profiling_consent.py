"""Who refuses profiling gets the same decision, to the last number, whatever else is known of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.domain.customer import AttributeValue, Consents
from recsys.domain.decision import Decision, Situation
from recsys.domain.interaction import InteractionKind, held_offers
from recsys.domain.policy import Policy
from recsys.engine import decide
from recsys.models.bundle import Bundle
from tests.recsys.market import (
    SensitivePropensity,
    market_catalogue,
    random_events,
    random_features,
    random_situation,
)
from tests.recsys.models.bundles import a_bundle

CATALOGUE = market_catalogue()
POLICY = Policy(exploration_share=0.3)
NOT_HELD = [InteractionKind.VIEW, InteractionKind.INQUIRY, InteractionKind.DECLINED]
TRIALS = pytest.mark.parametrize("trials", [400, pytest.param(10_000, marks=pytest.mark.slow)])


@pytest.fixture(params=["als", "lightfm"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    return a_bundle(tmp_path / "bundle", request.param)


@pytest.fixture(params=[None, SensitivePropensity()], ids=["declared", "trained"])
def propensity(request: pytest.FixtureRequest) -> SensitivePropensity | None:
    found: SensitivePropensity | None = request.param
    return found


def otherwise(rng: np.random.Generator, situation: Situation) -> Situation:
    """Return the situation with everything else about the person that permission does not look at."""
    history = sorted(
        (
            *(replace(event, weight=float(rng.uniform(0.1, 9))) for event in situation.history),
            *random_events(rng, NOT_HELD, 6),
        ),
        key=lambda event: event.occurred_at,
    )
    known: dict[str, AttributeValue] = {
        "income": float(rng.uniform(0, 1e5)),
        "balance": float(rng.normal()),
        "city": str(rng.integers(9)),
    }
    customer = replace(
        situation.customer,
        segment=("mass", "private", "青年", None)[rng.integers(4)],
        language=("zh", "en", None)[rng.integers(3)],
        name=str(rng.integers(1000)),
        attributes={**situation.customer.attributes, **known},
    )
    return replace(situation, customer=customer, history=tuple(history), features=random_features(rng))


def pairs(
    trials: int, granted: bool, bundle: Bundle, propensity: SensitivePropensity | None
) -> Iterator[tuple[Decision, Decision]]:
    """Yield the decision for somebody, and for the same person of whom other things are known."""
    rng = np.random.default_rng(11)
    for trial in range(trials):
        if trial % 20 == 0:
            somebody = random_situation(rng)
            consents = replace(somebody.customer.consents, profiling=granted)
            somebody = replace(somebody, customer=replace(somebody.customer, consents=consents))
            decision = decide(somebody, CATALOGUE, bundle, POLICY, propensity)
        other = otherwise(rng, somebody)
        assert held_offers(other.history) == held_offers(somebody.history)
        yield decision, decide(other, CATALOGUE, bundle, POLICY, propensity)


@TRIALS
def test_without_consent_nothing_else_that_is_known_changes_the_decision(
    trials: int, bundle: Bundle, propensity: SensitivePropensity | None
) -> None:
    shown = 0
    for decision, other in pairs(trials, False, bundle, propensity):
        assert decision == other
        shown += len(decision.offers)
    assert shown > trials


@TRIALS
def test_with_consent_the_same_changes_do_change_the_decision(
    trials: int, bundle: Bundle, propensity: SensitivePropensity | None
) -> None:
    made = list(pairs(trials, True, bundle, propensity))
    assert sum(one.offers != other.offers for one, other in made) > 0.9 * trials
    lists = [[[offer.offer_id for offer in decision.offers] for decision in pair] for pair in made]
    assert sum(one != other for one, other in lists) > 0.2 * trials


def test_consent_never_asked_for_counts_as_the_policy_says(bundle: Bundle) -> None:
    rng = np.random.default_rng(2)
    somebody = random_situation(rng)
    somebody = replace(somebody, customer=replace(somebody.customer, consents=Consents(marketing=True)))
    other = otherwise(rng, somebody)
    for policy, same in ((POLICY, False), (replace(POLICY, unasked_profiling=False), True)):
        made = [decide(one, CATALOGUE, bundle, policy) for one in (somebody, other)]
        assert (made[0] == made[1]) is same
