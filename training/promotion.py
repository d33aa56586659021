"""The gates between a challenger and the alias `champion`; every refusal names its gate and figure."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.skew import LEAST_PAIRS, MOST_SKEW, FeatureSkew
from recsys.domain.errors import BundleRefused
from recsys.evaluation.exposure import by_group
from recsys.evaluation.intervals import Interval, bootstrap
from recsys.evaluation.probability_metrics import Forecasts
from recsys.evaluation.sameness import Sameness
from training.gates import SKEW, Gate, Verdict
from training.model_kinds import RELEVANCE, ModelKind

SMALLEST_SEGMENT = 100
"""Evaluated customers below which a segment's figures say too little to refuse a model for them."""

REFUSED_OUTSIDE = (0.5, 2.0)
WARNED_OUTSIDE = (0.8, 1.25)
_MOST_NAMED = 5
CALIBRATION_BOUND = 0.03
"""The calibration error above which promised acceptances no longer come true closely enough to count on."""

NOT_JUDGED_YET = (
    Gate(
        "calibration error",
        Verdict.NOT_APPLICABLE,
        "a relevance model gives no probabilities; this gate belongs to the propensity model (q-…)",
    ),
    Gate(
        "off-policy value",
        Verdict.NOT_APPLICABLE,
        "no decisions with logged exploration probabilities are used in training yet",
    ),
)


@dataclass(frozen=True, slots=True)
class Rivals:
    """The headline metric (tasks,) of the challenger and of those it must stand up to, on the same tasks.

    `popularity` is None when the challenger is popularity itself, `champion` when there is none.
    """

    challenger: NDArray[np.float64]
    popularity: NDArray[np.float64] | None
    champion: NDArray[np.float64] | None
    customers: NDArray[np.intp]


def difference(
    challenger: NDArray[np.float64],
    rival: NDArray[np.float64],
    customers: NDArray[np.intp],
    rng: np.random.Generator,
) -> Interval:
    """Return the paired-bootstrap interval of challenger − rival."""
    return bootstrap({"difference": challenger - rival}, customers, rng)["difference"]


def judge_rivals(rivals: Rivals, metric: str, tolerance: float, rng: np.random.Generator) -> list[Gate]:
    """Return two gates: better than popularity, and not worse than the champion.

    Better means that the whole interval lies above 0; not worse, that its low end lies above
    −`tolerance` × the champion's mean (a non-inferiority margin).
    """
    return [_against_popularity(rivals, metric, rng), _against_champion(rivals, metric, tolerance, rng)]


def _against_popularity(rivals: Rivals, metric: str, rng: np.random.Generator) -> Gate:
    name = "better than popularity"
    if rivals.popularity is None:
        return Gate(name, Verdict.NOT_APPLICABLE, "it is popularity itself, the baseline")
    against = difference(rivals.challenger, rivals.popularity, rivals.customers, rng)
    return Gate.of(name, against.low > 0, _said(metric, against, "must lie above 0"))


def _against_champion(rivals: Rivals, metric: str, tolerance: float, rng: np.random.Generator) -> Gate:
    name = "not worse than the champion"
    if rivals.champion is None:
        return Gate(name, Verdict.NOT_APPLICABLE, "there is no champion yet")
    against = difference(rivals.challenger, rivals.champion, rivals.customers, rng)
    margin = -tolerance * float(rivals.champion.mean())
    passed = against.low > margin or against.low == against.high == 0.0
    return Gate.of(name, passed, _said(metric, against, f"must lie above {margin:.4f}"))


def judge_exposure(hits: NDArray[np.float64], is_filled: NDArray[np.bool_], segments: NDArray[Any] | None) -> Gate:
    """Refuse a model that serves a segment less than half or more than twice as well as everybody.

    `hits` (tasks,) is 1 where the list has what was bought, `is_filled` (tasks,) whether there is a list at
    all, `segments` (tasks,) names each task's segment. Segments below `SMALLEST_SEGMENT` are not judged.
    """
    name = "even across segments"
    if segments is None:
        return Gate(name, Verdict.NOT_APPLICABLE, "no segments known")
    measures = {"HR@5": hits, "lists that show anything": is_filled.astype(np.float64)}
    ratios = {
        (measure, segment): share.ratio
        for measure, values in measures.items()
        for segment, share in by_group(values, segments, SMALLEST_SEGMENT).items()
        if not math.isnan(share.ratio)
    }
    if not ratios:
        return Gate(name, Verdict.NOT_APPLICABLE, f"no segment has {SMALLEST_SEGMENT} evaluated customers with a hit")
    ordered = sorted(ratios.items(), key=lambda entry: (-_distance(entry[1]), entry[0]))
    outside = [entry for entry in ordered if _is_outside(entry[1], WARNED_OUTSIDE)]
    said = ", ".join(f"{measure} of {s} is {ratio:.2f} × everybody's" for (measure, s), ratio in
                     (outside or ordered[:1])[:_MOST_NAMED])  # fmt: skip
    if _is_outside(ordered[0][1], REFUSED_OUTSIDE):
        return Gate(name, Verdict.REFUSED, f"{said}, must lie within {REFUSED_OUTSIDE[0]}–{REFUSED_OUTSIDE[1]}")
    if outside:
        return Gate(name, Verdict.WARNED, f"{said}, should lie within {WARNED_OUTSIDE[0]}–{WARNED_OUTSIDE[1]}")
    return Gate(name, Verdict.PASSED, f"{said}, the farthest from 1")


