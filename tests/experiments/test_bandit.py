"""Thompson sampling in batches: the weights that are logged are those that are drawn, and they are worth having."""

import numpy as np
import pytest
from scipy.special import ndtr

from experiments.arm_totals import ArmTotals, FloatArray
from experiments.bandit import BatchWeights, beta_best, next_weights, normal_best, stratified_means, thompson_weights

DRAWS = 200_000
RATES = np.array([0.04, 0.05, 0.05, 0.08])


def first(arms: int, fixed_share: float = 0.1) -> BatchWeights:
    """Equal weights, before anything is known."""
    equal = (1 / arms,) * arms
    return BatchWeights(version=1, learning=equal, fixed=equal, fixed_share=fixed_share)


def batch(weights: tuple[float, ...], rates: FloatArray, units: int, rng: np.random.Generator) -> list[ArmTotals]:
    """Totals by arm of units assigned by `weights` who succeed at `rates`."""
    counts = rng.multinomial(units, weights)
    successes = rng.binomial(counts, rates).astype(np.float64)
    pairs = zip(counts.tolist(), successes, strict=True)
    return [ArmTotals(count, np.array([success]), np.array([[success]])) for count, success in pairs]


def frequencies(sampled: FloatArray, floor: float, rng: np.random.Generator) -> FloatArray:
    """How often each arm is chosen: the best of a draw from the posteriors (draws, K), or any arm."""
    arms = sampled.shape[1]
    anyone = rng.random(len(sampled)) < floor * arms
    chosen = np.where(anyone, rng.integers(0, arms, len(sampled)), sampled.argmax(axis=1))
    return np.bincount(chosen, minlength=arms) / len(sampled)


@pytest.mark.parametrize("kind", ["normal", "beta"])
def test_logged_weights_are_the_frequencies_of_sampling_from_the_posteriors(kind: str) -> None:
    rng = np.random.default_rng(1)
    if kind == "normal":
        means, errors = np.array([1.0, 1.2, 0.9, 1.25]), np.array([0.1, 0.3, 0.02, 0.1])
        best, sampled = normal_best(means, errors), rng.normal(means, errors, (DRAWS, 4))
    else:
        successes, failures = np.array([3, 40, 0, 500]), np.array([50, 600, 4, 9_000])
        best, sampled = beta_best(successes, failures), rng.beta(1 + successes, 1 + failures, (DRAWS, 4))
    weights = thompson_weights(best, floor=0.05)
    errors_of_frequencies = np.sqrt(weights * (1 - weights) / DRAWS)
    found = frequencies(sampled, 0.05, rng)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (np.abs(found - weights) < 3 * errors_of_frequencies).all()


def test_assignments_in_proportion_to_the_logged_weights_are_as_frequent_as_they_say() -> None:
    rng = np.random.default_rng(2)
    weights = next_weights(first(4), [batch(first(4).learning, RATES, 4_000, rng)], floor=0.05)
    places, chances = rng.random(DRAWS), rng.random(DRAWS)
    logged = np.array([weights.weights_of(place) for place in places])
    chosen = (chances[:, None] > np.cumsum(logged, axis=1)).sum(axis=1)
    expected, found = logged.mean(axis=0), np.bincount(chosen, minlength=4) / DRAWS
    assert (np.abs(found - expected) < 3 * np.sqrt(expected * (1 - expected) / DRAWS)).all()
    assert np.mean([weights.is_fixed(place) for place in places]) == pytest.approx(0.1, abs=0.003)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_chance_of_two_normal_arms_is_known_exactly(scale: float) -> None:
    best = normal_best([0.3 * scale, 0.0], [1e-3 * scale, 0.4 * scale])
    assert best[0] == pytest.approx(ndtr(0.3 / np.hypot(1e-3, 0.4)), abs=1e-12)


def test_the_chance_of_two_beta_arms_is_known_exactly() -> None:
    """P(X > Y) of Beta(1 + 1, 1) against Beta(1, 1) is the mean of X, two thirds."""
    assert beta_best([1, 0], [0, 0])[0] == pytest.approx(2 / 3, abs=1e-12)


