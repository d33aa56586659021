"""Decisions that one policy logged and another would have made: importance weights, support, expected rewards."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""(decisions,): one value for each logged decision."""

ROUNDING = 1e-3
"""How far probabilities may be off because they were rounded: no figure is judged more finely than that."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """n logged decisions over k actions, and a target policy over the same decisions.

    `taken` (n,) is the number of the action taken, `rewards` (n,) what it earned and `propensities` (n,) the
    probability, above 0, with which it was taken. The target is long: `target_rows`, `target_actions` and
    `target_probabilities` (m,) say with which probability it would take an action in a decision; a pair occurs
    once, one that does not occur has probability 0. `clusters` (n,) numbers whose rewards are alike, from 0 and
    without gaps; None where every decision stands alone. `expected_rewards` (n, k) is a reward model that has not
    seen these rewards; None where it is to be fitted here.
    """

    actions: tuple[str, ...]
    taken: NDArray[np.intp]
    rewards: Values
    propensities: Values
    target_rows: NDArray[np.intp]
    target_actions: NDArray[np.intp]
    target_probabilities: NDArray[np.float64]
    clusters: NDArray[np.intp] | None = None
    expected_rewards: NDArray[np.float64] | None = None

    @property
    def groups(self) -> NDArray[np.intp]:
        """The cluster of each decision; each its own where none are given."""
        return np.arange(len(self.taken)) if self.clusters is None else self.clusters


def importance_weights(log: PolicyLog) -> Values:
    """Return the target's probability of each action taken ÷ the probability with which it was taken."""
    is_taken = log.target_actions == log.taken[log.target_rows]
    probabilities = np.zeros(len(log.taken))
    probabilities[log.target_rows[is_taken]] = log.target_probabilities[is_taken]
    return probabilities / log.propensities


def unsupported_actions(log: PolicyLog) -> dict[str, float]:
    """Return action → share of the target's choices, for actions that the log never took."""
    mass = np.bincount(log.target_actions, log.target_probabilities, len(log.actions)) / len(log.taken)
    is_missing = (mass > 0) & (np.bincount(log.taken, minlength=len(log.actions)) == 0)
    return {log.actions[place]: float(mass[place]) for place in np.flatnonzero(is_missing)}


@dataclass(frozen=True, slots=True)
class RewardModel:
    """Expected rewards of the target's choice, `of_target` (n,), and r − those of the action taken, `residuals` (n,).

    Where they were fitted on this log, `taken` (n,) and `target_mass` (k,), the sum of the target's
    probabilities by action, say how the fit carries on to estimates; None where they come from elsewhere.
    """

    of_target: Values
    residuals: Values
    taken: NDArray[np.intp] | None = None
    target_mass: NDArray[np.float64] | None = None

    def scores(self, weights: Values) -> Values:
        """Return the doubly robust score of each decision: Σₐ π(a|x) q(x, a) + w (r − q(x, A))."""
        return self.of_target + weights * self.residuals

    def influence(self, weights: Values) -> Values:
        """Return what each decision contributes to the error of the mean score, the fit of its action's mean included.

        The estimate's derivative by q(a) is (Σπ(a) − Σ_{A=a} w) / n, and a decision moves q(A) by (r − q) / n_A
        (the delta method). For weights that were not changed it vanishes as n grows; for shrunk ones it does not.
        """
        influence = self.scores(weights)
        if self.taken is not None and self.target_mass is not None:
            width = len(self.target_mass)
            imbalance = self.target_mass - np.bincount(self.taken, weights, width)
            by_action = imbalance / np.maximum(np.bincount(self.taken, minlength=width), 1)
            influence = influence + by_action[self.taken] * self.residuals
        return np.asarray(influence - influence.mean())


def fit_reward_model(log: PolicyLog) -> RewardModel | None:
    """Return the log's own expected rewards, else cross-fitted means of the actions; None with a single cluster."""
    rows = np.arange(len(log.taken))
    if (given := log.expected_rewards) is not None:
        entries = given[log.target_rows, log.target_actions]
        return RewardModel(_of_target(log, entries), log.rewards - given[rows, log.taken])
    if log.groups.max() == 0:
        return None
    predict = _means_of_others(log)
    mass = np.bincount(log.target_actions, log.target_probabilities, len(log.actions)).astype(np.float64)
    of_target = _of_target(log, predict(log.target_rows, log.target_actions))
    return RewardModel(of_target, log.rewards - predict(rows, log.taken), log.taken, mass)


def _of_target(log: PolicyLog, entries: NDArray[np.float64]) -> Values:
    return np.bincount(log.target_rows, log.target_probabilities * entries, len(log.taken)).astype(np.float64)


def _means_of_others(log: PolicyLog) -> Callable[[NDArray[np.intp], NDArray[np.intp]], Values]:
    """Return q(row, action): the action's mean reward in all other clusters, and one row of their overall mean.

    Leaving a cluster out of its own means is cross-fitting (Chernozhukov et al. 2018) with a fold a cluster:
    exactly unbiased, without chance, whatever the order of the rows (Wu, Gagnon-Bartsch 2018).
    """
    taken, rewards, groups, width = log.taken, log.rewards, log.groups, len(log.actions)
    sums, counts = np.bincount(taken, rewards, width), np.bincount(taken, minlength=width)
    pairs, pair_of = np.unique(groups * width + taken, return_inverse=True)
    own_sums, own_counts = np.bincount(pair_of, rewards), np.bincount(pair_of)
    mean_of_others = (rewards.sum() - np.bincount(groups, rewards)) / (len(rewards) - np.bincount(groups))

    def predict(rows: NDArray[np.intp], actions: NDArray[np.intp]) -> Values:
        wanted = groups[rows] * width + actions
        place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        is_own = pairs[place] == wanted
        others_sum = sums[actions] - np.where(is_own, own_sums[place], 0.0) + mean_of_others[groups[rows]]
        return np.asarray(others_sum / (counts[actions] - np.where(is_own, own_counts[place], 0) + 1))

    return predict
