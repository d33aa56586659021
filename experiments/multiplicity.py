"""Several questions to one campaign: levels and p-values that allow for how many there are, and guardrails."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from experiments.arm_totals import FloatArray
from experiments.comparison import Comparison
from experiments.effects import critical_values
from experiments.estimate import Plan


def bonferroni_level(alpha: float, primary_metrics: int, treatments: int) -> float:
    """Return the level α/m of each interval, for m primary metrics times arms besides control (Dunn 1961)."""
    return alpha / max(primary_metrics * treatments, 1)


def benjamini_hochberg(p_values: ArrayLike) -> FloatArray:
    """Return adjusted p-values (m,): those below q are a set in which at most the share q is expected to be false.

    Benjamini, Hochberg 1995, procedure (1): the smallest m·p₍ⱼ₎/j from the p-value's own rank on.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)[::-1]
    ranks = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum.accumulate(values[order] * len(values) / ranks)
    return np.minimum(adjusted, 1.0)


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a guardrail is shown not to suffer: the effect's bound on the bad side lies within the margin."""

    margin: float
    bound: float
    always_valid_bound: float
    p_value: float
    is_shown: bool


def non_inferiority(comparison: Comparison, margin: float, plan: Plan, higher_is_better: bool = True) -> NonInferiority:
    """Return the one-sided test that the effect is not worse than `margin` (above 0, in the metric's unit).

    H₀: δ ≤ −margin; t = (d + margin)/s (Schuirmann 1987, one of the two sides). `bound` is the one-sided limit at α for
    one look; `is_shown` goes by the bound of the always-valid two-sided interval at α, so it holds at any look.
    """
    from scipy.special import stdtr, stdtrit

    effect = comparison.difference if higher_is_better else -comparison.difference
    error, df = math.sqrt(comparison.variance), comparison.degrees_of_freedom
    if error == 0:
        return NonInferiority(margin, -math.inf, -math.inf, 1.0, False)
    always = effect - critical_values(comparison, plan)[1] * error
    return NonInferiority(
        margin=margin,
        bound=effect - float(stdtrit(df, 1 - plan.alpha)) * error,
        always_valid_bound=always,
        p_value=float(stdtr(df, -(effect + margin) / error)),
        is_shown=always > -margin,
    )
