"""Whom a treatment moves, from the units of a file: the effect, segment by segment, and the worth of choosing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import cuped
from experiments.analysis import MetricResult, analyse
from experiments.arm_totals import FloatArray
from experiments.estimate import Estimate, Plan, json_values
from experiments.srm import Split, SplitCheck
from experiments.unit_files import (
    MetricColumns,
    Missing,
    UnitColumns,
    Units,
    finite_number,
    known_outcomes,
    metric_totals,
)
from experiments.uplift import Qini, SegmentEffect, heterogeneity_p, qini, segment_effects, uplift_scores
from recsys.domain.errors import AnalysisInvalid, ImportInvalid
from recsys.evaluation.intervals import Interval

MOST_TEXTS = 50
"""Different texts of a feature, or different segments; more would have too few units each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the units: one metric, the `features` to rank them by, and a `segment` to tell them apart.

    All of them columns of text, as are the `propensity` of treatment among treatment and control, if it was logged;
    else the designed `weights` of the arms give it, which are equal when there are none.
    """

    metric: MetricColumns
    control: str
    features: tuple[str, ...]
    treatment: str | None = None
    segment: str | None = None
    propensity: str | None = None
    weights: Mapping[str, float] | None = None
    missing: Missing = Missing.REFUSE

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns to read as text."""
        return tuple(name for name in (*self.features, self.segment, self.propensity) if name)


@dataclass(frozen=True, slots=True, eq=False)
class Targeting:
    """The effect of `treatment` on one metric; `plain` is the difference of the arms, `effect` the doubly robust one.

    While the split check fails, the rest means nothing. `varies` says that propensities do, whereupon the plain
    difference is no effect. Everything is for one look; segments are in order of name, and exploratory.
    """

    metric: MetricColumns
    treatment: str
    control: str
    split: Split
    srm: SplitCheck
    varies: bool
    plain: MetricResult
    effect: SegmentEffect
    segments: tuple[SegmentEffect, ...]
    ranked: int
    qini: Qini

    @property
    def heterogeneity_p(self) -> float:
        """The p-value of all segments having one effect."""
        return heterogeneity_p(self.segments)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as `nbo experiment uplift --json` has them."""
        curve = {name: getattr(self.qini, name).tolist() for name in ("shares", "gains", "low", "high")}
        document: dict[str, Any] = json_values({
            "metric": self.metric.name,
            "kind": str(self.metric.kind),
            "treatment": self.treatment,
            "control": self.control,
            "n": dict(self.split.observed),
            "srm": self.srm.as_json(),
            "plain_difference": _entry(self.plain.absolute) if self.plain.absolute else None,
            "notes": self.plain.notes,
            "effect": _entry(self.effect),
            "segments": [{"segment": row.segment, "n": row.units, **_entry(row)} for row in self.segments],
            "heterogeneity": {"p_value": self.heterogeneity_p, "exploratory": True} if self.segments else None,
            "ranked_units": self.ranked,
            "qini": {"coefficient": _interval(self.qini.coefficient), "curve": curve},
            "uplift_at": [{"share": share, **_interval(found)} for share, found in self.qini.uplift_at.items()],
        })  # fmt: skip
        return document


def target(
    units: Units, asked: Asked, rng: np.random.Generator, progress: Callable[[str], None] = lambda _: None
) -> Targeting:
    """Return whom the treatment moves among the units of its arm and the control's; `progress` hears what is done.

    Raises ImportInvalid for cells that cannot be used, AnalysisInvalid where units, arms or weights do not allow it.
    """
    treatment = _treatment(units, asked)
    pair = units.rows(np.flatnonzero(np.isin(units.arm_numbers, (0, units.arms.index(treatment)))))
    (outcomes, *_), kept = known_outcomes(pair, asked.metric, asked.missing)
    features = np.stack([column for name in asked.features for column in _feature(pair, name)], axis=1)[kept]
    propensities, treated = _propensities(pair, asked, treatment), pair.arm_numbers != 0
    progress("doubly robust scores")
    try:
        scores = uplift_scores(features, treated[kept], outcomes[kept], propensities[kept], rng)
    except ValueError as error:
        raise AnalysisInvalid(str(error)) from error
    split, srm, plain = _plain(pair, asked, treatment, float(propensities.sum()))
    segments = _segments(pair, asked.segment)[kept].tolist() if asked.segment else []
    progress("the ranking's worth, resampled")
    return Targeting(
        metric=asked.metric,
        treatment=treatment,
        control=asked.control,
        split=split,
        srm=srm,
        varies=bool(np.ptp(propensities) > 0),
        plain=plain,
        effect=segment_effects(scores.score, [""] * len(scores.score))[0],
        segments=tuple(segment_effects(scores.score, segments)) if segments else (),
        ranked=int(np.isfinite(scores.rank).sum()),
        qini=qini(scores.score, scores.rank, rng),
    )


def _treatment(units: Units, asked: Asked) -> str:
    others = units.arms[1:]
    if asked.treatment is None and len(others) > 1:
        raise AnalysisInvalid(f"Besides {asked.control} there are {', '.join(others)}; choose one with --treatment.")
    treatment = asked.treatment or others[0]
    if treatment not in others:
        raise AnalysisInvalid(f"No unit is in {treatment}; besides {asked.control} there are {', '.join(others)}.")
    return treatment


def _plain(pair: Units, asked: Asked, treatment: str, expected: float) -> tuple[Split, SplitCheck, MetricResult]:
    """Return the split, with so many units expected in treatment, its check and the plain difference of the arms."""
    counts, total = pair.counts, len(pair.lines)
    split = Split(
        {name: counts[name] for name in (asked.control, treatment)},
        {asked.control: total - expected, treatment: expected},
    )
    columns = UnitColumns("", asked.control, (asked.metric,))
    readout = analyse([split], metric_totals(pair, columns, asked.missing), asked.control, Plan(total))
    return split, readout.srm, readout.metrics[0]


def _propensities(pair: Units, asked: Asked, treatment: str) -> FloatArray:
    """Return each unit's chance of the treatment (n,), given that it is in one of the two arms."""
    if asked.propensity is None:
        weights = asked.weights or {asked.control: 1.0, treatment: 1.0}
        for name in (asked.control, treatment):
            if not 0 < weights.get(name, 0) < np.inf:
                raise AnalysisInvalid(f"Arm {name} has units, so it needs a weight above 0.")
        return np.full(len(pair.lines), weights[treatment] / (weights[asked.control] + weights[treatment]))
    column = pair.texts[asked.propensity]
    chances = np.array([finite_number(value) or 0.0 for value in column.values])[column.places]
    if (wrong := ~((chances > 0) & (chances < 1))).any():
        row = int(wrong.argmax())
        said = column.values[column.places[row]]
        pair.fail(row, asked.propensity, f"{said!r} is not a chance above 0 and below 1")
    return chances


