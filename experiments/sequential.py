"""Intervals and p-values that hold however often one looks: asymptotic confidence sequences."""

import math

import numpy as np
from numpy.typing import ArrayLike

from experiments.arm_totals import FloatArray


def critical_value(n: ArrayLike, planned_n: float, alpha: float = 0.05) -> FloatArray:
    """Return how many standard errors the interval reaches to each side after `n` units (any shape).

    √(2(nρ²+1)/(nρ²)·ln(√(nρ²+1)/α)): Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024, theorem 2.2, whose width
    per √n is here in standard errors; the mixture is Robbins' (1970) and Howard, Ramdas, McAuliffe, Sekhon's (2021,
    eq. 14). All intervals of a campaign together cover with probability 1−α, for large n.
    """
    information = _information(n, planned_n, alpha)
    grown = information + 1
    return np.asarray(np.sqrt(2 * grown / information * (0.5 * np.log(grown) - math.log(alpha))))


def p_value(z: ArrayLike, n: ArrayLike, planned_n: float, alpha: float = 0.05) -> FloatArray:
    """Return min(1, 1/e) for estimates `z` standard errors from the hypothesis after `n` units (shapes broadcast).

    e = exp(ρ²nz²/(2(nρ²+1)))/√(nρ²+1), the mixture whose interval `critical_value` is: p ≤ α exactly where the interval
    leaves the hypothesis out. Over time take the `running_minimum` (Johari, Koomen, Pekelis, Walsh 2022).
    """
    information = _information(n, planned_n, alpha)
    log_e = information * np.square(z) / (2 * (information + 1)) - 0.5 * np.log(information + 1)
    return np.asarray(np.exp(-np.maximum(log_e, 0.0)))


def running_minimum(p_values: ArrayLike) -> FloatArray:
    """Return the smallest of the p-values so far, along the last axis: evidence once gained is not lost again."""
    return np.asarray(np.minimum.accumulate(np.asarray(p_values, dtype=np.float64), axis=-1))


def inflation(alpha: float, power: float) -> float:
    """Return how many times the units of a fixed test give the same power at the planned end.

    At the end the critical value does not depend on n, so it is ((c + z_β)/(z_{1−α/2} + z_β))²; a campaign that may
    stop as soon as the interval leaves 0 out ends earlier on average.
    """
    from scipy.special import ndtri

    reached, beyond = float(critical_value(1.0, 1.0, alpha)), float(ndtri(power))
    return ((reached + beyond) / (float(ndtri(1 - alpha / 2)) + beyond)) ** 2


def _information(n: ArrayLike, planned_n: float, alpha: float) -> FloatArray:
    """nρ², with ρ² = (−2 ln α + ln(−2 ln α + 1))/planned_n, the authors' approximation of the narrowest there."""
    doubled = -2 * math.log(alpha)
    return np.asarray(n, dtype=np.float64) * ((doubled + math.log(doubled + 1)) / planned_n)
