"""The chance that a treatment is better than the control, and what is lost on average if it is chosen and is not."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from experiments.arm_totals import FloatArray


@dataclass(frozen=True, slots=True)
class ChanceToWin:
    """`risk` is the expected loss of choosing the treatment, in the metric's unit per unit."""

    chance_to_win: float
    risk: float


def normal_chance(difference: float, variance: float) -> ChanceToWin:
    """Return the chance from the normal posterior of the difference under a flat prior.

    P(δ > 0) = Φ(d/s); E max(−δ, 0) = s·φ(d/s) − d·Φ(−d/s) (Gelman et al. 2013, section 2.5; loss: Stucchio 2015).
    """
    from scipy.special import ndtr

    if variance <= 0:
        return ChanceToWin(0.5 if difference == 0 else float(difference > 0), max(-difference, 0.0))
    error = math.sqrt(variance)
    z = difference / error
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return ChanceToWin(float(ndtr(z)), max(error * density - difference * float(ndtr(-z)), 0.0))


def beta_chance(successes: FloatArray, units: FloatArray) -> ChanceToWin:
    """Return the chance from (2,) counts of successes and units, control first, under uniform priors.

    Each share has the posterior Beta(1+s, 1+n−s) (Gelman et al. 2013, section 2.4). P(T > C) = ∫f_T·F_C and
    E max(C − T, 0) = ∫F_T·(1−F_C), by Gauss–Legendre quadrature between the outermost 10⁻¹² of both.
    """
    from scipy.special import betainc, betaincinv, betaln, xlog1py, xlogy

    a, b = 1.0 + successes, 1.0 + units - successes
    low, high = betaincinv(a, b, 1e-12).min(), betaincinv(b, a, 1e-12).min()
    nodes, weights = _quadrature()
    half = (1 - high - low) / 2
    x = low + half * (nodes + 1)
    density = np.exp(xlogy(a[1] - 1, x) + xlog1py(b[1] - 1, -x) - betaln(a[1], b[1]))
    below_control, below_treatment = betainc(a[0], b[0], x), betainc(a[1], b[1], x)
    chance = half * float(weights @ (density * below_control))
    risk = half * float(weights @ (below_treatment * (1 - below_control)))
    return ChanceToWin(min(max(chance, 0.0), 1.0), max(risk, 0.0))


@cache
def _quadrature() -> tuple[FloatArray, FloatArray]:
    """Return the nodes and weights of Gauss–Legendre quadrature; a tenth of a second, so once is enough."""
    return np.polynomial.legendre.leggauss(400)
