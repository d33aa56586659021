"""How many units: textbook cases, statsmodels, and simulated campaigns of that size."""

import math
from dataclasses import replace

import numpy as np
import pytest

from experiments import sequential
from experiments.power import PowerPlan, sample_size, sequential_inflation, smallest_effect
from tests.experiments.arms import BINARY, MEAN

SHARE = PowerPlan(BINARY, 0.1)
MEAN_PLAN = PowerPlan(MEAN, 20.0, standard_deviation=30.0)


def test_units_agree_with_statsmodels() -> None:
    from statsmodels.stats.power import NormalIndPower, normal_sample_size_one_tail

    rng = np.random.default_rng(1)
    for _ in range(100):
        share, effect, alpha, power = (
            float(rng.uniform(*span)) for span in ((0.02, 0.5), (0.01, 0.2), (0.01, 0.1), (0.7, 0.95))
        )
        treated = float(rng.uniform(0.2, 0.8))
        ratio = (1 - treated) / treated
        plan = PowerPlan(BINARY, share, alpha=alpha, power=power, allocation=(1 - treated, treated))
        spread = math.sqrt((share + effect) * (1 - share - effect) + share * (1 - share) / ratio)
        oracle = normal_sample_size_one_tail(effect, power, alpha / 2, spread)
        assert sample_size(plan, effect).arms[1] == math.ceil(oracle)
        plan = replace(plan, kind=MEAN, standard_deviation=2.0)
        oracle = NormalIndPower().solve_power(effect / 2, alpha=alpha, power=power, ratio=ratio)
        assert sample_size(plan, effect).arms[1] == pytest.approx(oracle, rel=2e-3, abs=1)  # it counts both tails


def test_a_textbook_case() -> None:
    assert sample_size(SHARE, 0.01).arms == (14_749, 14_749)
    assert sample_size(MEAN_PLAN, 5.0).total == 1_132  # 2·(1.96+.84)²·30²/5² = 565.1 in each arm


@pytest.mark.parametrize("plan", [SHARE, MEAN_PLAN, replace(SHARE, allocation=(0.5, 0.3, 0.2), correlation=0.5)])
@pytest.mark.parametrize("inflation", [1.0, 1.9])
def test_the_smallest_effect_of_so_many_units_needs_so_many(plan: PowerPlan, inflation: float) -> None:
    effect = smallest_effect(plan, 20_000, inflation)
    assert sample_size(plan, effect, inflation).total == pytest.approx(20_000, abs=3)


def test_too_few_units_find_nothing() -> None:
    assert smallest_effect(replace(SHARE, baseline=0.5), 3) == math.inf


@pytest.mark.parametrize(
    ("changed", "factor"),
    [
        (replace(MEAN_PLAN, correlation=-0.6), 0.64),
        (replace(MEAN_PLAN, cluster_size=21, intracluster_correlation=0.05), 2.0),
        (replace(MEAN_PLAN, compliance=0.5), 4.0),
    ],
)
def test_what_makes_a_campaign_longer_or_shorter(changed: PowerPlan, factor: float) -> None:
    assert sample_size(changed, 1.0).total / sample_size(MEAN_PLAN, 1.0).total == pytest.approx(factor, rel=0.001)


def test_the_treatment_with_the_fewest_units_decides() -> None:
    three = sample_size(replace(MEAN_PLAN, allocation=(0.5, 0.3, 0.2)), 1.0)
    two = sample_size(replace(MEAN_PLAN, allocation=(0.5, 0.2)), 1.0)
    assert three.arms[2] == pytest.approx(two.arms[1], abs=1)


def test_a_campaign_of_that_size_finds_the_effect_as_often_as_planned() -> None:
    rng, size = np.random.default_rng(2), sample_size(SHARE, 0.03)
    shares = [rng.binomial(n, p, 20_000) / n for n, p in zip(size.arms, (0.1, 0.13), strict=True)]
    errors = np.sqrt(sum(share * (1 - share) / n for share, n in zip(shares, size.arms, strict=True)))
    assert (np.abs(shares[1] - shares[0]) > 1.959964 * errors).mean() == pytest.approx(0.8, abs=0.015)


def test_an_always_valid_campaign_of_the_inflated_size_does_so_too() -> None:
    plan = replace(MEAN_PLAN, power=0.8)
    size = sample_size(plan, 2.0, sequential_inflation(plan))
    error = 30 * math.sqrt(1 / size.arms[0] + 1 / size.arms[1])
    found = (
        np.random.default_rng(3).normal(2.0, error, 20_000) > sequential.critical_value(size.total, size.total) * error
    )
    assert found.mean() == pytest.approx(0.8, abs=0.015)
