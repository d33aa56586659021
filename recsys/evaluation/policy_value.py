"""Off-policy evaluation: what a policy would earn, from decisions that another policy made and logged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from recsys.evaluation.policy_log import (
    ROUNDING,
    PolicyLog,
    RewardModel,
    Values,
    fit_reward_model,
    importance_weights,
    unsupported_actions,
)

LEAST_EFFECTIVE_SIZE = 100
LEAST_EFFECTIVE_SHARE = 0.01
MOST_STANDARD_ERRORS = 3.0
_LEVEL = 0.95
_GRID = 15


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate, its standard error and the 95 % interval; NaN where the log cannot tell."""

    estimate: float
    standard_error: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Return the four figures by name, null for those the log cannot tell."""
        named = (("estimate", self.estimate), ("standard_error", self.standard_error), ("low", self.low))
        return {name: _finite(value) for name, value in (*named, ("high", self.high))}


@dataclass(frozen=True, slots=True)
class TunedEstimate:
    """A biased estimate of less variance, and the parameter it was tuned to (infinite: the same as DR)."""

    value: Estimate
    parameter: float

    def as_json(self, parameter: str) -> dict[str, float | None]:
        """Return the estimate's figures and the parameter by its name, null where it is infinite."""
        return {**self.value.as_json(), parameter: _finite(self.parameter)}


