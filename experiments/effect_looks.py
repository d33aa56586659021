"""The effect as it became known: the first metric after each of many looks, in the order in which the units came."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.analysis import MetricTotals, analyse
from experiments.arm_totals import FloatArray
from experiments.estimate import Estimate, Plan, json_values
from experiments.plots import EffectOverTime
from experiments.srm import Split
from experiments.unit_files import Missing, UnitColumns, Units, finite_number, metric_totals

LOOKS = 150


@dataclass(frozen=True, slots=True)
class Look:
    """The effect once `units` of all arms were in, the last of them at `at`: a time or number as the file has it."""

    units: int
    at: str | None
    effect: Estimate

    def as_json(self) -> dict[str, Any]:
        """Return the look as the output has it."""
        document: dict[str, Any] = json_values({"units": self.units, "at": self.at, **asdict(self.effect)})
        return document


def effect_looks(
    units: Units, columns: UnitColumns, plan: Plan, missing: Missing, over: str | None = None
) -> dict[str, list[Look]]:
    """Return by treatment arm the effect on the first metric after about `LOOKS` looks, evenly spread over the units.

    `over` is the text column with the time (ISO 8601) or the place of each unit, None for the order of the rows. Units
    of one time are never parted. The last look is the read-out itself; all are raw effects, without covariates, and
    there is none before an arm has the units for one. Raises ImportInvalid for what is no time, and as `metric_totals`.
    """
    first = replace(columns, metrics=columns.metrics[:1], covariates=())
    moments = np.arange(len(units.lines), dtype=np.float64) if over is None else _moments(units, over)
    order = np.argsort(moments, kind="stable")
    ends = _ends(moments[order])
    arms = list(units.arms[1:])
    split = Split(units.counts, dict.fromkeys(units.arms, 1.0))
    looks: dict[str, list[Look]] = {arm: [] for arm in arms}
    for end, totals in zip(ends, _grown(units.rows(order), first, missing, ends), strict=True):
        text = units.texts[over] if over else None
        at = text.values[text.places[order[end - 1]]] if text else None
        for result in analyse([split], [totals], units.arms[0], plan).metrics:
            if result.absolute:
                looks[result.arm].append(Look(int(end), at, result.absolute))
    return looks


def over_time(looks: Sequence[Look], plan: Plan) -> EffectOverTime:
    """Return the looks (at least one) as the arrays that are drawn."""
    return EffectOverTime.of([look.units for look in looks], [look.effect for look in looks], plan.planned_n)


def _grown(units: Units, columns: UnitColumns, missing: Missing, ends: NDArray[np.intp]) -> Iterable[MetricTotals]:
    """Yield the totals of all units up to each of the `ends`."""
    parts = (units.rows(slice(begin, end)) for begin, end in pairwise([0, *ends.tolist()]))
    return accumulate((metric_totals(part, columns, missing)[0] for part in parts), _sum)


def _sum(one: MetricTotals, other: MetricTotals) -> MetricTotals:
    (before,), (after,) = one.epochs, other.epochs
    left_out = {name: count + other.left_out[name] for name, count in one.left_out.items()}
    clusters = [ours + theirs for ours, theirs in zip(one.clusters, other.clusters, strict=True)]
    epoch = {name: before[name] + after[name] for name in before}
    return replace(one, epochs=[epoch], clusters=clusters, left_out=left_out)


def _ends(moments: FloatArray) -> NDArray[np.intp]:
    """Return after how many units to look, of units in order: the last of each moment, and not too many of them."""
    last = np.append(np.flatnonzero(np.diff(moments) > 0) + 1, len(moments))
    wanted = np.linspace(0, len(moments), LOOKS + 1)[1:]
    return np.asarray(np.unique(last[np.searchsorted(last, wanted - 1e-9)]))


def _moments(units: Units, over: str) -> FloatArray:
    """Return when each unit came (n,): seconds since the first row, or the numbers of the file, if that has one."""
    column = units.texts[over]
    first = column.values[0]
    read: Callable[[str], float | None] = finite_number
    kind = "a number like the first row"
    if finite_number(first) is None:
        since = _time(first)
        read = partial(_seconds, since=since)
        zone = f" {'with' if since.tzinfo else 'without'} a time zone like the first row" if since else " or a number"
        kind = f"a time (ISO 8601){zone}"
    moments = [read(value) for value in column.values]
    if None in moments:
        place = moments.index(None)
        units.fail(int((column.places == place).argmax()), over, f"{column.values[place]!r} is not {kind}")
    return np.array(moments, dtype=np.float64)[column.places]


def _time(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _seconds(value: str, since: datetime | None) -> float | None:
    try:
        return (datetime.fromisoformat(value) - since).total_seconds() if since else None
    except (ValueError, TypeError):  # only one of them has a time zone
        return None
