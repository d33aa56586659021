"""Scores that do not tell offers, or customers, apart are found, and others are not."""

from typing import Any

import numpy as np
import pytest

from recsys.evaluation.sameness import Sameness, sameness_of
from recsys.interactions.matrix import InteractionMatrix, build_matrix
from recsys.models.ease import Ease
from recsys.models.families import FAMILIES
from tests.recsys.models.worlds import a_checkerboard, a_market, fitted

RNG = np.random.default_rng(0)


def found(model: Any, world: InteractionMatrix) -> Sameness | None:
    return sameness_of(model, world.matrix, None, np.random.default_rng(0))


def with_scores(world: InteractionMatrix, *, personal: float, level: float) -> Any:
    """A model of which each part can be switched off: what a history says, and what holds for everybody."""
    model = Ease().fit(world, rng=RNG)
    rng = np.random.default_rng(3)
    offers = len(world.offer_ids)
    drawn, shared = rng.normal(size=(offers, offers)), rng.normal(size=offers)
    model.score = lambda histories, columns, customers=None: (  # type: ignore[method-assign]
        personal * np.asarray(histories @ drawn) + level * shared
    ).astype(np.float32)[:, columns]
    return model


@pytest.mark.parametrize(
    ("personal", "level", "wrong"),
    [
        (1.0, 1.0, None),
        (1e-3, 0.0, None),
        (0.0, 0.0, Sameness.FLAT),
        (1e-8, 1e-8, Sameness.FLAT),
        (0.0, 1.0, Sameness.IMPERSONAL),
        (0.0, 1e-3, Sameness.IMPERSONAL),
    ],
)
def test_it_is_said_what_scores_do_not_tell_apart(personal: float, level: float, wrong: Sameness | None) -> None:
    world = a_market()
    assert found(with_scores(world, personal=personal, level=level), world) is wrong


def test_popularity_is_the_same_for_everybody_by_design() -> None:
    assert found(fitted("popularity", a_market()), a_market()) is None


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "popularity"])
def test_no_family_is_blamed_where_there_is_something_to_learn(name: str) -> None:
    world = a_checkerboard()
    assert found(fitted(name, world), world) is None


def test_without_histories_there_is_nothing_to_say() -> None:
    world = a_market()
    assert sameness_of(fitted("als", world), world.matrix[:0], None, RNG) is None


@pytest.mark.parametrize("name", FAMILIES)
def test_on_a_stock_of_one_date_no_family_is_flat(name: str) -> None:
    market = a_market()
    assert market.events is not None
    who, what = (
        [ids[place] for place in places]
        for ids, places in ((market.customer_ids, market.events.rows), (market.offer_ids, market.events.columns))
    )
    stock = build_matrix(who, what, None, np.zeros(len(who)))
    assert found(fitted(name, stock), stock) is not Sameness.FLAT
