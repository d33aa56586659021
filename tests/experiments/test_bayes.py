"""Chance to win and expected loss, against closed forms and simulation."""

import math

import numpy as np
import pytest

from experiments.bayes import beta_chance, normal_chance


@pytest.mark.parametrize(
    ("control", "treatment"), [((0, 10), (0, 10)), ((3, 50), (8, 40)), ((2, 100_000), (9, 90_000)), ((40, 40), (1, 40))]
)
def test_the_beta_posterior_agrees_with_draws_from_it(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    c, t = (rng.beta(1 + s, 1 + n - s, 1_000_000) for s, n in (control, treatment))
    counted = zip(control, treatment, strict=True)
    chance = beta_chance(*(np.array(pair, dtype=np.float64) for pair in counted))
    loss = np.maximum(c - t, 0)
    assert chance.chance_to_win == pytest.approx((t > c).mean(), abs=0.0025)
    assert chance.risk == pytest.approx(loss.mean(), abs=5 * loss.std() / 1_000 + 1e-12)


def test_equal_posteriors_win_half_the_time() -> None:
    assert beta_chance(np.array([5.0, 5.0]), np.array([20.0, 20.0])).chance_to_win == pytest.approx(0.5)


def test_the_normal_posterior_agrees_with_draws_from_it() -> None:
    chance = normal_chance(0.3, 0.25)
    draws = np.random.default_rng(2).normal(0.3, 0.5, 1_000_000)
    assert chance.chance_to_win == pytest.approx((draws > 0).mean(), abs=0.002)
    assert chance.risk == pytest.approx(np.maximum(-draws, 0).mean(), abs=0.001)


def test_gain_and_loss_differ_by_the_effect() -> None:
    """E max(δ, 0) − E max(−δ, 0) = δ."""
    assert normal_chance(-0.3, 0.25).risk - normal_chance(0.3, 0.25).risk == pytest.approx(0.3)


def test_a_posterior_for_many_is_that_of_the_normal() -> None:
    successes, units = np.array([4_000.0, 4_200.0]), np.array([40_000.0, 40_000.0])
    exact = beta_chance(successes, units)
    shares = successes / units
    near = normal_chance(float(shares[1] - shares[0]), float((shares * (1 - shares) / units).sum()))
    assert (exact.chance_to_win, exact.risk) == pytest.approx((near.chance_to_win, near.risk), abs=5e-4)


def test_without_spread_the_better_one_is_known() -> None:
    assert normal_chance(0.0, 0.0).chance_to_win == 0.5
    assert (normal_chance(-2.0, 0.0).chance_to_win, normal_chance(-2.0, 0.0).risk) == (0.0, 2.0)
    assert math.isclose(normal_chance(2.0, 0.0).chance_to_win, 1.0)
