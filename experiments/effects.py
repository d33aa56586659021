"""What a treatment does: the absolute and the relative effect, each with both of its intervals."""

import math
from collections.abc import Sequence
from dataclasses import replace

from experiments import proportions, sequential
from experiments.comparison import Comparison, Stratum, counts
from experiments.estimate import AlwaysValidInterval, Estimate, FixedInterval, Plan

NORMAL_FROM = 100
"""The degrees of freedom from which on an always-valid interval takes the distribution to be normal."""
FIELLER_FROM = 0.01
"""From this g on the delta method's interval of a relative effect is too far from Fieller's."""


def absolute_effect(comparison: Comparison, plan: Plan) -> Estimate:
    """Return treatment minus control, with Welch's interval (1947) and the always-valid one.

    The asymptotics of the latter need many units, or clusters where there are such: of few, it has the tail of t.
    Without any spread nothing is known: the bounds are infinite and the p-values 1.
    """
    from scipy.special import ndtri, stdtr

    error, effect = math.sqrt(comparison.variance), comparison.difference
    fixed, always = critical_values(comparison, plan)
    if error == 0:
        return _estimate(effect, 0.0, ((-math.inf, math.inf),) * 2, (1.0, 1.0), plan)
    tail = float(stdtr(comparison.degrees_of_freedom, -abs(effect) / error))
    z = -float(ndtri(tail)) if comparison.degrees_of_freedom < NORMAL_FROM else effect / error
    p_values = 2 * tail, float(sequential.p_value(z, comparison.n, plan.planned_n, plan.alpha))
    intervals = [(effect - critical * error, effect + critical * error) for critical in (fixed, always)]
    return _estimate(effect, error, intervals, p_values, plan)


def difference_of_shares(comparison: Comparison, strata: Sequence[Stratum], plan: Plan) -> Estimate:
    """Return the absolute effect of a binary metric: with the pooled test's p-value, and Newcombe's interval of few."""
    from scipy.special import ndtri

    effect = absolute_effect(comparison, plan)
    successes, units = counts(strata)
    fixed = replace(effect.fixed, p_value=proportions.pooled_p_value(successes, units))
    if proportions.has_small_counts(successes, units):
        low, high = proportions.newcombe(successes, units, float(ndtri(1 - plan.alpha / 2)))
        fixed = replace(fixed, low=low, high=high)
    return replace(effect, fixed=fixed)


def relative_effect(comparison: Comparison, absolute: Estimate, plan: Plan) -> Estimate | None:
    """Return the effect as a share of the control's |mean|, or None where that is 0.

    The p-values are those of the `absolute` effect, since one is 0 exactly where the other is.
    """
    control = comparison.control
    if control == 0:
        return None
    effect = comparison.difference / abs(control)
    error = math.sqrt(_ratio_variance(comparison)) / abs(control)
    intervals = [_relative_interval(comparison, critical) for critical in critical_values(comparison, plan)]
    return _estimate(effect, error, intervals, (absolute.fixed.p_value, absolute.always_valid.p_value), plan)


def _relative_interval(comparison: Comparison, critical: float) -> tuple[float, float]:
    """Return the interval of d/|m_C| that reaches `critical` standard errors.

    By the delta method (Deng, Knoblich, Lu 2018) while g = critical²·V_C/m_C² is small; else Fieller's
    (1954), the m_T/m_C = r for which m_T − r·m_C is not `critical` standard errors from
    0. From g = 1 on the control's mean itself might be 0, and no bound can be given; nor can it without any spread.
    """
    control, spread, shared = comparison.control, comparison.control_variance, comparison.covariance
    ratio = comparison.treatment / control
    g = critical**2 * spread / control**2
    if g >= 1 or _ratio_variance(comparison) == 0:
        return -math.inf, math.inf
    if g > FIELLER_FROM:
        middle = ratio - g * shared / spread
        residual = comparison.treatment_variance - shared**2 / spread
        under_root = _ratio_variance(comparison) - g * residual
    else:
        middle, g, under_root = ratio, 0.0, _ratio_variance(comparison)
    half = critical / abs(control) * math.sqrt(max(under_root, 0.0))
    low, high = (middle - half) / (1 - g) - 1, (middle + half) / (1 - g) - 1
    return (low, high) if control > 0 else (-high, -low)


def _ratio_variance(comparison: Comparison) -> float:
    """V_T − 2r·cov + r²·V_C: the variance of m_T − r·m_C at the ratio r of the means."""
    ratio = comparison.treatment / comparison.control
    variance = comparison.treatment_variance - 2 * ratio * comparison.covariance
    return max(variance + ratio**2 * comparison.control_variance, 0.0)


def critical_values(comparison: Comparison, plan: Plan) -> tuple[float, float]:
    """Return how many standard errors the fixed and the always-valid interval reach to each side."""
    from scipy.special import ndtr, stdtrit

    fixed = float(stdtrit(comparison.degrees_of_freedom, 1 - plan.alpha / 2))
    always = float(sequential.critical_value(comparison.n, plan.planned_n, plan.alpha))
    if comparison.degrees_of_freedom < NORMAL_FROM:
        always = -float(stdtrit(comparison.degrees_of_freedom, ndtr(-always)))
    return fixed, always


def _estimate(
    effect: float, error: float, intervals: Sequence[tuple[float, float]], p_values: tuple[float, float], plan: Plan
) -> Estimate:
    fixed, always = intervals
    return Estimate(
        estimate=effect,
        standard_error=error,
        fixed=FixedInterval(*fixed, p_values[0]),
        always_valid=AlwaysValidInterval(*always, p_values[1], plan.planned_n),
    )
