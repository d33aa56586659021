"""Always-valid intervals: the formula, and campaigns that are looked at after every 100 units."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments import proportions, sequential
from experiments.arm_totals import FloatArray

STEP, LOOKS = 100, 200
PLANNED = STEP * LOOKS


class Looks(NamedTuple):
    """Differences, their standard errors and units (campaigns, looks)."""

    differences: FloatArray
    errors: FloatArray
    units: FloatArray


def campaigns_of_shares(rng: np.random.Generator, count: int, control: float, treatment: float) -> Looks:
    """Campaigns of two equal arms, looked at after every 100 units."""
    units = np.arange(1, LOOKS + 1) * STEP / 2.0
    successes = np.stack(
        [rng.binomial(STEP // 2, share, (count, LOOKS)).cumsum(axis=1) for share in (control, treatment)]
    ).astype(np.float64)
    small = np.minimum(successes, units - successes).min(axis=0) < proportions.SMALL_COUNT
    variances = np.where(
        small, proportions.cautious_variances(successes, units), proportions.variances(successes, units)
    )
    shares = successes / units
    return Looks(shares[1] - shares[0], np.sqrt(variances.sum(axis=0)), 2 * units)


def campaigns_of_means(rng: np.random.Generator, count: int, shift: float) -> Looks:
    """Spending: one unit in ten spends, and what it spends is log-normal."""
    moments = np.zeros((2, 2, count, LOOKS))
    for arm in range(2):
        for campaign in range(count):
            spent = rng.lognormal(0, 1, (LOOKS, STEP // 2)) * (rng.random((LOOKS, STEP // 2)) < 0.1) + arm * shift
            moments[arm, :, campaign] = spent.sum(axis=1).cumsum(), (spent**2).sum(axis=1).cumsum()
    units = np.arange(1, LOOKS + 1) * STEP / 2.0
    means = moments[:, 0] / units
    variances = (moments[:, 1] / units - means**2) / (units - 1)
    return Looks(means[1] - means[0], np.sqrt(variances.sum(axis=0)), 2 * units)


def ever_left_out(looks: Looks, effect: float, alpha: float = 0.05) -> tuple[float, float]:
    """The shares of campaigns whose intervals ever leave the effect out: always-valid, and fixed."""
    away = np.abs(looks.differences - effect)
    always = away > sequential.critical_value(looks.units, PLANNED, alpha) * looks.errors
    fixed = away > 1.959964 * looks.errors
    return float(always.any(axis=1).mean()), float(fixed.any(axis=1).mean())


def test_looking_after_every_100_units_keeps_the_promise_and_breaks_the_fixed_intervals() -> None:
    always, fixed = ever_left_out(campaigns_of_shares(np.random.default_rng(1), 2_000, 0.1, 0.1), 0.0)
    assert always <= 0.05
    assert fixed >= 0.2


@pytest.mark.parametrize(("control", "treatment"), [(0.1, 0.13), (0.02, 0.03), (0.004, 0.008)])
def test_a_true_effect_stays_inside_at_every_look(control: float, treatment: float) -> None:
    looks = campaigns_of_shares(np.random.default_rng(2), 2_000, control, treatment)
    assert ever_left_out(looks, treatment - control)[0] <= 0.05


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_skewed_spending_keeps_the_promise_too(shift: float) -> None:
    assert ever_left_out(campaigns_of_means(np.random.default_rng(4), 2_000, shift), shift)[0] <= 0.05


def test_the_interval_is_the_published_formula() -> None:
    """Half-width = SE·√N·√(2(Nρ²+1)/(N²ρ²)·ln(√(Nρ²+1)/α)) with ρ² = (−2 ln α + ln(−2 ln α + 1))/N*."""
    n, planned, alpha = 5_000, 20_000, 0.05
    rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned)
    grown = n * rho**2 + 1
    expected = math.sqrt(n) * math.sqrt(2 * grown / (n**2 * rho**2) * math.log(math.sqrt(grown) / alpha))
    assert sequential.critical_value(n, planned, alpha) == pytest.approx(expected)
    e = math.exp(rho**2 * n * 3.4**2 / (2 * grown)) / math.sqrt(grown)
    assert sequential.p_value(3.4, n, planned, alpha) == pytest.approx(min(1, 1 / e))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_p_reaches_alpha_where_the_interval_reaches_the_hypothesis(alpha: float) -> None:
    n = np.array([100.0, 1_000.0, 50_000.0])
    assert sequential.p_value(sequential.critical_value(n, 10_000, alpha), n, 10_000, alpha) == pytest.approx(alpha)


def test_the_interval_is_about_as_narrow_as_it_can_be_where_it_was_planned_for() -> None:
    planned = np.linspace(1_000, 40_000, 391)
    widths = np.array([float(sequential.critical_value(10_000, n)) for n in planned])
    assert float(sequential.critical_value(10_000, 10_000)) == pytest.approx(widths.min(), rel=0.005)


def test_evidence_is_never_lost_again() -> None:
    p_values: NDArray[np.float64] = np.array([[0.5, 0.03, 0.2], [1.0, 0.9, 0.95]])
    assert sequential.running_minimum(p_values).tolist() == [[0.5, 0.03, 0.03], [1.0, 0.9, 0.9]]


def test_overwhelming_evidence_is_a_p_of_0_not_an_overflow() -> None:
    assert float(sequential.p_value(1e4, 1e6, 1e6)) == 0.0
