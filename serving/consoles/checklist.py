"""What is checked in words before a campaign is launched: each line good, worth a thought, or in the way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from serving.campaigns.schemas import PreviewBody
from serving.consoles import formats
from serving.consoles.metric_words import change, metric_name
from serving.consoles.power_view import is_underpowered
from serving.consoles.wording import Say

LONG_DAYS = 120
State = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line: its state, what was looked at, what was found, and the step to go to."""

    state: State
    title: str
    text: str
    step: str


def checks(plan: Mapping[str, Any], found: PreviewBody, language: str, say: Say) -> list[Check]:
    """Return everything that was checked; nothing is bad in a campaign that can be launched."""
    return [
        _goal(plan, language, say),
        _audience(found, say),
        *_arms(plan, say),
        _power(plan, found, say),
        _duration(plan, found, say),
        _guardrails(plan, language, say),
        *_conflicts(found, say),
    ]


def _goal(plan: Mapping[str, Any], language: str, say: Say) -> Check:
    text = say("check_goal_text", metric=metric_name(plan["primary"], language), hypothesis=plan["hypothesis"])
    return Check("good", say("check_goal"), text, "goal")


def _audience(found: PreviewBody, say: Say) -> Check:
    if not found.audience:
        return Check("bad", say("check_audience"), say("check_audience_nobody"), "audience")
    share = formats.percent(found.audience / found.customers)
    text = say("check_audience_text", count=formats.number(found.audience), share=share)
    return Check("good", say("check_audience"), text, "audience")


def _arms(plan: Mapping[str, Any], say: Say) -> Iterator[Check]:
    total = sum(arm["weight"] for arm in plan["arms"])
    shares = " / ".join(f"{arm['name']} {arm['weight'] / total * 100:.3g} %" for arm in plan["arms"])
    yield Check("good", say("check_split"), shares, "arms")
    same = [arm["name"] for arm in plan["arms"] if not arm["control"] and not any(arm["treatment"].values())]
    if same:
        yield Check("warn", say("check_arms"), say("check_arms_same", arms=", ".join(same)), "arms")
    else:
        yield Check("good", say("check_arms"), say("check_arms_text"), "arms")


def _power(plan: Mapping[str, Any], found: PreviewBody, say: Say) -> Check:
    title, metric = say("check_power"), plan["primary"]
    reached = found.smallest_effect_at_any_look
    if reached is None:
        return Check("warn", title, say("check_power_unknown"), "power")
    amounts = {"reached": change(metric, reached, say), "wanted": change(metric, plan["smallest_effect"], say)}
    if is_underpowered(found, plan["smallest_effect"]):
        return Check("warn", title, say("check_power_weak", **amounts), "power")
    return Check("good", title, say("check_power_text", **amounts), "power")


def _duration(plan: Mapping[str, Any], found: PreviewBody, say: Say) -> Check:
    days = found.days_of_planned_units
    if days is None:
        return Check("warn", say("check_duration"), say("check_duration_unknown"), "power")
    values = {"days": days, "units": formats.number(plan["planned_units"]), "a_day": formats.number(found.units_a_day)}
    if days > LONG_DAYS:
        return Check("warn", say("check_duration"), say("check_duration_long", **values), "power")
    return Check("good", say("check_duration"), say("check_duration_text", **values), "power")


def _guardrails(plan: Mapping[str, Any], language: str, say: Say) -> Check:
    if not plan["guardrails"]:
        return Check("warn", say("guardrails"), say("check_guardrails_none"), "goal")
    held = (
        say(
            "check_guardrail", metric=metric_name(one["metric"], language), by=change(one["metric"], one["margin"], say)
        )
        for one in plan["guardrails"]
    )
    return Check("good", say("guardrails"), say("check_guardrails_text", list=say("list_comma").join(held)), "goal")


def _conflicts(found: PreviewBody, say: Say) -> Iterator[Check]:
    for one in found.conflicts:
        if one.kind == "layer_slots":
            yield Check("bad", say("check_conflict"), say("conflict_layer", name=one.name), "audience")
        else:
            count = say("some_customers") if one.customers is None else formats.number(one.customers)
            yield Check("warn", say("check_conflict"), say("conflict_offers", name=one.name, count=count), "audience")
    if not found.conflicts:
        yield Check("good", say("check_conflict"), say("conflict_none"), "audience")
