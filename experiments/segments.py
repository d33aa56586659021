"""Where an effect may differ: the primary one by what is known of the customers; exploratory, never a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from experiments.analysis import MetricResult, MetricTotals, analyse
from experiments.arm_totals import ArmTotals
from experiments.campaign import HOLDOUT, Plan
from experiments.estimate import Plan as Looks
from experiments.metrics import METRICS, arm_totals
from experiments.multiplicity import benjamini_hochberg, bonferroni_level
from experiments.srm import Split
from recsys.domain.campaign_unit import EVERYONE
from recsys.storage.campaign_unit_log import SegmentCell

LEAST_UNITS = 50
"""A value of fewer units is joined with others of few."""
MOST_VALUES = 12
"""So many values stand alone, those of the most units."""

SegmentTotals = Mapping[SegmentCell, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Segment:
    """The effects of every arm on the primary metric among customers with a value, None where it is unknown.

    `is_other` is of the values with few units together, which have no effects where they are few even so. The
    `adjusted_p_value` of an effect is that of its always-valid interval, after Benjamini and Hochberg over all effects
    of all segments.
    """

    value: str | None
    is_other: bool
    units: int
    effects: tuple[MetricResult, ...]


def segment_effects(totals: SegmentTotals, plan: Plan) -> list[Segment]:
    """Return the segments, the largest first and the other values last, with the level of the primary metric."""
    sizes: dict[str | None, int] = {}
    for cell, found in totals.items():
        if cell.arm != HOLDOUT:
            sizes[cell.value] = sizes.get(cell.value, 0) + round(found.get(EVERYONE, 0.0))
    by_size = sorted(sizes, key=lambda value: (-sizes[value], value or ""))
    alone = [value for value in by_size if sizes[value] >= LEAST_UNITS][:MOST_VALUES]
    groups = [([value], False) for value in alone]
    if others := [value for value in by_size if value not in alone]:
        groups.append((others, True))
    return _adjusted([_segment(totals, values, is_other, sizes, plan) for values, is_other in groups])


def _segment(
    totals: SegmentTotals, values: list[str | None], is_other: bool, sizes: Mapping[str | None, int], plan: Plan
) -> Segment:
    units = sum(sizes[value] for value in values)
    effects = _effects(totals, set(values), plan) if units >= LEAST_UNITS else ()
    return Segment(None if is_other else values[0], is_other, units, effects)


def _effects(totals: SegmentTotals, values: set[str | None], plan: Plan) -> tuple[MetricResult, ...]:
    metric = METRICS[plan.primary]
    nothing = arm_totals({}, metric.outcomes)
    epochs: dict[int, dict[str, ArmTotals]] = {epoch: {} for epoch in sorted({cell.epoch for cell in totals})}
    for cell, found in totals.items():
        if cell.value in values:
            arms = epochs[cell.epoch]
            arms[cell.arm] = arms.get(cell.arm, nothing) + arm_totals(found, metric.outcomes)
    level = bonferroni_level(plan.alpha, 1, len(plan.treatments))
    split = Split({}, {arm.name: 1.0 for arm in plan.arms})
    whole = MetricTotals(metric.name, metric.kind, list(epochs.values()))
    return analyse([split], [whole], plan.control.name, Looks(plan.planned_units, level)).metrics


def _adjusted(segments: list[Segment]) -> list[Segment]:
    known = [effect for one in segments for effect in one.effects if effect.absolute]
    p_values = [effect.absolute.always_valid.p_value for effect in known if effect.absolute]
    adjusted = {id(effect): float(p) for effect, p in zip(known, benjamini_hochberg(p_values), strict=True)}

    def with_p(effect: MetricResult) -> MetricResult:
        return replace(effect, adjusted_p_value=adjusted.get(id(effect)))

    return [replace(one, effects=tuple(map(with_p, one.effects))) for one in segments]
