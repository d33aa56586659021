"""A small world in which the value of every policy is known, for tests of off-policy evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.policy_log import PolicyLog
from recsys.evaluation.policy_value import DoublyRobust, Estimate, PolicyValue

CHANCES = np.array([[0.1, 0.5, 0.3], [0.6, 0.2, 0.4]])
"""(context, action): the chance of a reward of 1."""
LOGGING = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])
TARGET = np.array([[0.1, 0.6, 0.3], [0.6, 0.1, 0.3]])
TRUE_VALUE = float((TARGET * CHANCES).sum(axis=1).mean())


def a_log(
    target: NDArray[np.float64],
    taken: Sequence[int],
    rewards: Sequence[float],
    propensities: Sequence[float],
    clusters: Sequence[int] | None = None,
) -> PolicyLog:
    """Decisions whose target is a dense (n, k) matrix."""
    count, width = target.shape
    return PolicyLog(
        actions=tuple("abcdefgh"[:width]),
        taken=np.asarray(taken, dtype=np.intp),
        rewards=np.asarray(rewards, dtype=np.float64),
        propensities=np.asarray(propensities, dtype=np.float64),
        target_rows=np.repeat(np.arange(count), width),
        target_actions=np.tile(np.arange(width), count),
        target_probabilities=target.ravel(),
        clusters=None if clusters is None else np.asarray(clusters, dtype=np.intp),
    )


@dataclass(frozen=True, slots=True)
class Customers:
    """How many customers decide how often each; `alike` is the chance that an answer repeats the customer's first."""

    count: int = 400
    decisions: int = 1
    alike: float = 0.0


MANY = Customers()


def a_simulated_log(rng: np.random.Generator, customers: Customers = MANY, is_clustered: bool = False) -> PolicyLog:
    """Decisions of the world under LOGGING; a customer keeps the context, the action's chances are CHANCES."""
    count = customers.count * customers.decisions
    owners = np.repeat(np.arange(customers.count), customers.decisions)
    contexts = rng.integers(0, 2, customers.count)[owners]
    taken = (rng.random(count)[:, None] > LOGGING[contexts].cumsum(axis=1)).sum(axis=1)
    moods = rng.random(customers.count)[owners]
    luck = np.where(rng.random(count) < customers.alike, moods, rng.random(count))
    rewards = (luck < CHANCES[contexts, taken]).astype(float)
    clusters = owners.tolist() if is_clustered else None
    return a_log(TARGET[contexts], taken.tolist(), rewards.tolist(), LOGGING[contexts, taken].tolist(), clusters)


def robust(value: PolicyValue) -> DoublyRobust:
    """The estimates that rest on expected rewards, which are there."""
    assert value.doubly_robust is not None
    return value.doubly_robust


ESTIMATORS: dict[str, Callable[[PolicyValue], Estimate]] = {
    "ips": lambda value: value.ips,
    "snips": lambda value: value.snips,
    "dr": lambda value: robust(value).dr,
    "switch_dr": lambda value: robust(value).switch.value,
    "shrunk_dr": lambda value: robust(value).shrunk.value,
}
"""By name, where each estimate stands."""
