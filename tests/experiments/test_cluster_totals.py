"""Clustered comparisons: regressions by statsmodels, ratios, relative effects and CUPED."""

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments import cuped
from experiments.arm_totals import ArmTotals, FloatArray
from experiments.cluster_totals import ClusterTotals, with_clusters
from experiments.comparison import NO_SLOPES, Comparison, MetricKind, Stratum, compare, stratify
from experiments.effects import absolute_effect, relative_effect
from experiments.estimate import Plan
from tests.experiments.arms import MEAN, RATIO


class World:
    """Customers of 40 agents, whose habits differ, in both arms of each agent."""

    def __init__(self, rng: np.random.Generator, effect: float = 0.5) -> None:
        self.agents = rng.integers(0, 40, 1_500)
        self.is_treated = rng.random(1_500) < 0.4
        self.x = rng.normal(size=1_500) + rng.normal(size=40)[self.agents]
        self.y = 4 + effect * self.is_treated + self.x + rng.normal(size=40)[self.agents] + rng.normal(size=1_500)
        self.below = rng.poisson(2, 1_500) + np.ones(1_500)

    def comparison(self, kind: MetricKind, *columns: FloatArray, covariates: int = 0) -> Comparison:
        stratum = Stratum(*(ArmTotals.of(*(c[side] for c in columns)) for side in (~self.is_treated, self.is_treated)))
        slopes = cuped.slopes(stratum, kind, covariates)
        return with_clusters(compare(stratum, kind, slopes), [stratum], [self.totals(*columns)], kind, [slopes])

    def totals(self, *columns: FloatArray) -> ClusterTotals:
        cells: NDArray[np.intp] = self.agents * 2 + self.is_treated
        size = 2 * (int(self.agents.max()) + 1)
        sums = np.stack([np.bincount(cells, c, size).reshape(-1, 2) for c in columns], axis=2, dtype=np.float64)
        return ClusterTotals(np.bincount(cells, minlength=size).reshape(-1, 2).astype(np.float64), sums)


def test_means_are_the_clustered_regression_of_statsmodels() -> None:
    from statsmodels.regression.linear_model import OLS

    for seed in range(20):
        world = World(np.random.default_rng(seed))
        design = np.column_stack([np.ones(1_500), world.is_treated])
        oracle = OLS(world.y, design).fit(cov_type="cluster", cov_kwds={"groups": world.agents})
        ours = world.comparison(MEAN, world.y)
        assert (ours.difference, ours.variance**0.5) == pytest.approx((oracle.params[1], oracle.bse[1]))
        assert ours.degrees_of_freedom == 38
        # the control's mean is the intercept, and the relative effect rests on both
        assert (ours.control_variance, ours.covariance - ours.control_variance) == pytest.approx(
            oracle.cov_params()[0], rel=1e-6
        )


@pytest.mark.parametrize("covariates", [0, 1])
def test_one_unit_a_cluster_is_nearly_no_clusters(covariates: int) -> None:
    world = World(np.random.default_rng(1))
    world.agents = np.arange(1_500)
    arms = Stratum(*(ArmTotals.of(world.y[s], world.x[s]) for s in (~world.is_treated, world.is_treated)))
    plain = compare(arms, MEAN, cuped.slopes(arms, MEAN, covariates))
    clustered = world.comparison(MEAN, world.y, world.x, covariates=covariates)
    assert clustered.control_variance == pytest.approx(plain.control_variance, rel=0.003)
    assert clustered.covariance == pytest.approx(plain.covariance, abs=0.003 * plain.variance)


def test_agents_who_are_alike_in_every_epoch_are_no_news_in_the_second() -> None:
    world = World(np.random.default_rng(4))
    arms = Stratum(*(ArmTotals.of(world.y[side]) for side in (~world.is_treated, world.is_treated)))
    once, totals = compare(arms, MEAN), world.totals(world.y)
    twice = with_clusters(stratify([once, once]), [arms, arms], [totals, totals], MEAN, [NO_SLOPES, NO_SLOPES])
    assert twice.variance == pytest.approx(world.comparison(MEAN, world.y).variance, rel=0.001)
    assert stratify([once, once]).variance == pytest.approx(once.variance / 2)


@pytest.mark.parametrize("kind", [MEAN, RATIO])
def test_intervals_cover_and_unclustered_ones_do_not(kind: MetricKind) -> None:
    """By arm, an agent's customers are all treated or none: then the units are not what was randomised."""
    rng, plan, covered = np.random.default_rng(2), Plan(1_500), np.zeros(3)
    for _ in range(400):
        world = World(rng, effect=0.0)
        world.is_treated = world.agents % 2 == 0
        clustered = world.comparison(kind, world.y, world.below)
        stratum = Stratum(*(ArmTotals.of(world.y[s], world.below[s]) for s in (~world.is_treated, world.is_treated)))
        plain = absolute_effect(compare(stratum, kind), plan).fixed
        effect = absolute_effect(clustered, plan)
        relative = relative_effect(clustered, effect, plan)
        assert relative is not None
        covered += [part.low <= 0 <= part.high for part in (effect.fixed, relative.fixed, plain)]
    assert covered[:2] / 400 == pytest.approx([0.95, 0.95], abs=0.035)
    assert covered[2] / 400 < 0.6


def test_cuped_takes_the_covariates_clusters_along() -> None:
    world = World(np.random.default_rng(3))
    raw, adjusted = world.comparison(MEAN, world.y, world.x), world.comparison(MEAN, world.y, world.x, covariates=1)
    assert 0.2 < cuped.variance_reduction(raw, adjusted) < 0.8
    residual = world.y - world.x * cuped.slopes(
        Stratum(*(ArmTotals.of(world.y[s], world.x[s]) for s in (~world.is_treated, world.is_treated))), MEAN, 1
    )
    assert adjusted.variance == pytest.approx(world.comparison(MEAN, residual).variance)
