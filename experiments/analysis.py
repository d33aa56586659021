"""The read-out of an experiment: from the arms' totals to the split check and each treatment's effects."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from experiments import bayes, cuped, multiplicity, proportions
from experiments.arm_totals import ArmTotals
from experiments.cluster_totals import ClusterTotals, with_clusters
from experiments.comparison import Comparison, MetricKind, Stratum, compare, counts, stratify
from experiments.effects import absolute_effect, difference_of_shares, relative_effect
from experiments.estimate import Estimate, Plan, json_values
from experiments.srm import Split, SplitCheck, check_splits

LEAST_UNITS = 2
"""Below it an arm has no variance."""
FEW_CLUSTERS = 30
"""Below it cluster-robust intervals are too narrow (Cameron, Miller 2015, section VI)."""
ATTRITION_ALPHA = 0.001
"""The level at which arms whose outcomes are missing at different rates are called so, as for the split."""


@dataclass(frozen=True, slots=True, eq=False)
class MetricTotals:
    """A metric's totals by arm in each epoch; variables as in `ArmTotals`, the last `covariates` of them covariates.

    Where units come in clusters, `clusters` has those of each epoch, and `arms` names the arms of its columns.
    `left_out` counts units by arm whose outcome is not known.
    """

    name: str
    kind: MetricKind
    epochs: Sequence[Mapping[str, ArmTotals]]
    covariates: int = 0
    clusters: Sequence[ClusterTotals] = ()
    arms: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The effects after CUPED; they stand beside the raw ones, never in their place."""

    variance_reduction: float
    absolute: Estimate
    relative: Estimate | None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """What one treatment does to one metric; effects are None where `notes` say why."""

    name: str
    kind: MetricKind
    arm: str
    control: str
    n: Mapping[str, int]
    mean: Mapping[str, float]
    absolute: Estimate | None
    relative: Estimate | None
    cuped: Adjusted | None
    bayes: bayes.ChanceToWin | None
    notes: tuple[str, ...]
    adjusted_p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Readout:
    """The split check and the results; while the check fails, the results mean nothing."""

    srm: SplitCheck
    metrics: tuple[MetricResult, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the read-out as the contract writes it."""
        metrics = json_values([asdict(metric) for metric in self.metrics])
        return {"srm": self.srm.as_json(), "metrics": metrics}


def analyse(splits: Sequence[Split], metrics: Sequence[MetricTotals], control: str, plan: Plan) -> Readout:
    """Return the read-out of every metric and every arm against `control`, at the plan's level each.

    `splits` are the epochs' units as assigned. Nothing is corrected for the number of comparisons except
    `adjusted_p_value`, which is Benjamini and Hochberg's over all of them.
    """
    arms = [name for name in dict.fromkeys(chain(*(split.weights for split in splits))) if name != control]
    results = [_result(metric, control, arm, plan) for metric in metrics for arm in arms if _has_units(metric, arm)]
    tested = [place for place, result in enumerate(results) if result.absolute]
    p_values = [effect.fixed.p_value for result in results if (effect := result.absolute)]
    for place, p_value in zip(tested, multiplicity.benjamini_hochberg(p_values), strict=True):
        results[place] = replace(results[place], adjusted_p_value=float(p_value))
    return Readout(check_splits(splits), tuple(results))


def _has_units(metric: MetricTotals, arm: str) -> bool:
    return any(arm in epoch and epoch[arm].n for epoch in metric.epochs)


def _result(metric: MetricTotals, control: str, arm: str, plan: Plan) -> MetricResult:
    strata, notes = _strata(metric, control, arm)
    pair = (control, arm)
    n = {name: sum(epoch[name].n for epoch in metric.epochs if name in epoch) for name in pair}
    means = dict.fromkeys(pair, math.nan)
    nothing = MetricResult(metric.name, metric.kind, arm, control, n, means, None, None, None, None, notes)
    if not strata:
        return nothing
    raw, adjusted = _comparison(metric, strata, pair, 0), None
    if not math.isfinite(raw.variance):
        reason = "there are fewer than three clusters" if metric.clusters else "a denominator adds up to 0"
        return replace(nothing, notes=(*notes, f"No effect can be given: {reason}."))
    counted = list(strata.values())
    absolute = _absolute(metric, raw, counted, plan)
    if metric.covariates:
        better = _comparison(metric, strata, pair, metric.covariates)
        effect = absolute_effect(better, plan)
        reduction = cuped.variance_reduction(raw, better)
        adjusted = Adjusted(reduction, effect, relative_effect(better, effect, plan))
    relative = relative_effect(raw, absolute, plan)
    return replace(
        nothing,
        mean={control: raw.control, arm: raw.treatment},
        absolute=absolute,
        relative=relative,
        cuped=adjusted,
        bayes=_chance(metric, raw, counted),
        notes=(*notes, *_remarks(raw, absolute, relative, bool(metric.clusters))),
    )


def _strata(metric: MetricTotals, control: str, arm: str) -> tuple[dict[int, Stratum], tuple[str, ...]]:
    """Return the epochs, by place, in which both arms have enough units, and what there is to say of the others."""
    strata, notes = {}, []
    empty = ArmTotals.of(*[[]] * (metric.kind.outcomes + metric.covariates))
    for place, epoch in enumerate(metric.epochs):
        stratum = Stratum(epoch.get(control, empty), epoch.get(arm, empty))
        if min(stratum.control.n, stratum.treatment.n) >= LEAST_UNITS:
            strata[place] = stratum
        elif stratum.n:
            effect = f"Epoch {place + 1} does not count" if len(metric.epochs) > 1 else "No effect can be given"
            notes.append(f"{effect}: an arm has fewer than {LEAST_UNITS} units.")
    return strata, (*notes, *_left_out(metric, control, arm))


def _left_out(metric: MetricTotals, control: str, arm: str) -> list[str]:
    """Say whose outcomes are not known, and warn where the arms differ in that."""
    pair = (control, arm)
    missing = np.array([[metric.left_out.get(name, 0) for name in pair]], dtype=np.float64)
    if not missing.any():
        return []
    known = [[sum(epoch[name].n for epoch in metric.epochs if name in epoch) for name in pair]]
    note = f"Left out, for their outcome is not known: {missing[0, 0]:.0f} of {control}, {missing[0, 1]:.0f} of {arm}."
    p_value = proportions.pooled_p_value(missing, missing + known)
    if p_value < ATTRITION_ALPHA:
        note += f" The shares differ (p = {p_value:.2g}), so the effect may be that of who is missing."
    return [note]


def _comparison(
    metric: MetricTotals, strata: Mapping[int, Stratum], pair: tuple[str, str], covariates: int
) -> Comparison:
    slopes = [cuped.slopes(stratum, metric.kind, covariates) for stratum in strata.values()]
    compared = stratify([compare(one, metric.kind, theta) for one, theta in zip(strata.values(), slopes, strict=True)])
    if not metric.clusters:
        return compared
    columns = [metric.clusters[place].pair(*(metric.arms.index(name) for name in pair)) for place in strata]
    return with_clusters(compared, list(strata.values()), columns, metric.kind, slopes)


def _absolute(metric: MetricTotals, raw: Comparison, strata: Sequence[Stratum], plan: Plan) -> Estimate:
    if metric.kind is MetricKind.BINARY and not metric.clusters:
        return difference_of_shares(raw, strata, plan)
    return absolute_effect(raw, plan)


def _chance(metric: MetricTotals, raw: Comparison, strata: Sequence[Stratum]) -> bayes.ChanceToWin:
    if metric.kind is MetricKind.BINARY and len(strata) == 1 and not metric.clusters:
        successes, units = counts(strata)
        if proportions.has_small_counts(successes, units):
            return bayes.beta_chance(successes[0], units[0])
    return bayes.normal_chance(raw.difference, raw.variance)


def _remarks(raw: Comparison, absolute: Estimate, relative: Estimate | None, is_clustered: bool) -> list[str]:
    clusters = raw.degrees_of_freedom + 2 if is_clustered else math.inf
    said = f"With {clusters:.0f} clusters the intervals are not to be relied on; it takes {FEW_CLUSTERS} or more."
    notes = [said] if clusters < FEW_CLUSTERS else []
    if absolute.standard_error == 0:
        notes.append("All units of both arms are alike, so nothing can be said of the effect's size.")
    elif relative is None:
        notes.append("No relative effect: the control's mean is 0.")
    elif math.isinf(relative.fixed.low):
        notes.append("No bounds of the relative effect: the arms' means are too close to 0.")
    return notes
