"""How many units a campaign needs to find an effect, and which effect a number of units can find."""

import math
from dataclasses import dataclass

from experiments import sequential
from experiments.comparison import MetricKind


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """What a campaign measures, and how surely it should find an effect.

    `allocation` are the arms' shares, control first. `standard_deviation` is a mean's, equal in all arms; a share has
    √(p(1−p)) of its own in each. `correlation` is the outcome's with the CUPED covariate; units come `cluster_size` to
    a cluster, alike by `intracluster_correlation`; of the treated, the share `compliance` is really treated.
    """

    kind: MetricKind
    baseline: float
    standard_deviation: float = math.nan
    allocation: tuple[float, ...] = (0.5, 0.5)
    alpha: float = 0.05
    power: float = 0.8
    correlation: float = 0.0
    cluster_size: float = 1.0
    intracluster_correlation: float = 0.0
    compliance: float = 1.0

    @property
    def factor(self) -> float:
        """How many times the plain number of units is needed.

        (1−ρ²) for CUPED (Deng et al. 2013), 1+(m̄−1)·ICC for clusters (Kish 1965, eq. 5.4.1), 1/c² for non-compliance
        (Lachin 1981).
        """
        design_effect = 1 + (self.cluster_size - 1) * self.intracluster_correlation
        return (1 - self.correlation**2) * design_effect / self.compliance**2


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Units by arm, control first, and over all arms."""

    arms: tuple[int, ...]
    total: int


def sample_size(plan: PowerPlan, effect: float, inflation: float = 1.0) -> SampleSize:
    """Return the units with which the absolute `effect` is found; `sequential.inflation` makes it so at any look.

    n_T = (z_{1−α/2} + z_power)²(σ²_T + σ²_C/κ)/Δ², κ = n_C/n_T (Chow, Shao, Wang, Lokhnygina 2017, section 3.2), for
    the treatment that needs most, and the other arms by their shares.
    """
    shares = [share / sum(plan.allocation) for share in plan.allocation]
    multiple = _z(plan) ** 2 * plan.factor * inflation / effect**2
    total = multiple * max(_unit_variance(plan, effect, share, shares[0]) for share in shares[1:])
    arms = tuple(_up(total * share) for share in shares)
    return SampleSize(arms, sum(arms))


def smallest_effect(plan: PowerPlan, total: float, inflation: float = 1.0) -> float:
    """Return the smallest increase found with `total` units over all arms; infinite where there is none."""
    from scipy.optimize import brentq

    shares = [share / sum(plan.allocation) for share in plan.allocation]
    multiple = _z(plan) ** 2 * plan.factor * inflation / total

    def lacking(effect: float) -> float:
        return multiple * max(_unit_variance(plan, effect, share, shares[0]) for share in shares[1:]) - effect**2

    if plan.kind is not MetricKind.BINARY:
        return math.sqrt(lacking(0.0))
    most = 1 - plan.baseline
    return float(brentq(lacking, 0.0, most)) if lacking(most) < 0 else math.inf


def sequential_inflation(plan: PowerPlan) -> float:
    """Return how many times more units always-valid intervals need for the same power at the planned end."""
    return sequential.inflation(plan.alpha, plan.power)


def _z(plan: PowerPlan) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - plan.alpha / 2) + ndtri(plan.power))


def _unit_variance(plan: PowerPlan, effect: float, treatment: float, control: float) -> float:
    """The difference's variance, times the units over all arms, of which the two arms get these shares."""
    if plan.kind is MetricKind.BINARY:
        share = plan.baseline + effect
        return share * (1 - share) / treatment + plan.baseline * (1 - plan.baseline) / control
    return plan.standard_deviation**2 * (1 / treatment + 1 / control)


def _up(units: float) -> int:
    """The next whole unit, except for what rounding adds."""
    return math.ceil(units - 1e-9 * units)