def judge_split(is_by_time: bool) -> Gate:
    """Warn where no purchase of the future was held out: what people hold is not what they buy next."""
    name = "judged by later purchases"
    if is_by_time:
        return Gate(name, Verdict.PASSED, "what was held out happened after what was learned from")
    said = "one offer of each customer was held out (leave-one-out): it shows what people hold, not what they buy next"
    return Gate(name, Verdict.WARNED, said)


def judge_sameness(sameness: Sameness | None, is_baseline: bool) -> Gate:
    """Refuse scores that do not tell offers apart; warn of those that are the same for everybody.

    Popularity, the baseline, is warned of only: offers may be equally popular, and there is nothing below it.
    """
    name = "scores tell offers and customers apart"
    if sameness is None:
        return Gate(name, Verdict.PASSED, "they differ on a sample of histories")
    is_refused = sameness is Sameness.FLAT and not is_baseline
    return Gate(name, Verdict.REFUSED if is_refused else Verdict.WARNED, f"the model {sameness}")


def judge_bundle(directory: Path, kind: ModelKind = RELEVANCE) -> Gate:
    """Refuse files of a version of `kind` that do not pass their own checks, the golden canary among them."""
    name = "bundle checks and canary"
    try:
        made = kind.load(directory)
    except BundleRefused as error:
        return Gate(name, Verdict.REFUSED, str(error))
    return Gate(name, Verdict.PASSED, f"all green, {made.manifest['canaries']} canary {kind.canaries}")


def judge_calibration(forecasts: Forecasts, rng: np.random.Generator) -> Gate:
    """Refuse a model whose calibration error is above `CALIBRATION_BOUND` and cannot be chance.

    Chance is what a model that is exactly right would stay below in 99 of 100 such tests.
    """
    error, by_chance = forecasts.metrics()["ECE"], forecasts.chance_error(rng)
    said = (
        f"{error:.4f} on {len(forecasts.answers)} later answers, must not lie above {CALIBRATION_BOUND} or what chance "
        f"explains, {by_chance:.4f}"
    )
    return Gate.of("calibration error", error <= max(CALIBRATION_BOUND, by_chance), said)


def judge_order(against: Interval) -> Gate:
    """Refuse a model whose AUC lies below that of the declared weights; `against` is the paired difference."""
    name, said = "AUC not below the declared weights", _said("AUC", against, "must not lie below 0")
    if against.mean >= 0 > against.low:
        return Gate(name, Verdict.WARNED, f"{said}; the interval includes 0")
    return Gate.of(name, against.mean >= 0, said)


def judge_card(missing: tuple[str, ...]) -> Gate:
    """Refuse a model whose card leaves out any section."""
    said = f"the card says nothing of {', '.join(missing)}" if missing else "every section is there"
    return Gate.of("complete model card", not missing, said)


def _is_outside(ratio: float, bounds: tuple[float, float]) -> bool:
    return not bounds[0] <= ratio <= bounds[1]


def _distance(ratio: float) -> float:
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _said(metric: str, against: Interval, condition: str) -> str:
    return f"{metric} differs by {against.mean:+.4f} [{against.low:+.4f}, {against.high:+.4f}], {condition}"


def judge_skew(found: Sequence[FeatureSkew], used: Collection[str]) -> Gate:
    """Refuse a model of which a feature that it uses is told otherwise in service than it was learned.

    One that was served to too few decisions since it came is said to be: the gate passes with a warning.
    """
    of_model = [one for one in found if one.feature in used]
    judged = [one for one in of_model if one.is_judged]
    early = ", ".join(
        f"{one.feature} (known in {one.pairs} of {one.decisions} decisions)"
        for one in sorted((one for one in of_model if not one.is_judged), key=lambda one: one.pairs)[:_MOST_NAMED]
    )
    waiting = f"not enough yet, {LEAST_PAIRS} are needed: {early}" if early else ""
    if not judged:
        figure = f"no feature that it uses has {LEAST_PAIRS} decisions to compare"
        return Gate(SKEW, Verdict.NOT_APPLICABLE, "; ".join(filter(None, (figure, waiting))))
    skewed = sorted((one for one in judged if one.is_skewed), key=lambda one: -one.share)
    named = ", ".join(f"{one.feature} in {one.share:.1%} of {one.pairs}" for one in skewed[:_MOST_NAMED])
    worst = max(one.share for one in judged)
    figure = f"differs from the feature tables: {named}" if skewed else f"at most {worst:.2%} of decisions differ"
    verdict = Verdict.REFUSED if skewed else Verdict.WARNED if early else Verdict.PASSED
    return Gate(SKEW, verdict, "; ".join(filter(None, (f"{figure} (bound {MOST_SKEW:.0%})", waiting))))
