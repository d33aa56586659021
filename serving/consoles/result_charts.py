"""The charts of a campaign's result page: the effect over time, and how many customers came how far."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.campaign import Plan
from recsys.domain.campaign_unit import STAGES
from serving.consoles.charts import Chart
from serving.consoles.result_view import Words, effect, units_of

Document = Mapping[str, Any]
KINDS = ("always_valid", "fixed")


def effect_chart(results: Document, plan: Plan, arm: str, words: Words) -> Chart:
    """Return the chart of an arm's primary effect over time, with the fixed interval dashed beside it."""
    say, unit = words.say, units_of(plan.primary)[1]
    looks = [one for one in results["over_time"] if one["arm"] == arm]
    always, fixed = ([look[kind] for look in looks] for kind in KINDS)
    unit_name = f" ({say('points')})" if unit == "points" else ""
    latest = " ".join(effect(looks[-1], unit, say)) if looks else ""
    return {
        "kind": "lines",
        "x": [one["day"] for one in looks],
        "x_kind": "time",
        "x_name": say("chart_day"),
        "y_name": say("chart_change", metric=words.metric(plan.primary), unit=unit_name),
        "unit": unit,
        "zero": True,
        "series": [
            {
                "name": say("chart_always"),
                "y": [one["estimate"] for one in looks],
                "low": [one["low"] for one in always],
                "high": [one["high"] for one in always],
            },
            {
                "name": say("chart_fixed"),
                "y": [None for _ in looks],
                "low": [one["low"] for one in fixed],
                "high": [one["high"] for one in fixed],
                "dashed": True,
            },
        ],
        "range": _range(looks),
        "marks": [{"axis": "y", "at": 0, "name": ""}],
        "description": say("chart_effect_said", arm=arm, metric=words.metric(plan.primary), latest=latest),
    }


def _range(looks: Sequence[Document]) -> tuple[float, float]:
    """Return the effects to show: zero, and the bands but for their first fifth, so wide that they hide the rest."""
    later = [look[kind][bound] for look in looks[len(looks) // 5 :] for kind in KINDS for bound in ("low", "high")]
    shown = [0.0, *(value for value in later if value is not None)]
    room = 0.08 * ((max(shown) - min(shown)) or 1.0)
    return min(shown) - room, max(shown) + room


def funnel_chart(results: Document, plan: Plan, words: Words) -> Chart:
    """Return the chart of how many customers of each arm came how far."""
    say = words.say
    stages = ("assigned", *STAGES)
    arms = [arm.name for arm in plan.arms if arm.name in results["funnel"]]
    return {
        "kind": "bars",
        "x": [say(f"stage_{stage}") for stage in stages],
        "x_kind": "category",
        "x_name": say("chart_stage"),
        "y_name": say("chart_customers"),
        "unit": "number",
        "zero": True,
        "series": [{"name": arm, "y": [results["funnel"][arm][stage] for stage in stages]} for arm in arms],
        "description": say("chart_funnel_said"),
    }