def _feature(pair: Units, name: str) -> list[FloatArray]:
    """Return a feature as columns (n,): a number, with an indicator where some are missing, or one for each text."""
    column = pair.texts[name]
    numbers = [finite_number(value) if value else np.nan for value in column.values]
    known = [value for value in numbers if value is not None]
    if len(known) == len(numbers):
        values = np.array(known)[column.places]
        if np.isnan(values).all():
            raise ImportInvalid(f"{pair.path.name}, column {name}: is empty in every row.")
        return cuped.prepared(values)
    if len(numbers) > MOST_TEXTS:
        text = column.values[numbers.index(None)]
        raise ImportInvalid(
            f"{pair.path.name}, column {name}: {text!r} is not a number, and {len(numbers)} values are too many for "
            f"texts, of which a feature may have {MOST_TEXTS}."
        )
    return [(column.places == place).astype(np.float64) for place in range(len(column.values))]


def _segments(pair: Units, name: str) -> NDArray[np.str_]:
    column = pair.texts[name]
    if len(column.values) > MOST_TEXTS:
        raise ImportInvalid(
            f"{pair.path.name}, column {name}: {len(column.values)} values are too many for segments; the most is "
            f"{MOST_TEXTS}."
        )
    return np.array([value or "(empty)" for value in column.values])[column.places]


def _entry(effect: Estimate | SegmentEffect) -> dict[str, float]:
    found = effect.fixed if isinstance(effect, Estimate) else effect
    estimate = effect.estimate if isinstance(effect, Estimate) else effect.effect
    return {"estimate": estimate, "standard_error": effect.standard_error, "low": found.low, "high": found.high}


def _interval(found: Interval) -> dict[str, float]:
    return {"estimate": found.mean, "low": found.low, "high": found.high}
