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


def with_clusters(
    comparison: Comparison, clusters: ClusterTotals, stratum: Stratum, kind: MetricKind, slopes: FloatArray | None
) -> Comparison:
    """Return the comparison of one epoch with variances of its values that are robust to `clusters` of two arms.

    A value's influences are added up by cluster; what `clustered_difference` makes of both arms, and of each alone,
    gives both variances and the covariance, for an agent's customers may be in both arms.
    """
    theta = np.zeros(0) if slopes is None else slopes
    weights = np.stack([influence(arm, kind, theta) for arm in stratum])
    means = np.stack([arm.means for arm in stratum])
    deviations = np.einsum("gkd,kd->gk", clusters.sums - clusters.counts[:, :, None] * means, weights)
    variances = [
        clustered_difference(clusters.counts, deviations * np.array(kept))[1] ** 2 for kept in ((1, 0), (0, 1), (1, 1))
    ]
    control, treatment, both = variances
    shared = comparison.covariance
    return replace(
        comparison,
        control_variance=control + shared,
        treatment_variance=treatment + shared,
        covariance=(control + treatment - both) / 2 + shared,
        degrees_of_freedom=clustered_difference(clusters.counts, deviations)[2],
    )
