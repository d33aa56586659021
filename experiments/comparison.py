"""Two arms side by side: their means or ratios with variances, epoch by epoch and over all epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from experiments import proportions
from experiments.arm_totals import ArmTotals, FloatArray

NO_SLOPES: FloatArray = np.zeros(0)
"""The slopes of no covariates."""


class MetricKind(StrEnum):
    """What a metric averages: 0 or 1 of each unit, a number of each unit, or one sum over another."""

    BINARY = "binary"
    MEAN = "mean"
    RATIO = "ratio"

    @property
    def outcomes(self) -> int:
        """How many of the first variables of `ArmTotals` make the outcome."""
        return 2 if self is MetricKind.RATIO else 1


class Stratum(NamedTuple):
    """The totals of two arms in one epoch, in which the chances of assignment did not change."""

    control: ArmTotals
    treatment: ArmTotals

    @property
    def n(self) -> int:
        """Units in both arms."""
        return self.control.n + self.treatment.n


@dataclass(frozen=True, slots=True)
class Comparison:
    """The values of two arms over `n` units, the variances and covariance of these values, and Welch's df."""

    n: int
    control: float
    treatment: float
    control_variance: float
    treatment_variance: float
    covariance: float
    degrees_of_freedom: float

    @property
    def difference(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def variance(self) -> float:
        """The variance of the difference."""
        return max(self.control_variance + self.treatment_variance - 2 * self.covariance, 0.0)


def counts(strata: Sequence[Stratum]) -> tuple[FloatArray, FloatArray]:
    """Return successes and units (strata, 2) of a binary metric, control first."""
    successes = [[arm.sums[0] for arm in stratum] for stratum in strata]
    units = [[arm.n for arm in stratum] for stratum in strata]
    return np.array(successes, dtype=np.float64), np.array(units, dtype=np.float64)


def influence(arm: ArmTotals, kind: MetricKind, slopes: FloatArray) -> FloatArray:
    """Return the weights (d,) of the variables in what one unit adds to the arm's value, around its mean.

    1 for a mean; 1/x̄ and −R/x̄ for the ratio R = ȳ/x̄ (the delta method: Deng, Knoblich, Lu 2018); −θ for
    covariates with `slopes` θ (c,).
    """
    weights = np.zeros(len(arm.sums))
    if kind is MetricKind.RATIO:
        below = arm.means[1]
        weights[:2] = (1 / below, -arm.means[0] / below**2) if below else np.nan
    else:
        weights[0] = 1.0
    weights[kind.outcomes : kind.outcomes + len(slopes)] = -slopes
    return weights


def compare(stratum: Stratum, kind: MetricKind, slopes: FloatArray = NO_SLOPES) -> Comparison:
    """Return the arms' values in one epoch, adjusted for the covariates that have `slopes` (c,).

    Means have the degrees of freedom of Welch 1947, eq. 28. Shares have p(1−p)/n and the normal distribution; where
    counts are small, the variances of `proportions.cautious_variances`. An adjusted value is taken to the covariates'
    mean over both arms, with which both values move: hence their covariance, which matters to relative effects.
    """
    covariates = slice(kind.outcomes, kind.outcomes + len(slopes))
    centre = (stratum.control.sums + stratum.treatment.sums)[covariates] / stratum.n
    values, spreads, shared = [], [], []
    for arm in stratum:
        weights = influence(arm, kind, slopes)
        values.append(_value(arm, kind) - float(slopes @ (arm.means[covariates] - centre)))
        spreads.append(max(float(weights @ arm.covariances @ weights), 0.0) / arm.n)
        shared.append(float(slopes @ (arm.covariances @ weights)[covariates]) / stratum.n)
    degrees = welch(spreads, [arm.n - 1 for arm in stratum])
    if kind is MetricKind.BINARY and not len(slopes):
        successes, units = counts([stratum])
        is_small = proportions.has_small_counts(successes, units)
        spreads = (proportions.cautious_variances if is_small else proportions.variances)(successes, units)[0].tolist()
        degrees = np.inf
    centred = sum(arm.n * float(slopes @ arm.covariances[covariates, covariates] @ slopes) for arm in stratum)
    centred /= stratum.n**2
    control, treatment = (spread + centred + 2 * along for spread, along in zip(spreads, shared, strict=True))
    return Comparison(stratum.n, values[0], values[1], control, treatment, centred + sum(shared), degrees)


def stratify(comparisons: Sequence[Comparison]) -> Comparison:
    """Return the comparison over epochs: values within each epoch, averaged with the epochs' shares of units.

    Units of epochs with different chances of assignment are never pooled, for then the arms would differ in when their
    units came (Simpson's paradox). Weighting by size (post-stratification: Miratrix, Sekhon, Yu 2013, eq. 2) keeps the
    effect on the average unit even if the effect changes over time; inverse variances would be a little narrower if it
    does not, but they weigh a binary metric's epochs by what came out.
    """
    total = sum(one.n for one in comparisons)
    weights = np.array([one.n / total for one in comparisons])

    def averaged(name: str, power: int) -> float:
        return float(weights**power @ [getattr(one, name) for one in comparisons])

    spreads = [weight**2 * one.variance for weight, one in zip(weights, comparisons, strict=True)]
    return Comparison(
        n=total,
        control=averaged("control", 1),
        treatment=averaged("treatment", 1),
        control_variance=averaged("control_variance", 2),
        treatment_variance=averaged("treatment_variance", 2),
        covariance=averaged("covariance", 2),
        degrees_of_freedom=welch(spreads, [one.degrees_of_freedom for one in comparisons]),
    )


def welch(variances: Sequence[float], degrees: Sequence[float]) -> float:
    """Return the degrees of freedom of a sum of estimated variances (Satterthwaite 1946, eq. 17)."""
    below = sum(variance**2 / df for variance, df in zip(variances, degrees, strict=True))
    return sum(variances) ** 2 / below if below > 0 else np.inf


def _value(arm: ArmTotals, kind: MetricKind) -> float:
    if kind is MetricKind.RATIO:
        return float(arm.means[0] / arm.means[1]) if arm.means[1] else np.nan
    return float(arm.means[0])
