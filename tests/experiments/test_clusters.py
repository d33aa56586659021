"""Differences of means over clusters: against a published implementation, and in worlds without any effect."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import stdtrit

from experiments.arm_totals import FloatArray
from experiments.clusters import clustered_difference, two_way_difference

AGENTS, CUSTOMERS, ICC = 40, 50, 0.05
"""Agents, customers of each, and the share of the variance that is between agents."""


def totals(groups: NDArray[np.intp], treated: NDArray[np.bool_], outcomes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Counts and sums by group and arm."""
    cells, size = groups * 2 + treated, (int(groups.max()) + 1) * 2
    counts = np.bincount(cells, minlength=size).astype(np.float64)
    sums = np.asarray(np.bincount(cells, outcomes, size), dtype=np.float64)
    return counts.reshape(-1, 2), sums.reshape(-1, 2)


def lines(treated: NDArray[np.bool_], outcomes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Counts and sums of single units."""
    counts = np.stack([~treated, treated], axis=1).astype(np.float64)
    return counts, counts * outcomes[:, None]


def contacts(seed: int = 3) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_], FloatArray]:
    """Customer, agent, arm and outcome of 900 contacts of 300 customers with 25 agents."""
    rng = np.random.default_rng(seed)
    customers, agents = rng.integers(0, 300, 900), rng.integers(0, 25, 900)
    treated = (rng.random(300) < 0.4)[customers]
    shared = rng.normal(size=300)[customers] + (rng.normal(size=25) * (0.2 + treated[:, None])).T[agents, range(900)]
    return customers, agents, treated, shared + rng.normal(size=900)


def rejects(difference: tuple[float, float, float], level: float = 0.05) -> bool:
    estimate, error, degrees = difference
    return bool(abs(estimate) > stdtrit(degrees, 1 - level / 2) * error)


def test_standard_errors_are_those_of_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    customers, agents, treated, outcomes = contacts()
    model = api.OLS(outcomes, api.add_constant(treated.astype(float)))
    one = model.fit(cov_type="cluster", cov_kwds={"groups": agents})
    two = model.fit(cov_type="cluster", cov_kwds={"groups": np.stack([customers, agents], axis=1)})
    by_agent = clustered_difference(*totals(agents, treated, outcomes))
    both = two_way_difference(customers, agents, *lines(treated, outcomes))
    assert by_agent == pytest.approx((one.params[1], one.bse[1], 23), rel=1e-10)
    assert both == pytest.approx((two.params[1], two.bse[1], 23), rel=1e-10)


def test_contacts_may_come_one_by_one_or_added_up_by_customer_and_agent() -> None:
    customers, agents, treated, outcomes = contacts()
    pairs, place = np.unique(np.stack([customers, agents]), axis=1, return_inverse=True)
    added_up = two_way_difference(pairs[0], pairs[1], *totals(place.ravel(), treated, outcomes))
    assert added_up == pytest.approx(two_way_difference(customers, agents, *lines(treated, outcomes)), rel=1e-12)


def test_arms_that_change_places_change_the_sign_alone() -> None:
    _, agents, treated, outcomes = contacts()
    estimate, error, degrees = clustered_difference(*totals(agents, treated, outcomes))
    assert clustered_difference(*totals(agents, ~treated, outcomes)) == pytest.approx((-estimate, error, degrees))


def test_agents_without_customers_change_nothing() -> None:
    _, agents, treated, outcomes = contacts()
    counts, sums = totals(agents, treated, outcomes)
    more = clustered_difference(np.vstack([counts, np.zeros((5, 2))]), np.vstack([sums, np.zeros((5, 2))]))
    assert more == clustered_difference(counts, sums)


def test_an_empty_arm_and_two_clusters_have_no_standard_error() -> None:
    counts, sums = np.full((6, 2), 10.0), np.full((6, 2), 3.0)
    assert math.isnan(clustered_difference(counts * [1, 0], sums * [1, 0])[1])
    assert math.isnan(clustered_difference(counts[:2], sums[:2])[1])


def test_a_two_way_variance_that_is_not_positive_gives_way_to_the_larger_one_way_variance() -> None:
    """A checkerboard: what a customer's contacts are worth cancels out, and so do an agent's; pairs differ."""
    customers, agents = (places.ravel() for places in np.indices((6, 6)))
    treated = customers % 2 == 0
    outcomes = np.array([1, -1, 0])[customers // 2] * np.where(agents % 2, 1.0, -1.0) + 0.1 * treated * (agents == 0)
    counts, sums = lines(treated, outcomes)
    customer_only = clustered_difference(*totals(customers, treated, outcomes))
    agent_only = clustered_difference(*totals(agents, treated, outcomes))
    _, error, _ = two_way_difference(customers, agents, counts, sums)
    assert error == max(customer_only[1], agent_only[1]) > 0


def campaign_without_effect(world: str, rng: np.random.Generator) -> tuple[bool, bool]:
    """Whether the clustered and the unclustered test call a difference where on average there is none."""
    agents = np.repeat(np.arange(AGENTS), CUSTOMERS)
    of_agent = rng.normal(0, math.sqrt(ICC), (2, AGENTS))
    noise = rng.normal(0, math.sqrt(1 - ICC), AGENTS * CUSTOMERS)
    if world == "arms by agent":
        treated = rng.permutation(np.arange(AGENTS) % 2 == 0)[agents]
    else:
        treated = rng.random(AGENTS * CUSTOMERS) < 0.5
    outcomes = of_agent[0, agents] + noise
    if world == "effects vary by agent":
        outcomes = outcomes + math.sqrt(2) * of_agent[1, agents] * np.where(treated, 1, -1)
    arms = outcomes[~treated], outcomes[treated]
    error = math.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in arms))
    unclustered = (arms[1].mean() - arms[0].mean(), error, float(len(outcomes) - 2))
    return rejects(clustered_difference(*totals(agents, treated, outcomes))), rejects(unclustered)


@pytest.mark.parametrize(
    ("world", "unclustered_fails"),
    [("arms by agent", True), ("effects vary by agent", True), ("arms by customer", False)],
)
def test_only_clustered_errors_keep_false_positives_at_the_level(world: str, unclustered_fails: bool) -> None:
    """Customers randomised within agents need no clusters, unless agents differ in what the treatment does."""
    rng = np.random.default_rng(11)
    clustered, unclustered = np.mean([campaign_without_effect(world, rng) for _ in range(3_000)], axis=0)
    assert 0.035 <= clustered <= 0.06
    assert (unclustered > 0.15) == unclustered_fails


@pytest.mark.parametrize("repeats", [500, pytest.param(4_000, marks=pytest.mark.slow)])
def test_two_ways_keep_false_positives_where_one_way_does_not(repeats: int) -> None:
    """Randomised by customer, who come again and again; agents differ in what the treatment does."""
    rng = np.random.default_rng(12)
    calls = []
    for _ in range(repeats):
        customers, agents = np.repeat(np.arange(200), 8), rng.integers(0, AGENTS, 1_600)
        treated = (rng.random(200) < 0.5)[customers]
        of_agent = rng.normal(0, 0.4, AGENTS)[agents] * np.where(treated, 1, -1)
        outcomes = rng.normal(0, 0.8, 200)[customers] + of_agent + rng.normal(0, 1, 1_600)
        units = lines(treated, outcomes)
        by_customer, by_agent = (clustered_difference(*totals(by, treated, outcomes)) for by in (customers, agents))
        calls.append([rejects(one) for one in (two_way_difference(customers, agents, *units), by_customer, by_agent)])
    two_way, by_customer_alone, by_agent_alone = np.mean(calls, axis=0)
    assert two_way <= 0.06
    assert min(by_customer_alone, by_agent_alone) > 0.08
