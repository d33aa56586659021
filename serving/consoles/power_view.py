"""The step that says how large a campaign must be: how long it can run, what that would show, and the curve of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from serving.campaigns.schemas import PreviewBody, ReachBody
from serving.consoles.charts import Chart, Mark
from serving.consoles.metric_words import SHARES, change, unit
from serving.consoles.wording import Say
from serving.wiring import Services

WEEKS = (2, 3, 4, 6, 8, 12)
USUAL_WEEKS = 4
NEAR_DAYS = 3
UNITS_WHERE_NOBODY_CALLS = 1000


@dataclass(frozen=True, slots=True)
class Choice:
    """A length of the campaign: its weeks, the customers who have matured by then, and the smallest effect shown."""

    weeks: int
    units: int
    smallest_effect: float | None


def choices(found: PreviewBody, maturity_days: int) -> list[Choice]:
    """Return the lengths to choose from; none where nobody gets in touch."""
    if not found.units_a_day:
        return []
    return [
        Choice(weeks, units_in(found.units_a_day, weeks * 7, maturity_days), _effect_by(found.reach, weeks * 7))
        for weeks in WEEKS
        if weeks * 7 > maturity_days + 1
    ]


def usual_units(found: PreviewBody, smallest_effect: float, maturity_days: int) -> int:
    """Return the customers of the shortest length that shows the effect worth having, else of the usual length."""
    for one in choices(found, maturity_days):
        if one.smallest_effect is not None and one.smallest_effect <= smallest_effect:
            return one.units
    return units_in(found.units_a_day, USUAL_WEEKS * 7, maturity_days)


def as_long(days: int | None, found: PreviewBody, maturity_days: int) -> int:
    """Return the customers of this preview in about so many days: in whole weeks where a choice is near."""
    wanted = USUAL_WEEKS * 7 if days is None else days
    near = next((weeks * 7 for weeks in WEEKS if abs(weeks * 7 - wanted) <= NEAR_DAYS), wanted)
    return units_in(found.units_a_day, near, maturity_days)


def units_in(a_day: float, days: int, maturity_days: int) -> int:
    """Return how many customers are assigned and have matured after so many days, a fair number where nobody calls."""
    return max(round(a_day * max(days - maturity_days, 1)), 2) if a_day else UNITS_WHERE_NOBODY_CALLS


def is_underpowered(found: PreviewBody, smallest_effect: float) -> bool:
    """Return whether the planned customers cannot be expected to show the smallest effect worth having."""
    reached = found.smallest_effect_at_any_look
    return reached is None or reached > smallest_effect * 1.0001


def chart_document(found: PreviewBody, plan: dict[str, Any], services: Services, say: Say) -> Chart | None:
    """Return the curve of the smallest effect by date, with the plan's own as marks; None where nothing is known."""
    metric, points = plan["primary"], [one for one in found.reach if one.smallest_effect_at_any_look is not None]
    if len(points) < 2:
        return None
    today = services.database.calendar.day_of(services.clock())
    dates = [(today + timedelta(days=one.days)).isoformat() for one in points]
    marks: list[Mark] = [{"axis": "y", "at": plan["smallest_effect"], "name": say("mark_wanted")}]
    if found.days_of_planned_units and found.days_of_planned_units <= points[-1].days:
        end = (today + timedelta(days=found.days_of_planned_units)).isoformat()
        marks.append({"axis": "x", "at": end, "name": say("mark_end")})
    wanted = change(metric, plan["smallest_effect"], say)
    return {
        "kind": "lines",
        "x": dates,
        "x_kind": "time",
        "x_name": say("axis_date"),
        "y_name": say("axis_effect", unit=say(unit(metric), n="").strip()),
        "unit": "points" if metric in SHARES else "number",
        "zero": False,
        "series": [
            {"name": say("series_any_look"), "y": [one.smallest_effect_at_any_look for one in points]},
            {"name": say("series_at_end"), "y": [one.smallest_effect for one in points], "dashed": True},
        ],
        "marks": marks,
        "description": say("curve_description", wanted=wanted),
    }


def _effect_by(reach: list[ReachBody], days: int) -> float | None:
    """Return the smallest effect shown at the last point that is not after the day."""
    known = [one.smallest_effect_at_any_look for one in reach if one.days <= days]
    return known[-1] if known else None
