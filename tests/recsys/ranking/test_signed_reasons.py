"""What is said of an offer is so: by what made it, with its sign, and adding up to what was to be explained."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.domain.decision import Reason
from recsys.interactions.matrix import build_matrix
from recsys.interactions.side_features import About, FeatureSpace
from recsys.models.bundle import Bundle, Explained, Scale
from recsys.models.families import FAMILIES, create_model
from recsys.ranking.explanation import REASON_TEXTS
from recsys.ranking.reasons import signed_relevance
from tests.recsys.models.worlds import a_market, facts_of

RNG = np.random.default_rng(11)
SAID_ONCE_EACH_WAY = ("chosen_with", "fits_fact", "relevance", "suits_profile", "popular", "resembles")


def some_parts() -> Explained:
    history = {f"o{place}": float(RNG.normal()) for place in range(RNG.integers(0, 7))}
    facts = {f"fact_{place}": float(RNG.normal()) for place in range(RNG.integers(0, 6))}
    return Explained(history, facts, bool(RNG.integers(2)), bool(RNG.integers(2)))


@pytest.mark.parametrize("_", range(200))
def test_reasons_add_up_and_agree_with_their_sign(_: int) -> None:
    parts, weight, relevance = some_parts(), float(RNG.uniform(0.1, 2)), float(RNG.normal())
    given = [Reason("offer_base", -1.5), Reason("relevance", relevance)]
    reasons = signed_relevance(given, parts, weight, lambda offer_id: offer_id != "o0")
    assert sum(reason.contribution for reason in reasons) == pytest.approx(relevance - 1.5, abs=1e-9)
    for reason in reasons:
        assert reason.code in REASON_TEXTS
        if reason.code.removesuffix("_less") in SAID_ONCE_EACH_WAY:
            assert (reason.contribution < 0) == reason.code.endswith("_less")
    assert "o0" not in [reason.facts.get("offer_id") for reason in reasons]
    assert not any(reason.code == "popular" for reason in reasons if parts.mixes_facts)


def test_each_way_of_saying_it_is_another_sentence() -> None:
    for code in SAID_ONCE_EACH_WAY:
        for language in (0, 1):
            assert REASON_TEXTS[code][language] != REASON_TEXTS[f"{code}_less"][language]


def bundle_of(family: str) -> tuple[Bundle, About]:
    world = a_market(300)
    side = facts_of(world)
    model = create_model(family).fit(world, side, rng=np.random.default_rng(0))
    scale = Scale.of(model.score(world.matrix, np.arange(30), side.customers))
    bundle = Bundle(
        "m-1", model, world.offer_ids, scale, Scale.of(model.popularity), {}, {}, side.customer_space, side.offer_space
    )
    return bundle, About({"segment": "private", "age": 70.0})


def test_popularity_is_never_said_to_fit_what_was_chosen() -> None:
    bundle, about = bundle_of("popularity")
    for parts in bundle.explained({bundle.offer_ids[2]: 1.0, bundle.offer_ids[5]: 1.0}, bundle.offer_ids, about):
        reasons = signed_relevance([Reason("relevance", 0.4)], parts, 1.0, lambda _: True)
        assert [reason.code for reason in reasons] == ["popular"]


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("popularity",)])
def test_a_part_is_what_the_score_loses_without_the_history(family: str) -> None:
    """What is said of the history comes from it: without a history there is none of it, and the facts stay."""
    bundle, about = bundle_of(family)
    for parts in bundle.explained({}, bundle.offer_ids[:5], about):
        assert dict(parts.history) == {}
    history = {bundle.offer_ids[1]: 1.0, bundle.offer_ids[7]: 0.5}
    for offer_id, parts in zip(bundle.offer_ids, bundle.explained(history, bundle.offer_ids, about), strict=True):
        assert set(parts.history) == set(history)
        score = float(bundle.score(history, [offer_id], about)[0])
        rest = score - sum(parts.history.values()) - sum(parts.facts.values())
        assert np.isfinite(rest)
        assert (len(parts.facts) > 0) == (family == "ranker")


def test_a_fact_that_is_named_is_one_that_changes_the_score() -> None:
    """Over a thousand named facts: where one adds to an offer, it scores less for the same person with the other value.

    Against nothing known it may be equal: trees often put who is unknown beside one of the values.
    """
    rng = np.random.default_rng(3)
    who, what = [], []
    for customer in range(1200):
        for offer in rng.choice(6, 2, replace=False):
            who.append(f"c{customer:04d}")
            what.append(f"o{2 * offer + customer % 2:02d}")
    world = build_matrix(who, what, age_days=rng.uniform(0, 700, len(who)))
    columns = {"side": np.array([("left", "right")[int(name[1:]) % 2] for name in world.customer_ids], dtype=object)}
    space = FeatureSpace.of_columns(columns)
    side = replace(
        facts_of(world), customers=space.encode_columns(columns, len(world.customer_ids)), customer_space=space
    )
    model = create_model("ranker").fit(world, side, rng=np.random.default_rng(0))
    scale = Scale.of(model.score(world.matrix, np.arange(12), side.customers))
    bundle = Bundle("m-1", model, world.offer_ids, scale, Scale.of(model.popularity), {}, {}, space, side.offer_space)
    wrong = said = 0
    for row in range(200):
        history = {bundle.offer_ids[int(rng.integers(12))]: 1.0}
        about, other = (About({"side": ("left", "right")[(row + step) % 2]}) for step in (0, 1))
        parts = bundle.explained(history, bundle.offer_ids, about)
        with_it, instead = (bundle.score(history, bundle.offer_ids, known) for known in (about, other))
        for place, one in enumerate(parts):
            if abs(one.facts["side"]) > 0.1:
                said += 1
                wrong += (with_it[place] > instead[place]) != (one.facts["side"] > 0)
    assert said >= 1000
    assert wrong <= 0.01 * said
