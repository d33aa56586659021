"""Whom a campaign moves: doubly robust scores, effects by segment, and what a ranking by predicted uplift is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.arm_totals import FloatArray
from recsys.evaluation.intervals import Interval, bootstrap_statistics

_SHARES = np.linspace(0.0, 1.0, 51)
_PENALTY = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class UpliftScores:
    """Of each unit: its doubly robust `score` (n,), whose mean is the effect, and the `rank` (n,) of its uplift, 0–1.

    The highest rank has the most uplift, predicted from earlier folds alone; units of the first fold have none: NaN.
    """

    score: FloatArray
    rank: FloatArray


def uplift_scores(
    features: FloatArray,
    treated: NDArray[np.bool_],
    outcomes: FloatArray,
    propensities: FloatArray,
    rng: np.random.Generator,
    folds: int = 5,
) -> UpliftScores:
    """Return the scores of units with `features` (n, p), no NaN, from the logged `propensities` (n,) of treatment.

    Γ = μ₁ − μ₀ + T(Y − μ₁)/e − (1 − T)(Y − μ₀)/(1 − e) (Robins, Rotnitzky, Zhao 1994); μ are ridge regressions by arm
    on the other folds (Chernozhukov et al. 2018). As e is known, Γ is unbiased however wrong μ is. The rank within the
    fold is that of μ₁ − μ₀ fitted on the folds before it: were it fitted on all others, folds would rank each other by
    one and the same noise, and a ranking without worth would look good or bad too often (Wager 2024). Raises ValueError
    for a propensity of 0 or 1, or an arm with fewer than two units a fold.
    """
    from scipy.stats import rankdata

    if not ((propensities > 0) & (propensities < 1)).all():
        raise ValueError("Every unit needs a logged propensity between 0 and 1; leave out those that had no choice.")
    if min(treated.sum(), (~treated).sum()) < 2 * folds:
        raise ValueError(f"Each arm needs at least {2 * folds} units for {folds} folds.")
    fold = np.empty(len(outcomes), dtype=np.intp)
    for arm in (treated, ~treated):
        fold[arm] = rng.permutation(int(arm.sum())) % folds
    arms = _Arms(features, treated, outcomes, np.where(treated, propensities, 1 - propensities))
    expected, rank = np.empty((2, len(outcomes))), np.full(len(outcomes), np.nan)
    for number in range(folds):
        own, earlier = fold == number, fold < number
        expected[:, own] = arms.expected(~own, own)
        if number > 0:
            control, treatment = arms.expected(earlier, own)
            rank[own] = (rankdata(treatment - control) - 0.5) / own.sum()
    residuals = outcomes - np.where(treated, expected[1], expected[0])
    correction = np.where(treated, 1, -1) * residuals / arms.propensities
    return UpliftScores(expected[1] - expected[0] + correction, rank)


@dataclass(frozen=True, slots=True, eq=False)
class _Arms:
    """The units, with the `propensities` (n,) of the arms they are in."""

    features: FloatArray
    treated: NDArray[np.bool_]
    outcomes: FloatArray
    propensities: FloatArray

    def expected(self, learned: NDArray[np.bool_], asked: NDArray[np.bool_]) -> FloatArray:
        """Return the outcomes (2, m) of the units `asked` (n,) in control and in treatment, from those `learned` (n,).

        Each arm is weighted to stand for all units: the difference is then the best linear prediction of the effect
        even where outcomes curve and the arms' units differ.
        """
        both = []
        for arm in (~self.treated, self.treated):
            own = arm & learned
            weights = 1 / self.propensities[own]
            both.append(_ridge(self.features[own], self.outcomes[own], weights, self.features[asked]))
        return np.stack(both)


def _ridge(features: FloatArray, outcomes: FloatArray, weights: FloatArray, others: FloatArray) -> FloatArray:
    """Return the outcomes (m,) expected of `others` (m, p) by weighted ridge regression on standardised columns."""
    weights = weights / weights.mean()
    centre, mean = np.average(features, axis=0, weights=weights), np.average(outcomes, weights=weights)
    spread = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weights))
    spread = np.where(spread > 0, spread, 1.0)
    table = (features - centre) / spread
    weighted = table * weights[:, None]
    slopes = np.linalg.solve(weighted.T @ table + _PENALTY * np.eye(table.shape[1]), weighted.T @ (outcomes - mean))
    return np.asarray(mean + (others - centre) / spread @ slopes)


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """The mean effect among the `units` of a segment, with its standard error and interval."""

    segment: str
    units: int
    effect: float
    standard_error: float
    low: float
    high: float


def segment_effects(score: FloatArray, segments: Sequence[str], alpha: float = 0.05) -> list[SegmentEffect]:
    """Return the effect by segment from doubly robust scores (n,) and the units' segments (n,), sorted by name.

    Intervals are two-sided at `alpha`, one by one; with many segments some will miss: see `heterogeneity_p`.
    """
    from scipy.special import stdtrit

    names, places = np.unique(np.asarray(segments), return_inverse=True)
    rows = []
    for place, name in enumerate(names):
        own = score[places == place]
        effect = float(own.mean())
        error = float(own.std(ddof=1) / np.sqrt(len(own))) if len(own) > 1 else np.nan
        reach = float(stdtrit(max(len(own) - 1, 1), 1 - alpha / 2)) * error
        rows.append(SegmentEffect(str(name), len(own), effect, error, effect - reach, effect + reach))
    return rows


def heterogeneity_p(effects: Sequence[SegmentEffect]) -> float:
    """Return the p-value of all segments having one effect: Cochran's Q (1954), χ² with a degree less than segments.

    Segments without a positive standard error do not count; 1 when fewer than two are left.
    """
    from scipy.special import chdtrc

    known = [(row.effect, row.standard_error) for row in effects if row.standard_error > 0]
    if len(known) < 2:
        return 1.0
    values, errors = np.array(known).T
    weights = 1 / errors**2
    common = (weights @ values) / weights.sum()
    return float(chdtrc(len(known) - 1, weights @ (values - common) ** 2))


@dataclass(frozen=True, slots=True, eq=False)
class Qini:
    """What treating the units of highest rank first brings, with bootstrap intervals (95 %).

    `gains` (51,) per unit of all, by `shares` treated (51,), between `low` and `high` point by point; the
    `coefficient` is the area between the curve and treating at random; `uplift_at` the mean effect in the top share.
    """

    shares: FloatArray
    gains: FloatArray
    low: FloatArray
    high: FloatArray
    coefficient: Interval
    uplift_at: dict[float, Interval]


def qini(
    score: FloatArray,
    rank: FloatArray,
    rng: np.random.Generator,
    top_shares: Sequence[float] = (0.1, 0.2, 0.3),
    resamples: int = 500,
) -> Qini:
    """Return the Qini curve of treating by `rank` (n,), the highest first; those without a rank, NaN, do not count.

    A rank may not have seen the outcome behind its doubly robust `score` (n,). Radcliffe's (2007) curve with
    scores in the place of outcomes, so that propensities may vary: a rank-weighted average effect (Yadlowsky et al.
    2025). Units of equal rank are treated in random order. The bootstrap draws units and keeps the ranking.
    """
    ranked = np.flatnonzero(np.isfinite(rank))
    order = ranked[np.argsort(-rank[ranked], kind="stable")]
    gained = score[order]
    ends = np.flatnonzero(np.append(np.diff(rank[order]) != 0, True))

    def statistic(times: FloatArray | None) -> dict[str, float]:
        counts = np.ones(len(gained)) if times is None else times
        shares = np.append(0.0, np.cumsum(counts)[ends] / counts.sum())
        gains = np.append(0.0, np.cumsum(counts * gained)[ends] / counts.sum())
        area = float(np.trapezoid(gains, shares) - gains[-1] / 2)
        tops = np.interp(top_shares, shares, gains) / np.asarray(top_shares)
        figures = [area, *tops, *np.interp(_SHARES, shares, gains)]
        return {str(place): float(figure) for place, figure in enumerate(figures)}

    found = list(bootstrap_statistics(statistic, np.arange(len(gained)), rng, resamples).values())
    coefficient, tops, curve = found[0], found[1 : 1 + len(top_shares)], found[1 + len(top_shares) :]
    gains, low, high = np.array([[point.mean, point.low, point.high] for point in curve]).T
    return Qini(_SHARES, gains, low, high, coefficient, dict(zip(top_shares, tops, strict=True)))
