"""What an offer does to those it is really pitched to, and an alarm when agents pitch the arms at different rates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.arm_totals import ArmTotals

LEAST_FIRST_STAGE_F = 10.0
"""Below it the delta method's interval misleads (Staiger, Stock 1997)."""


@dataclass(frozen=True, slots=True)
class ComplierEffect:
    """The effect on customers who are pitched to because of their arm, with its interval.

    `compliance` is the difference in the shares pitched to, `first_stage_f` its squared ratio to its standard error.
    An Anderson–Rubin interval may be infinite: then the data say nothing on that side.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    compliance: float
    first_stage_f: float
    interval: Literal["delta", "anderson_rubin"]


def complier_effect(control: ArmTotals, treatment: ArmTotals, alpha: float = 0.05) -> ComplierEffect:
    """Return the complier average causal effect ITT/c from totals of (outcome, pitched: 0 or 1).

    The standard error is the delta method's, √(V_y − 2τV_yd + τ²V_d)/|c| (Imbens, Angrist 1994). With a
    first-stage F below 10 the interval is Anderson and Rubin's (1949): every τ that a test of ITT − τc = 0 at `alpha`,
    two-sided, does not reject. A set that is unbounded is given as the whole line even if it has a hole.
    """
    from scipy.special import ndtri

    effects = treatment.means - control.means
    spread = treatment.covariances / treatment.n + control.covariances / control.n
    itt, compliance = float(effects[0]), float(effects[1])
    v_y, v_yd, v_d = float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])
    z = float(ndtri(1 - alpha / 2))
    if compliance == 0:
        return ComplierEffect(math.nan, math.nan, -math.inf, math.inf, 0.0, 0.0, "anderson_rubin")
    effect = itt / compliance
    error = math.sqrt(max(v_y - 2 * effect * v_yd + effect**2 * v_d, 0.0)) / abs(compliance)
    first_stage_f = compliance**2 / v_d if v_d > 0 else math.inf
    if first_stage_f >= LEAST_FIRST_STAGE_F:
        low, high = effect - z * error, effect + z * error
        return ComplierEffect(effect, error, low, high, compliance, first_stage_f, "delta")
    # (ITT − τc)² ≤ z²(V_y − 2τV_yd + τ²V_d), as aτ² − 2bτ + k ≤ 0
    a, b, k = compliance**2 - z**2 * v_d, itt * compliance - z**2 * v_yd, itt**2 - z**2 * v_y
    low, high = -math.inf, math.inf
    if a > 0:  # bounded; the estimate itself is never rejected, so there are roots
        root = math.sqrt(max(b**2 - a * k, 0.0))
        low, high = (b - root) / a, (b + root) / a
    return ComplierEffect(effect, error, low, high, compliance, first_stage_f, "anderson_rubin")


@dataclass(frozen=True, slots=True)
class PitchRates:
    """Shares of the arms' units that were pitched to, and whether the arms differ so much that it is an alarm."""

    rates: tuple[float, ...]
    largest_difference: float
    p_value: float
    alarm: bool


def compare_pitch_rates(arms: Sequence[ArmTotals], alpha: float = 0.001, least_difference: float = 0.02) -> PitchRates:
    """Return the rates of arms whose second variable is pitched (0 or 1), and the χ² test that they are all one.

    An alarm needs both p < `alpha` and rates `least_difference` apart (a share, not relative): with millions of units
    every difference is significant, with few any difference is large. Arms without units do not count. For arms that
    agents should pitch alike; a control that nobody pitches is not among them.
    """
    from scipy.special import chdtrc

    units = np.array([arm.n for arm in arms if arm.n], dtype=np.float64)
    pitched = np.array([arm.sums[1] for arm in arms if arm.n])
    rates = pitched / units
    common = pitched.sum() / units.sum()
    apart = float(rates.max() - rates.min())
    statistic = float((units * (rates - common) ** 2).sum() / (common * (1 - common))) if apart > 0 else 0.0
    p_value = float(chdtrc(len(units) - 1, statistic)) if apart > 0 else 1.0
    return PitchRates(
        tuple(float(rate) for rate in rates), apart, p_value, p_value < alpha and apart >= least_difference
    )