def test_arms_alike_are_each_as_likely_to_be_best() -> None:
    assert beta_best([900] * 5, [99_100] * 5) == pytest.approx(np.full(5, 0.2), abs=1e-12)


def test_no_arm_falls_below_the_floor_and_an_impossible_floor_is_refused() -> None:
    assert thompson_weights(np.array([1.0, 0.0, 0.0]), 0.1) == pytest.approx([0.8, 0.1, 0.1])
    with pytest.raises(ValueError, match=r"0\.4 is not possible with 3 arms"):
        thompson_weights(np.array([1.0, 0.0, 0.0]), 0.4)


def test_weights_stay_until_every_arm_has_units_and_outcomes_differ() -> None:
    few = [[ArmTotals.of([0, 1] * 50), ArmTotals.of([0, 1])]]
    alike = [[ArmTotals.of([0] * 50), ArmTotals.of([0] * 50)]]
    assert [next_weights(first(2), batches, 0.1) for batches in (few, alike)] == [first(2), first(2)]


def test_an_update_has_a_version_of_its_own_and_leaves_the_fixed_slice() -> None:
    rng = np.random.default_rng(3)
    later = next_weights(first(4), [batch(first(4).learning, RATES, 4_000, rng)], 0.05)
    assert (later.version, later.fixed, later.weights_of(0.05)) == (2, first(4).fixed, first(4).fixed)
    assert later.weights_of(0.5)[3] == max(later.learning) > 0.25


def test_an_arm_gains_nothing_from_the_days_on_which_it_was_shown_most() -> None:
    """The first arm is worse on both days, but is shown most on the day when everybody buys."""
    days = [(0.10, 0.12, 500, 4_500), (0.40, 0.42, 2_250, 250)]
    batches = [
        [ArmTotals(n, np.array([n * rate]), np.array([[n * rate]])) for rate, n in ((a, n_a), (b, n_b))]
        for a, b, n_a, n_b in days
    ]
    pooled = [sum((day[arm] for day in batches[1:]), batches[0][arm]).means[0] for arm in (0, 1)]
    means, _ = stratified_means(batches)
    assert pooled[0] > pooled[1]
    assert means == pytest.approx([0.20, 0.22]), "two thirds of the first day, one of the second"


def test_stratified_errors_are_as_wide_as_the_means_vary() -> None:
    rng = np.random.default_rng(4)
    plans = [((0.5, 0.5), 300, 0.1), ((0.2, 0.8), 500, 0.2)]
    found = [
        stratified_means([batch(weights, np.array([rate, rate]), units, rng) for weights, units, rate in plans])
        for _ in range(2_000)
    ]
    spread = np.std([means for means, _ in found], axis=0)
    said = np.mean([errors for _, errors in found], axis=0)
    assert said == pytest.approx(spread, rel=0.05)


def regrets(campaigns: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Expected successes that were missed in each of the campaigns, and what equal split would have missed.

    Twenty days of 500 units; the rates of all arms rise and fall by a quarter over the days of the week.
    """
    missed, shares = np.zeros(campaigns), np.zeros(campaigns)
    for campaign in range(campaigns):
        weights, batches = first(4, fixed_share=0.0), []
        for day in range(20):
            rates = RATES * (1 + 0.25 * np.sin(2 * np.pi * day / 7))
            missed[campaign] += 500 * (rates.max() - rates @ weights.learning)
            batches.append(batch(weights.learning, rates, 500, rng))
            weights = next_weights(weights, batches, floor=0.02)
        shares[campaign] = weights.learning[3]
    days = 1 + 0.25 * np.sin(2 * np.pi * np.arange(20) / 7)
    return missed, 500 * days.sum() * (RATES.max() - RATES.mean()), shares


@pytest.mark.parametrize("campaigns", [15, pytest.param(300, marks=pytest.mark.slow)])
def test_a_simulated_campaign_misses_less_than_an_equal_split(campaigns: int) -> None:
    missed, missed_by_equal_split, shares = regrets(campaigns, np.random.default_rng(5))
    assert missed.mean() < 0.5 * missed_by_equal_split
    assert np.mean(shares > 0.5) > 0.9
