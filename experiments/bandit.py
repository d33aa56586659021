"""Thompson sampling in batches: chances of being best by quadrature, and frozen weights that are logged as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from experiments.arm_totals import ArmTotals, FloatArray

_BREAKS = np.linspace(-9, 9, 37)
"""Standard scores of the panels' ends; each posterior has its own, so that a narrow one is not overlooked."""

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, slots=True)
class BatchWeights:
    """The arms' weights from one update to the next; every assignment logs the version and all the weights it had.

    Customers of the fixed slice, a share `fixed_share` of all, are assigned by `fixed`, whatever the bandit learns, and
    the bandit learns nothing from them: they tell without bias what the arms, and the bandit itself, are worth.
    """

    version: int
    learning: tuple[float, ...]
    fixed: tuple[float, ...]
    fixed_share: float

    def is_fixed(self, place: float) -> bool:
        """Return whether a customer whose hash with the slice's own salt is `place` (0–1) is of the fixed slice."""
        return place < self.fixed_share

    def weights_of(self, place: float) -> tuple[float, ...]:
        """Return the weights (K,) by which the customer at `place` is assigned: all of them are to be logged."""
        return self.fixed if self.is_fixed(place) else self.learning


def next_weights(
    weights: BatchWeights, batches: Sequence[Sequence[ArmTotals]], floor: float, least_units: int = 30
) -> BatchWeights:
    """Return the next version of `weights`, from all batches' totals by arm of matured units outside the fixed slice.

    Higher outcomes are better. As long as an arm has fewer than `least_units`, or all outcomes are the same, the
    weights stay as they are and keep their version. Raises ValueError for a floor that K arms cannot all have.
    """
    means, errors = stratified_means(batches)
    units = np.sum([[arm.n for arm in batch] for batch in batches], axis=0)
    if units.min() < least_units or not (errors > 0).all():
        return weights
    learning = thompson_weights(normal_best(means, errors), floor)
    return BatchWeights(weights.version + 1, tuple(learning.tolist()), weights.fixed, weights.fixed_share)


def stratified_means(batches: Sequence[Sequence[ArmTotals]]) -> tuple[FloatArray, FloatArray]:
    """Return the arms' means and standard errors (K,), each batch weighing by its units, the same for all arms.

    Pooled means would credit an arm with the days on which it was shown most. Variances are the batch's own over all
    its arms, so that an arm without a success yet is not certain to be worthless. A batch in which an arm has no unit
    is left out; NaN when none is left.
    """
    whole = [batch for batch in batches if all(arm.n for arm in batch) and sum(arm.n - 1 for arm in batch) > 0]
    if not whole:
        nothing = np.full(len(batches[0]), np.nan)
        return nothing, nothing
    units = np.array([[arm.n for arm in batch] for batch in whole], dtype=np.float64)
    means = np.array([[arm.means[0] for arm in batch] for batch in whole])
    squares = np.array([[arm.products[0, 0] for arm in batch] for batch in whole])
    within = np.maximum(squares - units * means**2, 0.0).sum(axis=1) / (units - 1).sum(axis=1)
    shares = units.sum(axis=1) / units.sum()
    return shares @ means, np.sqrt(shares**2 @ (within[:, None] / units))


def normal_best(means: ArrayLike, standard_errors: ArrayLike) -> FloatArray:
    """Return P(arm is best) (K,) for normal posteriors with `means` (K,) and positive `standard_errors` (K,)."""
    from scipy.stats import norm

    return _best(norm(np.asarray(means)[:, None], np.asarray(standard_errors)[:, None]))


def beta_best(successes: ArrayLike, failures: ArrayLike) -> FloatArray:
    """Return P(arm has the highest rate) (K,) for posteriors Beta(1 + successes, 1 + failures), counts (K,)."""
    from scipy.stats import beta

    return _best(beta(1 + np.asarray(successes)[:, None], 1 + np.asarray(failures)[:, None]))


def thompson_weights(best: FloatArray, floor: float) -> FloatArray:
    """Return the arms' probabilities π = floor + (1 − K·floor)·P(best), (K,), which add up to 1.

    Drawing an arm by π is the same as drawing from the posteriors and taking the best (Thompson 1933), mixed with an
    arm at random in a share K·floor. Raises ValueError for a floor below 0 or above 1/K.
    """
    if not 0 <= floor * len(best) <= 1:
        raise ValueError(
            f"A floor of {floor} is not possible with {len(best)} arms; it lies from 0 to {1 / len(best)}."
        )
    return floor + (1 - floor * len(best)) * best


def _best(posteriors: Any) -> FloatArray:
    """Return ∫ f_k ∏_{j≠k} F_j by Gauss–Legendre on panels between the quantiles of all K frozen distributions."""
    from scipy.special import ndtr

    ends = np.where(_BREAKS <= 0, posteriors.ppf(ndtr(_BREAKS)), posteriors.isf(ndtr(-_BREAKS)))
    ends = np.unique(ends)
    half = np.diff(ends) / 2
    points = ((ends[:-1] + half)[:, None] + half[:, None] * _NODES).ravel()
    mass = posteriors.pdf(points) * (half[:, None] * _NODE_WEIGHTS).ravel()
    below = posteriors.cdf(points)
    others = np.array([np.delete(below, arm, axis=0).prod(axis=0) for arm in range(len(below))])
    best = (mass * others).sum(axis=1)
    return np.asarray(best / best.sum())
