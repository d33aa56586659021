"""The wizard's steps as forms: what stands in the fields for a plan, and the fields of a plan from what was typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.metrics import METRICS
from serving.consoles.metric_words import MARGINS, amount_of, typed

STEPS = ("goal", "audience", "arms", "power", "launch")
FIRST_METRICS = ("accepted", "sold", "value")
FIRST_GUARDRAILS = ("csat", "complained")

Form = dict[str, Any]
Posted = Mapping[str, Sequence[str]]


def empty_goal() -> Form:
    """Return the fields of the first step before anything was typed."""
    guardrails = {name: typed(name, MARGINS[name]) for name in METRICS}
    return {
        "name": "", "hypothesis": "", "primary": "accepted",
        "secondaries": [], "guardrails": list(FIRST_GUARDRAILS), "margins": guardrails,
    }  # fmt: skip


def goal_form(plan: Mapping[str, Any]) -> Form:
    """Return the fields of the first step."""
    margins = {one["metric"]: typed(one["metric"], one["margin"]) for one in plan["guardrails"]}
    return {
        **{name: plan[name] for name in ("name", "hypothesis", "primary", "secondaries")},
        "guardrails": list(margins),
        "margins": {**empty_goal()["margins"], **margins},
    }


def posted_goal(posted: Posted) -> Form:
    """Return the fields of the first step as they were typed."""
    form = empty_goal() | {name: _one(posted, name) for name in ("name", "hypothesis", "primary")}
    form |= {name: [one for one in posted.get(name, ()) if one in METRICS] for name in ("secondaries", "guardrails")}
    form["margins"] = {name: _one(posted, f"margin.{name}") or text for name, text in form["margins"].items()}
    return form


def goal_fields(form: Form, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan's fields of the first step; the primary metric is neither secondary nor a guardrail.

    A guardrail that was in the plan `before` is wanted to go where it was.
    """
    wanted = {one["metric"]: {"wanted": one["wanted"]} for one in before.get("guardrails", ())}
    return {
        **{name: form[name] for name in ("name", "hypothesis", "primary")},
        "secondaries": [one for one in form["secondaries"] if one != form["primary"]],
        "guardrails": [
            {"metric": name, "margin": amount_of(name, form["margins"][name]), **wanted.get(name, {})}
            for name in form["guardrails"]
            if name != form["primary"]
        ],
    }


def audience_form(plan: Mapping[str, Any]) -> Form:
    """Return the fields of the second step."""
    layer = plan["layer"] or {"name": "", "slots": ["", ""]}
    return {
        "audience": plan["audience"] or "",
        "channels": list(plan["channels"]),
        "coverage": typed("sold", plan["coverage"]),
        "holdout": typed("sold", plan["holdout"]),
        "layer": layer["name"],
        "first_slot": str(layer["slots"][0]),
        "last_slot": str(layer["slots"][1]),
    }


def posted_audience(posted: Posted) -> Form:
    """Return the fields of the second step as they were typed."""
    names = ("audience", "coverage", "holdout", "layer", "first_slot", "last_slot")
    return {**{name: _one(posted, name) for name in names}, "channels": list(posted.get("channels", ()))}


def audience_fields(form: Form) -> dict[str, Any]:
    """Return the plan's fields of the second step; a layer without slots has them all."""
    slots = [_whole(form["first_slot"], 0), _whole(form["last_slot"], 1000)]
    return {
        "audience": form["audience"].replace("\r\n", "\n").strip() or None,
        "channels": form["channels"],
        "coverage": amount_of("sold", form["coverage"] or "100"),
        "holdout": amount_of("sold", form["holdout"] or "0"),
        "layer": {"name": form["layer"], "slots": slots} if form["layer"].strip() else None,
    }


def power_form(plan: Mapping[str, Any]) -> Form:
    """Return the fields of the fourth step."""
    return {
        "smallest_effect": typed(plan["primary"], plan["smallest_effect"]),
        "planned_units": str(plan["planned_units"]),
        "maturity_days": str(plan["maturity_days"]),
        "learns": plan["allocation"]["kind"] == "thompson",
    }


def posted_power(posted: Posted) -> Form:
    """Return the fields of the fourth step as they were typed; the number beside "other" counts if that is chosen."""
    chosen = _one(posted, "planned_units")
    form = {name: _one(posted, name) for name in ("smallest_effect", "maturity_days")}
    units = _one(posted, "other_units") if chosen == "other" else chosen
    return {**form, "planned_units": units, "learns": bool(_one(posted, "learns"))}


def power_fields(form: Form, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan's fields of the fourth step."""
    kind = "thompson" if form["learns"] else "fixed"
    return {
        "smallest_effect": amount_of(plan["primary"], form["smallest_effect"]),
        "planned_units": form["planned_units"].replace(",", ""),
        "maturity_days": form["maturity_days"],
        "allocation": {**plan["allocation"], "kind": kind},
    }


def field_names(problems: Sequence[tuple[str, str]], fields: Mapping[str, Any]) -> dict[str, str]:
    """Return reasons by the form's field: guardrails by their metric, arms counted from 0, slots with their layer."""
    found: dict[str, str] = {}
    for name, reason in problems:
        parts = name.split(".")
        if parts[0] == "guardrails" and len(parts) > 1 and parts[1].isdigit():
            name = f"margin.{fields['guardrails'][int(parts[1]) - 1]['metric']}"
        elif parts[0] == "arms" and len(parts) > 1 and parts[1].isdigit():
            name = ".".join(["arm", str(int(parts[1]) - 1), *parts[2:]])
        elif parts[0] in ("layer", "allocation"):
            name = parts[0]
        found.setdefault(name, reason)
    return found


def _one(posted: Posted, name: str) -> str:
    return next(iter(posted.get(name, ())), "")


def _whole(text: str, otherwise: int) -> object:
    return int(text) if text.strip().isdecimal() else text or otherwise
