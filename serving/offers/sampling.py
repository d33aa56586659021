"""How far a figure of a sample may lie from the same figure of all customers."""

import math
from statistics import NormalDist

import numpy as np

from serving.offers.what_if_schemas import IntervalBody

Z = NormalDist().inv_cdf(0.975)


def share_interval(value: float, units: int, drawn: float) -> IntervalBody:
    """Return a share of `units` customers, which are `drawn` (a share) of all there are, with its 95 % interval.

    Drawing without replacement leaves only the part that was not drawn to chance: that counts as more units
    (Cochran 1977, section 2.5), and a sample of everybody has no error.
    """
    from experiments.proportions import wilson

    if not units or drawn >= 1:
        return IntervalBody(value=value, low=value, high=value)
    counted = np.array([units / (1 - drawn)])
    low, high = wilson(value * counted, counted, Z)
    return IntervalBody(value=value, low=max(float(low[0]), 0.0), high=min(float(high[0]), 1.0))


def change_interval(value: float, standard_error: float, drawn: float) -> IntervalBody:
    """Return a mean change with its 95 % interval; a sample of everybody has no error."""
    half = Z * standard_error * math.sqrt(max(1 - drawn, 0.0))
    return IntervalBody(value=value, low=value - half, high=value + half)
