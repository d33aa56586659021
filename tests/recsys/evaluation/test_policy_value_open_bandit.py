"""Off-policy evaluation of two real policies, each from the log of the other (Saito et al. 2020)."""

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recsys.evaluation.policy_log import PolicyLog
from recsys.evaluation.policy_value import evaluate_policy
from tests.recsys.evaluation.policy_world import ESTIMATORS

OPEN_BANDIT = Path(__file__).parents[4] / "shared" / "data" / "open_bandit"


def open_bandit(name: str) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Item, position, click and propensity of each row of a log."""
    with gzip.open(OPEN_BANDIT / name / "men.csv.gz", "rt") as text:
        rows = [(r["item_id"], r["position"], r["click"], r["propensity_score"]) for r in csv.DictReader(text)]
    items, positions, clicks, propensities = zip(*rows, strict=True)
    return (
        np.array(items, dtype=np.intp),
        np.array(positions, dtype=np.intp) - 1,
        np.array(clicks, dtype=np.float64),
        np.array(propensities, dtype=np.float64),
    )


def frequencies(items: NDArray[np.intp], positions: NDArray[np.intp]) -> NDArray[np.float64]:
    """How often each item was at each position (3, 34): a context-free policy, as it was on average."""
    counts = np.zeros((3, 34))
    np.add.at(counts, (positions, items), 1)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


@pytest.mark.skipif(not OPEN_BANDIT.is_dir(), reason="the shared real data are not on this machine")
@pytest.mark.parametrize(("logging", "target"), [("random", "bts"), ("bts", "random")])
def test_open_bandit_policies_are_valued_from_each_others_logs(logging: str, target: str) -> None:
    items, positions, clicks, propensities = open_bandit(logging)
    there, their_positions, their_clicks, _ = open_bandit(target)
    policy = np.full((3, 34), 1 / 34) if target == "random" else frequencies(there, their_positions)
    log = PolicyLog(
        actions=tuple(map(str, range(34))),
        taken=items,
        rewards=clicks,
        propensities=propensities,
        target_rows=np.repeat(np.arange(len(items)), 34),
        target_actions=np.tile(np.arange(34), len(items)),
        target_probabilities=policy[positions].ravel(),
    )
    value = evaluate_policy(log)
    on_policy = their_clicks.mean()
    half = 1.96 * their_clicks.std() / math.sqrt(len(their_clicks))
    for estimator in ESTIMATORS.values():
        estimate = estimator(value)
        assert estimate.low <= on_policy + half
        assert estimate.high >= on_policy - half
