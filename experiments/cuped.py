"""CUPED: outcomes are adjusted for what was known of the units before the campaign, which narrows the intervals."""

import numpy as np

from experiments.arm_totals import FloatArray
from experiments.comparison import NO_SLOPES, Comparison, MetricKind, Stratum, influence


def slopes(stratum: Stratum, kind: MetricKind, covariates: int) -> FloatArray:
    """Return θ (c,), the slopes of the outcome on the `covariates`, which are variables c after the outcome.

    θ = Cov(X, X)⁻¹Cov(X, Y) (Deng, Xu, Kohavi, Walker 2013, section 3.2; ratios through the delta method: their
    appendix B), with the covariances within the arms pooled over both: the least-squares slopes of outcomes on arm and
    covariates. Within the arms, so that the effect itself does not tilt them. A covariate that is constant, or follows
    from others, gets what the pseudo-inverse gives it.
    """
    places = slice(kind.outcomes, kind.outcomes + covariates)
    width = len(stratum.control.sums)
    within, along = np.zeros((covariates, covariates)), np.zeros(covariates)
    for arm in stratum:
        spread = (arm.n - 1) * arm.covariances
        within += spread[places, places]
        along += spread[places, :width] @ influence(arm, kind, NO_SLOPES)
    scale = np.sqrt(np.maximum(np.diag(within), 0.0))
    scale[scale == 0] = 1.0
    inverse = np.linalg.pinv(within / np.outer(scale, scale), rcond=1e-10, hermitian=True)
    return np.asarray(inverse @ (along / scale) / scale)


def variance_reduction(raw: Comparison, adjusted: Comparison) -> float:
    """Return the share of the effect's variance that the adjustment takes away: ρ² with one covariate."""
    return 1 - adjusted.variance / raw.variance if raw.variance > 0 else 0.0


def prepared(values: FloatArray) -> list[FloatArray]:
    """Return a covariate (n,) as columns that `slopes` can use: centred and, where values are missing, with their mean.

    A second column then says where they are missing, which keeps the adjustment valid whatever the reason is (Zhao,
    Ding 2024). Missing is not a number.
    """
    is_missing = np.isnan(values)
    centre = values[~is_missing].mean() if not is_missing.all() else 0.0
    columns = [np.where(is_missing, 0.0, values - centre)]
    return [*columns, is_missing.astype(np.float64)] if is_missing.any() else columns
