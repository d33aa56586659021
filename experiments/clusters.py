"""Differences of means when units come in clusters, such as the customers of one agent: one way and two ways."""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.arm_totals import FloatArray


def clustered_difference(counts: FloatArray, sums: FloatArray) -> tuple[float, float, float]:
    """Return treatment's mean minus control's, its cluster-robust standard error and the degrees of freedom.

    `counts` and `sums` (G, 2) hold units and their outcomes by cluster and arm, control first; clusters without units
    do not count. CR1: G/(G−1)·(N−1)/(N−2)·Σψ², ψ the summed influence of a cluster (Liang, Zeger 1986; Cameron,
    Miller 2015, section II), to be read with t and G−2 degrees of freedom. NaN below three clusters or in an empty arm.
    """
    present = counts.sum(axis=1) > 0
    estimate, variance = _difference(counts[present], sums[present])
    return estimate, math.sqrt(variance), float(present.sum() - 2)


def two_way_difference(
    customers: NDArray[np.intp], agents: NDArray[np.intp], counts: FloatArray, sums: FloatArray
) -> tuple[float, float, float]:
    """Return the same for units that are clustered by customer and by agent, who do not lie within each other.

    Each of the lines holds the `counts` and `sums` (n, 2) by arm of some units that one customer (n,) has with one
    agent (n,), numbered from 0. V = V_customer + V_agent − V_both, each CR1 (Cameron, Gelbach, Miller 2011); degrees of
    freedom by the smaller number of clusters. V may be negative in small samples, as they say: where it is not
    positive, the larger of V_customer and V_agent stands for it.
    """
    pairs = np.unique(np.stack([customers, agents]), axis=1, return_inverse=True)[1].ravel()
    totals = [_totals(groups, counts, sums) for groups in (customers, agents, pairs)]
    (estimate, by_customer), (_, by_agent), (_, by_pair) = (_difference(*total) for total in totals)
    variance = by_customer + by_agent - by_pair
    if variance <= 0:
        variance = max(by_customer, by_agent)
    return estimate, math.sqrt(variance), float(min(len(totals[0][0]), len(totals[1][0])) - 2)


def _difference(counts: FloatArray, sums: FloatArray) -> tuple[float, float]:
    """Return the difference of means and its CR1 variance over clusters (G, 2) of which none is empty."""
    clusters, units = len(counts), counts.sum(axis=0)
    if not units.all():
        return math.nan, math.nan
    means = sums.sum(axis=0) / units
    if clusters < 3:
        return float(means[1] - means[0]), math.nan
    influences = ((sums - counts * means) / units) @ np.array([-1.0, 1.0])
    total = units.sum()
    correction = clusters / (clusters - 1) * (total - 1) / (total - 2)
    return float(means[1] - means[0]), float(correction * (influences @ influences))


def _totals(groups: NDArray[np.intp], counts: FloatArray, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return counts and sums (G, 2) of the groups that have units, from those of their lines (n, 2)."""
    counted, summed = (
        np.stack([np.bincount(groups, column) for column in table.T], axis=1) for table in (counts, sums)
    )
    present = counted.sum(axis=1) > 0
    return counted[present], summed[present]
