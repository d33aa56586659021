"""Sample ratio mismatch: whether units came to the arms in the designed shares; if not, no effect can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from experiments.arm_totals import FloatArray
from experiments.estimate import json_values
from experiments.sequential import running_minimum
from recsys.domain.errors import AnalysisInvalid

ALPHA = 0.001
CONCENTRATION = 1e4
"""The prior's α₀ over all arms: as sure of the designed shares as if this many units had been seen."""


class Split(NamedTuple):
    """One epoch's units by arm, and the weights of all its arms as designed, in any unit."""

    observed: Mapping[str, int]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """Both tests of the split; the p-value is for one look, the sequential one for looks at any time."""

    p_value: float
    statistic: float
    df: int
    sequential_p_value: float
    verdict: Literal["ok", "failed"]
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the check as the contract writes it."""
        document: dict[str, Any] = json_values(asdict(self))
        return document


def check_splits(epochs: Sequence[Split], alpha: float = ALPHA) -> SplitCheck:
    """Return Pearson's χ² and the Dirichlet–multinomial test, each summed over the epochs.

    χ² has as many degrees of freedom as an epoch has arms with a weight above 0, minus 1. The check fails where any
    epoch's p-value, or either of the two over all, is below `alpha`; a unit in an arm of weight 0 fails it outright.
    Raises AnalysisInvalid for weights that do not fit.
    """
    from scipy.special import chdtrc

    tests = [_tested(epoch, alpha) for epoch in epochs]
    places = [f"Epoch {number}: " if len(epochs) > 1 else "" for number in range(1, len(epochs) + 1)]
    reasons = [place + test.reason for place, test in zip(places, tests, strict=True) if test.reason]
    statistic, df = sum(test.statistic for test in tests), sum(test.df for test in tests)
    p_value = float(chdtrc(df, statistic))
    sequential = float(np.exp(-max(sum(test.log_factor for test in tests), 0.0)))
    if not reasons and min(p_value, sequential) < alpha:
        reasons.append(f"The arms' units do not fit their weights (p = {min(p_value, sequential):.2g}).")
    return SplitCheck(p_value, statistic, df, sequential, "failed" if reasons else "ok", tuple(reasons))


def expected_units(epochs: Sequence[Split]) -> dict[str, float]:
    """Return how many units each arm should have: of each epoch's units, its designed share."""
    expected: dict[str, float] = {}
    for epoch in epochs:
        due = sum(epoch.observed.values()) / sum(epoch.weights.values())
        for arm, weight in epoch.weights.items():
            expected[arm] = expected.get(arm, 0.0) + due * weight
    return expected


def log_bayes_factor(counts: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Return ln of the Bayes factor (…) against the designed shares, for counts (…, K) of arms with weights (K,) > 0.

    Γ(α₀)/Γ(α₀+n)·Π Γ(α_k+n_k)/Γ(α_k) / Π p_k^{n_k} with α_k = `CONCENTRATION`·p_k: a martingale if the shares are as
    designed, so 1/BF is a p-value at any time (Lindon, Malek 2022, section 2).
    """
    from scipy.special import gammaln

    seen, shares = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    shares = shares / shares.sum()
    prior = CONCENTRATION * shares
    arms = gammaln(prior + seen) - gammaln(prior) - seen * np.log(shares)
    return np.asarray(arms.sum(axis=-1) + gammaln(CONCENTRATION) - gammaln(CONCENTRATION + seen.sum(axis=-1)))


def sequential_p_values(counts: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Return the always-valid p-value (T,) after each of the cumulative counts (T, K): min(1, 1/BF) so far."""
    return running_minimum(np.exp(-np.maximum(log_bayes_factor(counts, weights), 0.0)))


class _Tested(NamedTuple):
    statistic: float
    df: int
    log_factor: float
    reason: str


def _tested(epoch: Split, alpha: float) -> _Tested:
    from scipy.special import chdtrc

    names = _checked(epoch)
    for name, count in epoch.observed.items():
        if count and not epoch.weights[name]:
            return _Tested(np.inf, len(names) - 1, np.inf, f"Arm {name} has weight 0, but {count} units.")
    weights = np.array([epoch.weights[name] for name in names])
    counts = np.array([epoch.observed.get(name, 0) for name in names], dtype=np.float64)
    expected = counts.sum() * weights / weights.sum()
    statistic = float(np.sum((counts - expected) ** 2 / expected)) if counts.any() else 0.0
    reason, p_value = "", float(chdtrc(len(names) - 1, statistic))
    if p_value < alpha:
        seen = "; ".join(
            f"{name} {int(count)}, expected {due:.1f}" for name, count, due in zip(names, counts, expected, strict=True)
        )
        reason = f"The arms' units do not fit their weights (p = {p_value:.2g}): {seen}."
    return _Tested(statistic, len(names) - 1, float(log_bayes_factor(counts, weights)), reason)


def _checked(epoch: Split) -> list[str]:
    """Return the arms that should get units."""
    if unknown := [name for name in epoch.observed if name not in epoch.weights]:
        raise AnalysisInvalid(f"Arm {unknown[0]} has no weight; give it 0 if nobody should be in it.")
    if any(not 0 <= weight < np.inf for weight in epoch.weights.values()):
        raise AnalysisInvalid("A weight must be a number of at least 0.")
    names = [name for name, weight in epoch.weights.items() if weight > 0]
    if len(names) < 2:
        raise AnalysisInvalid("The split cannot be checked: fewer than two arms have a weight above 0.")
    return names
