"""Effects by segment and rankings by uplift: in a world whose effects are known, and on a real campaign."""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.arm_totals import FloatArray
from experiments.uplift import UpliftScores, heterogeneity_p, qini, segment_effects, uplift_scores

HILLSTROM = Path(__file__).parents[3] / "shared" / "data" / "hillstrom" / "hillstrom_data.csv.gz"
NAMES = ("low", "middle", "high")


@dataclass(frozen=True, slots=True)
class World:
    """Units whose effects are known; the keen are treated more often, with logged propensities."""

    features: FloatArray
    treated: NDArray[np.bool_]
    outcomes: FloatArray
    propensities: FloatArray
    effects: FloatArray
    segments: list[str]

    def scores(self, rng: np.random.Generator) -> UpliftScores:
        return uplift_scores(self.features, self.treated, self.outcomes, self.propensities, rng)


def a_world(units: int, rng: np.random.Generator, strength: float = 1.0) -> World:
    """Outcomes curve with the first feature, effects grow with the second; a third says nothing."""
    features = rng.normal(size=(units, 3))
    propensities = 0.15 + 0.7 / (1 + np.exp(-1.5 * features[:, 0]))
    treated = rng.random(units) < propensities
    effects = 0.3 + strength * 0.5 * np.clip(features[:, 1], -1, 1)
    outcomes = features[:, 0] + 0.5 * features[:, 0] ** 2 + effects * treated + rng.normal(size=units)
    segments = [NAMES[place] for place in np.digitize(features[:, 1], [-0.5, 0.5])]
    return World(features, treated, outcomes, propensities, effects, segments)


def test_segments_intervals_hold_their_effects_although_the_keen_are_treated_more() -> None:
    rng, covered, naive = np.random.default_rng(1), [], []
    for _ in range(120):
        world = a_world(1_500, rng)
        for row in segment_effects(world.scores(rng).score, world.segments):
            own = np.array(world.segments) == row.segment
            covered.append(row.low <= world.effects[own].mean() <= row.high)
        naive.append(world.outcomes[world.treated].mean() - world.outcomes[~world.treated].mean())
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(naive) > 0.8, "the plain difference is not the effect, 0.3, here"


def test_doubly_robust_scores_are_narrower_than_weighting_alone() -> None:
    world = a_world(20_000, np.random.default_rng(2))
    weighted = world.outcomes * np.where(world.treated, 1 / world.propensities, -1 / (1 - world.propensities))
    assert world.scores(np.random.default_rng(3)).score.std() < 0.8 * weighted.std()


def test_ranks_know_of_earlier_folds_alone() -> None:
    """What becomes of one unit changes the ranks of all folds, of some, or of none when it is in the last."""
    world = a_world(300, np.random.default_rng(4))
    before, changed = world.scores(np.random.default_rng(5)).rank, []
    for unit in range(25):
        world.outcomes[unit] += 1_000
        after = world.scores(np.random.default_rng(5)).rank
        world.outcomes[unit] -= 1_000
        np.testing.assert_equal(after[unit], before[unit])
        changed.append(np.mean(abs(after - before) > 1e-9))
    assert min(changed) == 0
    assert max(changed) > 0.7


def test_units_of_the_first_fold_have_no_rank_and_do_not_count() -> None:
    world = a_world(300, np.random.default_rng(4))
    scores = world.scores(np.random.default_rng(5))
    ranked = np.isfinite(scores.rank)
    assert ranked.mean() == pytest.approx(0.8, abs=0.02)
    assert qini(scores.score, scores.rank, np.random.default_rng(0)).gains[-1] == pytest.approx(
        scores.score[ranked].mean()
    )


def test_arms_that_change_places_change_the_signs() -> None:
    world = a_world(400, np.random.default_rng(6))
    there = uplift_scores(world.features, world.treated, world.outcomes, world.propensities, np.random.default_rng(7))
    back = uplift_scores(
        world.features, ~world.treated, world.outcomes, 1 - world.propensities, np.random.default_rng(7)
    )
    assert back.score.mean() == pytest.approx(-there.score.mean(), rel=0.1)


def test_units_that_had_no_choice_are_refused() -> None:
    world = a_world(100, np.random.default_rng(8))
    world.propensities[3] = 1.0
    with pytest.raises(ValueError, match="logged propensity between 0 and 1"):
        world.scores(np.random.default_rng(0))


def test_an_arm_too_small_for_the_folds_is_refused() -> None:
    world = a_world(12, np.random.default_rng(9))
    with pytest.raises(ValueError, match="at least 10 units for 5 folds"):
        world.scores(np.random.default_rng(0))


@pytest.mark.parametrize(("strength", "found"), [(0.0, False), (1.0, True)])
def test_segments_are_called_different_only_when_they_are(strength: float, found: bool) -> None:
    rng, p_values = np.random.default_rng(10), []
    for _ in range(100):
        world = a_world(1_500, rng, strength)
        p_values.append(heterogeneity_p(segment_effects(world.scores(rng).score, world.segments)))
    called = np.mean(np.array(p_values) < 0.05)
    assert called > 0.9 if found else called < 0.1