@dataclass(frozen=True, slots=True)
class DoublyRobust:
    """What is estimated with expected rewards; `lift` is DR − what the logging policy earned, paired."""

    dr: Estimate
    switch: TunedEstimate
    shrunk: TunedEstimate
    lift: Estimate


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """The target's value per decision by several estimators, and whether the log can carry a verdict.

    `logged` is what the logging policy earned. `doubly_robust` is None where there is nothing to fit expected
    rewards on: all decisions are of one cluster. `reasons` says why a verdict is refused, one sentence each.
    """

    ips: Estimate
    snips: Estimate
    doubly_robust: DoublyRobust | None
    logged: Estimate
    effective_sample_size: float
    max_weight: float
    mean_weight: Estimate
    unsupported_mass: float
    decisions: int
    clusters: int
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values; of the mean weight only the mean and its standard error."""
        robust = self.doubly_robust
        return {
            "ips": self.ips.as_json(),
            "snips": self.snips.as_json(),
            "dr": robust.dr.as_json() if robust else None,
            "switch_dr": robust.switch.as_json("threshold") if robust else None,
            "shrunk_dr": robust.shrunk.as_json("shrinkage") if robust else None,
            "logged": self.logged.as_json(),
            "lift": robust.lift.as_json() if robust else None,
            "effective_sample_size": self.effective_sample_size,
            "max_weight": self.max_weight,
            "mean_weight": self.mean_weight.estimate,
            "mean_weight_standard_error": _finite(self.mean_weight.standard_error),
            "unsupported_mass": self.unsupported_mass,
            "decisions": self.decisions,
            "clusters": self.clusters,
            "verdict": "refused" if self.reasons else "ok",
            "reasons": list(self.reasons),
        }


def evaluate_policy(log: PolicyLog) -> PolicyValue:
    """Return the value of the log's target policy; weights are wᵢ = π(aᵢ | xᵢ) / pᵢ and never clipped.

    IPS = mean of w r (Horvitz, Thompson 1952); SNIPS = Σ w r / Σ w, with influence w (r − SNIPS) / mean w
    (Swaminathan, Joachims 2015; Owen 2013, ch. 9); DR = mean of Σₐ π(a|x) q(x, a) + w (r − q(x, A))
    (Dudík, Langford, Li 2011). Effective sample size (Σ w)² / Σ w² (Kish 1965).
    """
    weights, rewards, groups = importance_weights(log), log.rewards, log.groups
    model = fit_reward_model(log)
    total = float(weights.sum())
    effective = total**2 / float(weights @ weights) if total > 0 else 0.0
    mean_weight = _mean(weights, groups)
    unsupported = unsupported_actions(log)
    return PolicyValue(
        ips=_mean(weights * rewards, groups),
        snips=_ratio(weights * rewards, weights, groups),
        doubly_robust=_doubly_robust(model, weights, rewards, groups) if model else None,
        logged=_mean(rewards, groups),
        effective_sample_size=effective,
        max_weight=float(weights.max()),
        mean_weight=mean_weight,
        unsupported_mass=float(sum(unsupported.values())),
        decisions=len(weights),
        clusters=int(groups.max()) + 1,
        reasons=tuple(_reasons(effective, len(weights), mean_weight, unsupported)),
    )


def _doubly_robust(model: RewardModel, weights: Values, rewards: Values, groups: NDArray[np.intp]) -> DoublyRobust:
    dr, influence = float(model.scores(weights).mean()), model.influence(weights)
    logged = float(rewards.mean())
    return DoublyRobust(
        dr=_estimate(dr, influence, groups),
        switch=_least_error(model, weights, groups, _switched, _thresholds(weights)),
        shrunk=_least_error(model, weights, groups, _shrunk, _shrinkages(weights)),
        lift=_estimate(dr - logged, influence - (rewards - logged), groups),
    )


def _mean(values: Values, groups: NDArray[np.intp]) -> Estimate:
    mean = float(values.mean())
    return _estimate(mean, values - mean, groups)


def _ratio(numerators: Values, denominators: Values, groups: NDArray[np.intp]) -> Estimate:
    total = float(denominators.sum())
    if total == 0:
        return Estimate(np.nan, np.nan, np.nan, np.nan)
    ratio = float(numerators.sum()) / total
    return _estimate(ratio, (numerators - ratio * denominators) * (len(numerators) / total), groups)


def _estimate(estimate: float, influence: Values, groups: NDArray[np.intp]) -> Estimate:
    """Return the estimate with its cluster-robust error: √(G/(G−1) Σ_g (Σ_{i∈g} ψᵢ)²) / n, t with G − 1 df.

    Liang, Zeger (1986), with the small-sample factor of CR1; for clusters of one it is s / √n.
    """
    sums = np.bincount(groups, influence)
    count = len(sums)
    if count < 2:
        return Estimate(estimate, np.nan, np.nan, np.nan)
    error = float(np.sqrt(count / (count - 1) * (sums @ sums)) / len(influence))
    half = float(stdtrit(count - 1, (1 + _LEVEL) / 2)) * error
    return Estimate(estimate, error, estimate - half, estimate + half)


def _switched(weights: Values, threshold: float) -> Values:
    """Return w where w ≤ τ, else 0: Switch-DR (Wang, Agarwal, Dudík 2017)."""
    return np.where(weights <= threshold, weights, 0.0)


def _shrunk(weights: Values, shrinkage: float) -> Values:
    """Return λ w / (w² + λ): optimistic shrinkage (Su, Dimakopoulou, Krishnamurthy, Dudík 2020)."""
    return weights if np.isinf(shrinkage) else shrinkage * weights / (weights**2 + shrinkage)


def _thresholds(weights: Values) -> Values:
    return _grid(*_middle(weights))


def _shrinkages(weights: Values) -> Values:
    low, high = _middle(weights)
    return _grid(low**2 / 100, 100 * high**2)


def _middle(weights: Values) -> tuple[float, float]:
    positive = weights[weights > 0]
    low, high = np.quantile(positive, [0.05, 0.95]) if len(positive) else (1.0, 1.0)
    return float(low), float(high)


def _grid(low: float, high: float) -> Values:
    return np.append(np.geomspace(low, high, _GRID), np.inf)


def _least_error(
    model: RewardModel,
    weights: Values,
    groups: NDArray[np.intp],
    change: Callable[[Values, float], Values],
    parameters: Values,
) -> TunedEstimate:
    """Return DR with changed weights ŵ, with the parameter of the least variance + bias².

    The bias is estimated by the mean of (ŵ − w)(r − q), as in the model selection of Su et al. (2020). The last
    parameter is infinite, which is DR itself; of equals the last wins.
    """
    candidates: list[tuple[float, int, TunedEstimate]] = []
    for parameter in parameters.tolist():
        changed = change(weights, parameter)
        value = _estimate(float(model.scores(changed).mean()), model.influence(changed), groups)
        bias = float(((changed - weights) * model.residuals).mean())
        candidates.append((value.standard_error**2 + bias**2, -len(candidates), TunedEstimate(value, parameter)))
    return min(candidates, key=lambda candidate: candidate[:2])[2]


def _reasons(effective: float, decisions: int, mean_weight: Estimate, unsupported: dict[str, float]) -> Iterable[str]:
    if unsupported:
        first = ", ".join(sorted(unsupported, key=lambda name: (-unsupported[name], name))[:3])
        more = f" and {len(unsupported) - 3} more" if len(unsupported) > 3 else ""
        share = sum(unsupported.values())
        yield f"The target gives {share:.3%} of its choices to actions the log never took: {first}{more}."
    if effective < LEAST_EFFECTIVE_SIZE:
        yield f"The effective sample size is {effective:.1f}, below {LEAST_EFFECTIVE_SIZE}."
    if effective < LEAST_EFFECTIVE_SHARE * decisions:
        yield f"The effective sample size is {effective / decisions:.2%} of the decisions, below 1 %."
    error = mean_weight.standard_error
    if abs(mean_weight.estimate - 1) > max(MOST_STANDARD_ERRORS * np.nan_to_num(error), ROUNDING):
        yield (
            f"The mean weight is {mean_weight.estimate:.4f} ± {error:.4f} (standard error), more than 3 standard "
            "errors from 1: the propensities or the target's probabilities are not those of these decisions."
        )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
