"""Differences of means when units come in clusters, such as the customers of one agent."""

import math

import numpy as np

from experiments.arm_totals import FloatArray


def clustered_difference(counts: FloatArray, sums: FloatArray) -> tuple[float, float, float]:
    """Return treatment's mean minus control's, its cluster-robust standard error and the degrees of freedom.

    `counts` and `sums` (G, 2) hold units and their outcomes by cluster and arm, control first; clusters without units
    do not count. CR1: G/(G−1)·(N−1)/(N−2)·Σψ², ψ the summed influences of a cluster (Liang, Zeger 1986; Cameron,
    Miller 2015, eq. 11–12), to be read with t and G−2 degrees of freedom. NaN below three clusters or in an empty arm.
    """
    present = counts.sum(axis=1) > 0
    counts, sums = counts[present], sums[present]
    clusters, units = len(counts), counts.sum(axis=0)
    if clusters < 3 or not units.all():
        return math.nan, math.nan, float(clusters - 2)
    means = sums.sum(axis=0) / units
    influences = ((sums - counts * means) / units) @ np.array([-1.0, 1.0])
    total = units.sum()
    correction = clusters / (clusters - 1) * (total - 1) / (total - 2)
    return float(means[1] - means[0]), math.sqrt(correction * (influences @ influences)), float(clusters - 2)
