"""What is special about shares of units: their variances, the pooled test, and intervals for small counts."""

import numpy as np

from experiments.arm_totals import FloatArray

SMALL_COUNT = 10
"""Below it, of successes or of failures in an arm, a normal interval around the difference misleads."""


def has_small_counts(successes: FloatArray, units: FloatArray) -> bool:
    """Say whether any arm has fewer than `SMALL_COUNT` successes or failures."""
    return bool(np.any(np.minimum(successes, units - successes) < SMALL_COUNT))


def variances(successes: FloatArray, units: FloatArray) -> FloatArray:
    """Return the variance of each arm's share, for the unpooled standard error: p(1−p)/n."""
    shares = successes / units
    return np.asarray(shares * (1 - shares) / units)


def cautious_variances(successes: FloatArray, units: FloatArray) -> FloatArray:
    """Return variances that do not vanish without any success: one success and one failure are added.

    Agresti, Caffo 2000, section 3.
    """
    return variances(successes + 1, units + 2)


def pooled_p_value(successes: FloatArray, units: FloatArray) -> float:
    """Return the two-sided p-value of equal shares, from (strata, 2) counts, control first.

    The variance under the hypothesis is p̄(1−p̄)(1/n_T + 1/n_C) (Fleiss, Levin, Paik 2003, section 3.1); strata weigh as
    in `comparison.stratify`.
    """
    from scipy.special import ndtr

    weights = _weights(units)
    shares = successes / units
    common = successes.sum(axis=1) / units.sum(axis=1)
    variance = float(weights**2 @ (common * (1 - common) * (1 / units).sum(axis=1)))
    difference = float(weights @ (shares[:, 1] - shares[:, 0]))
    return float(2 * ndtr(-abs(difference) / np.sqrt(variance))) if variance > 0 else 1.0


def wilson(successes: FloatArray, units: FloatArray, z: float) -> tuple[FloatArray, FloatArray]:
    """Return the score interval of each share, `z` standard errors wide (Wilson 1927)."""
    shares = successes / units
    middle = shares + z**2 / (2 * units)
    half = z * np.sqrt(shares * (1 - shares) / units + z**2 / (4 * units**2))
    scale = 1 + z**2 / units
    return (middle - half) / scale, (middle + half) / scale


def newcombe(successes: FloatArray, units: FloatArray, z: float) -> tuple[float, float]:
    """Return the interval of the difference of shares, treatment minus control, from (strata, 2) counts.

    Newcombe 1998, method 10: each arm's distance to its score limit takes the place of its standard error. Over
    strata the distances add up as variances do (Zou, Huang, Zhang 2009).
    """
    shares, weights = successes / units, _weights(units)
    low, high = wilson(successes, units, z)
    below, above = (shares - low) ** 2, (high - shares) ** 2
    difference = float(weights @ (shares[:, 1] - shares[:, 0]))
    down = float(np.sqrt(weights**2 @ (below[:, 1] + above[:, 0])))
    up = float(np.sqrt(weights**2 @ (above[:, 1] + below[:, 0])))
    return difference - down, difference + up


def _weights(units: FloatArray) -> FloatArray:
    return np.asarray(units.sum(axis=1) / units.sum())