def test_segments_stand_in_the_order_of_their_names_and_a_single_unit_has_no_interval() -> None:
    rows = segment_effects(np.array([1.0, 3.0, 5.0]), ["b", "b", "a"])
    assert [(row.segment, row.units, row.effect) for row in rows] == [("a", 1, 5.0), ("b", 2, 2.0)]
    assert np.isnan(rows[0].low)
    assert heterogeneity_p(rows) == 1.0


def test_the_qini_curve_is_counted_by_hand() -> None:
    """Four units, best first 4, 2, 0, −2: the gains per unit are 1, 1.5, 1.5, 1."""
    found = qini(np.array([0.0, 4.0, -2.0, 2.0]), np.array([2.0, 4.0, 1.0, 3.0]), np.random.default_rng(0), (0.25, 0.5))
    assert np.interp([0.25, 0.5, 0.75, 1.0], found.shares, found.gains) == pytest.approx([1, 1.5, 1.5, 1], abs=0.02)
    assert found.coefficient.mean == pytest.approx((0 + 1) / 8 + (1 + 1.5) / 8 + 3 / 8 + 2.5 / 8 - 0.5)
    assert {share: at.mean for share, at in found.uplift_at.items()} == pytest.approx({0.25: 4, 0.5: 3})


def test_a_rank_that_is_the_same_for_all_is_treating_at_random_in_any_order_of_the_rows() -> None:
    found = qini(np.arange(50.0), np.zeros(50), np.random.default_rng(0))
    assert found.coefficient.mean == pytest.approx(0, abs=1e-12)
    assert found.uplift_at[0.1].mean == pytest.approx(24.5)


@pytest.mark.parametrize("worlds", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_the_qini_interval_holds_the_coefficient_of_the_true_effects(worlds: int) -> None:
    rng, covered = np.random.default_rng(11), []
    everybody = a_world(200_000, rng)
    truth = qini(everybody.effects, everybody.features[:, 1], rng, resamples=2).coefficient.mean
    for _ in range(worlds):
        world = a_world(1_500, rng)
        found = qini(world.scores(rng).score, world.features[:, 1], rng, resamples=200).coefficient
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.9


def test_the_rank_finds_most_of_what_the_true_effects_would() -> None:
    rng = np.random.default_rng(12)
    world = a_world(20_000, rng)
    scores = world.scores(rng)
    found = qini(scores.score, scores.rank, rng).coefficient
    best = qini(world.effects, world.effects, rng, resamples=2).coefficient.mean
    assert found.low > 0
    assert found.mean > 0.8 * best


@pytest.mark.parametrize(("worlds", "most"), [(60, 0.15), pytest.param(500, 0.09, marks=pytest.mark.slow)])
def test_a_ranking_without_worth_is_rarely_called_good_or_bad(worlds: int, most: float) -> None:
    """Everybody has the same effect; with ranks from all other folds, a fifth was called bad."""
    rng, called = np.random.default_rng(13), []
    for _ in range(worlds):
        world = a_world(1_000, rng, strength=0.0)
        scores = world.scores(rng)
        found = qini(scores.score, scores.rank, rng, resamples=200).coefficient
        called.append(found.low > 0 or found.high < 0)
    assert np.mean(called) <= most


def hillstrom(mailing: str) -> World:
    """Visits after one mailing against none, by what the customer bought before; effects are not known."""
    with gzip.open(HILLSTROM, "rt", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["segment"] in (mailing, "No E-Mail")]
    numbers = [[float(row[name]) for name in ("recency", "history", "mens", "womens", "newbie")] for row in rows]
    kinds = [[row["channel"] == "Web", row["channel"] == "Phone", row["zip_code"] == "Rural"] for row in rows]
    bought = {("1", "0"): "men's", ("0", "1"): "women's", ("1", "1"): "both"}
    return World(
        features=np.hstack([numbers, np.array(kinds, dtype=np.float64)]),
        treated=np.array([row["segment"] == mailing for row in rows]),
        outcomes=np.array([float(row["visit"]) for row in rows]),
        propensities=np.full(len(rows), 0.5),
        effects=np.zeros(len(rows)),
        segments=[bought[row["mens"], row["womens"]] for row in rows],
    )


@pytest.mark.skipif(not HILLSTROM.exists(), reason="the shared real data are not on this machine")
@pytest.mark.parametrize(("mailing", "effect"), [("Mens E-Mail", 0.182757), ("Womens E-Mail", 0.151400)])
def test_the_effect_of_a_real_mailing_is_the_published_one(mailing: str, effect: float) -> None:
    world = hillstrom(mailing)
    score = world.scores(np.random.default_rng(1)).score
    arms = world.outcomes[world.treated], world.outcomes[~world.treated]
    assert score.mean() == pytest.approx(effect - 0.106167, abs=0.001)
    assert score.var() / len(score) < sum(arm.var() / len(arm) for arm in arms), "no wider than the plain difference"


@pytest.mark.skipif(not HILLSTROM.exists(), reason="the shared real data are not on this machine")
def test_a_mailing_for_women_moves_those_who_bought_for_women() -> None:
    world = hillstrom("Womens E-Mail")
    scores = world.scores(np.random.default_rng(1))
    _, men, women = segment_effects(scores.score, world.segments)
    found = qini(scores.score, scores.rank, np.random.default_rng(2))
    assert men.high < women.low
    assert found.coefficient.low > 0.004
