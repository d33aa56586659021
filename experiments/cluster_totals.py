"""Two arms side by side when units come in clusters: the same values as without, with cluster-robust variances."""

from dataclasses import dataclass, replace

import numpy as np

from experiments.arm_totals import FloatArray
from experiments.clusters import clustered_difference
from experiments.comparison import Comparison, MetricKind, Stratum, influence


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTotals:
    """Units (G, arms) and sums of d variables (G, arms, d) in each cluster; variables as in `ArmTotals`."""

    counts: FloatArray
    sums: FloatArray

    def pair(self, control: int, treatment: int) -> "ClusterTotals":
        """Return the totals of two arms, control first."""
        return ClusterTotals(self.counts[:, [control, treatment]], self.sums[:, [control, treatment]])

    def __add__(self, other: "ClusterTotals") -> "ClusterTotals":
        """Return the totals of other units of the same clusters, each in its row; either may lack the last rows."""
        most, least = (self, other) if len(self.counts) >= len(other.counts) else (other, self)
        counts, sums = most.counts.copy(), most.sums.copy()
        counts[: len(least.counts)] += least.counts
        sums[: len(least.counts)] += least.sums
        return ClusterTotals(counts, sums)


def with_clusters(
    comparison: Comparison, clusters: ClusterTotals, stratum: Stratum, kind: MetricKind, slopes: FloatArray | None
) -> Comparison:
    """Return the comparison of one epoch with variances of its values that are robust to `clusters` of two arms.

    What units add to each arm's value, around its mean, is added up by cluster; `clustered_difference` gives the
    variance of such sums, and those of both values and of their difference also give the covariance, for an agent's
    customers may be in both arms.
    """
    theta = np.zeros(0) if slopes is None else slopes
    covariates = slice(kind.outcomes, kind.outcomes + len(theta))
    units = np.array([arm.n for arm in stratum], dtype=np.float64)
    means = np.stack([arm.means for arm in stratum])
    weights = np.stack([influence(arm, kind, theta) for arm in stratum])
    deviations = clusters.sums - clusters.counts[:, :, None] * means
    centre = deviations[:, :, covariates].sum(axis=1) @ theta / stratum.n
    control, treatment = (np.einsum("gkd,kd->gk", deviations, weights) / units + centre[:, None]).T

    def variance(added: FloatArray) -> float:
        sums = np.stack([np.zeros_like(added), added * units[1]], axis=1)
        return clustered_difference(clusters.counts, sums)[1] ** 2

    spreads = variance(control), variance(treatment)
    return replace(
        comparison,
        control_variance=spreads[0],
        treatment_variance=spreads[1],
        covariance=(sum(spreads) - variance(treatment - control)) / 2,
        degrees_of_freedom=clustered_difference(clusters.counts, clusters.sums[:, :, 0])[2],
    )
