"""The pictures that `nbo experiment` writes, and the words in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.effect_looks import Look
    from experiments.estimate import Plan
    from experiments.targeting import Targeting
    from experiments.unit_files import MetricColumns


@dataclass(frozen=True, slots=True)
class LooksPicture:
    """What the pictures of an effect over time are of; `over` names the column of the order, None for the rows."""

    metric: "MetricColumns"
    control: str
    plan: "Plan"
    over: str | None


def draw_looks(
    looks: Mapping[str, Sequence["Look"]], picture: LooksPicture, directory: Path
) -> dict[str, tuple[Path, ...]]:
    """Draw the effect of each arm that has one; return the files written by arm."""
    from experiments.effect_looks import over_time
    from experiments.plots import EffectWords, draw_effect

    level = f"{100 * (1 - picture.plan.alpha):g} %"
    name = _called(picture.metric)
    written = {}
    for number, (arm, found) in enumerate(looks.items(), 1):
        words = EffectWords(
            title=f"{name}: {arm} against {picture.control}",
            at=f"Units so far, over all arms{f', in the order of {picture.over}' if picture.over else ''}",
            effect=f"Change in {name}, {_unit(picture.metric)}",
            estimate="Estimate",
            always_valid=f"{level} interval that holds at every look",
            fixed=f"{level} interval for one look: holds at the planned end alone",
            horizon="planned end",
        )
        if found:
            path = directory / f"effect-{number}-{_as_file_name(arm)}"
            written[arm] = draw_effect(
                over_time(found, picture.plan), words, path, in_points=picture.metric.kind.value == "binary"
            )
    return written


def looks_document(
    looks: Mapping[str, Sequence["Look"]], picture: LooksPicture, written: Mapping[str, Sequence[Path]]
) -> dict[str, Any]:
    """Return the effect over time for the JSON document, with the files of its pictures."""
    return {
        "metric": _called(picture.metric),
        "order": picture.over or "rows",
        "planned_n": picture.plan.planned_n,
        "arms": [
            {
                "arm": arm,
                "pictures": [str(path) for path in written.get(arm, ())],
                "looks": [look.as_json() for look in found],
            }
            for arm, found in looks.items()
        ],
    }


def draw_ranking(found: "Targeting", directory: Path) -> tuple[Path, ...]:
    """Draw the Qini curve; return the files written."""
    from experiments.plots import QiniWords, draw_qini

    name = _called(found.metric)
    words = QiniWords(
        title=f"{name}: whom to treat first with {found.treatment}",
        share="Share of units treated, those with the highest predicted uplift first",
        gain=f"Gain in {name}, {_unit(found.metric)}",
        ranked="Treated by predicted uplift",
        interval="95 % interval, point by point",
        at_random="Treated at random",
    )
    return draw_qini(found.qini, words, directory / "qini", in_points=found.metric.kind.value == "binary")


def _called(metric: "MetricColumns") -> str:
    return f"{metric.name} per {metric.denominator}" if metric.denominator else metric.name


def _unit(metric: "MetricColumns") -> str:
    return {"binary": "percentage points", "mean": "per unit", "ratio": "as a ratio"}[metric.kind.value]


def _as_file_name(arm: str) -> str:
    """Return the arm in characters that every file system takes; its number keeps names apart."""
    return re.sub(r"[^\w-]+", "-", arm).strip("-")[:40]
