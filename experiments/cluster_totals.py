"""Two arms side by side when units come in clusters: the same values as without, with cluster-robust variances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.arm_totals import FloatArray
from experiments.clusters import clustered_difference
from experiments.comparison import Comparison, MetricKind, Stratum, influence


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTotals:
    """Units (G, arms) and sums of d variables (G, arms, d) in one epoch's clusters; variables as in `ArmTotals`.

    Over epochs a cluster keeps its row.
    """

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
    comparison: Comparison,
    strata: Sequence[Stratum],
    clusters: Sequence[ClusterTotals],
    kind: MetricKind,
    slopes: Sequence[FloatArray],
) -> Comparison:
    """Return the comparison over epochs with variances of its values that are robust to clusters of both arms.

    Each of the `strata` has its `clusters` and its `slopes`. What units add to each arm's value, around its mean, is
    added up by cluster, over epochs with the epochs' shares of units. `clustered_difference` gives the variance of such
    sums; those of both values and of their difference also give the covariance, for an agent's customers may be in both
    arms.
    """
    counts = np.sum([totals.counts for totals in clusters], axis=0)
    added = [
        stratum.n / comparison.n * _added(stratum, totals, kind, theta)
        for stratum, totals, theta in zip(strata, clusters, slopes, strict=True)
    ]
    control, treatment = np.sum(added, axis=0)

    def variance(added: FloatArray) -> tuple[float, float]:
        sums = np.stack([np.zeros_like(added), added * counts[:, 1].sum()], axis=1)
        _, error, degrees = clustered_difference(counts, sums)
        return error**2, degrees

    (of_control, _), (of_treatment, _) = variance(control), variance(treatment)
    of_difference, degrees = variance(treatment - control)
    return replace(
        comparison,
        control_variance=of_control,
        treatment_variance=of_treatment,
        covariance=(of_control + of_treatment - of_difference) / 2,
        degrees_of_freedom=degrees,
    )


def _added(stratum: Stratum, clusters: ClusterTotals, kind: MetricKind, slopes: FloatArray) -> FloatArray:
    """Return what each cluster adds to control's and to treatment's value (2, G) of one epoch."""
    covariates = slice(kind.outcomes, kind.outcomes + len(slopes))
    units = np.array([arm.n for arm in stratum], dtype=np.float64)
    means = np.stack([arm.means for arm in stratum])
    weights = np.stack([influence(arm, kind, slopes) for arm in stratum])
    deviations = clusters.sums - clusters.counts[:, :, None] * means
    centre = deviations[:, :, covariates].sum(axis=1) @ slopes / stratum.n
    return np.asarray((np.einsum("gkd,kd->gk", deviations, weights) / units + centre[:, None]).T)
