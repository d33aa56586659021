"""What a campaign's result page shows: the API's figures, put into rows, words and charts."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from math import floor, log10
from typing import Any, Literal, NamedTuple

from experiments.campaign import HOLDOUT, TRANSITIONS, Plan, Status
from experiments.metrics import METRICS
from serving.campaigns.words import METRIC_NAMES, is_share
from serving.consoles.charts import Unit, figure
from serving.consoles.formats import name
from serving.consoles.wording import Say

Document = Mapping[str, Any]
ChangeUnit = Unit | Literal["share"]
"""The unit of a change; "share" is of those relative to the control."""
Tone = Literal["good", "bad", "warn", "neutral"]

_TONES: Mapping[str | None, Tone] = {"ship": "good", "stop_harm": "bad", "stop_futile": "warn", "continue": "neutral"}
_GUARDRAILS: Mapping[str, tuple[str, Tone]] = {
    "guardrail_held": ("guard_held", "good"),
    "guardrail_harmed": ("guard_harmed", "bad"),
    "guardrail_undecided": ("guard_undecided", "neutral"),
}
_WIDEST = 1.0
"""Relative effects beyond this are drawn at the edge."""


class Words(NamedTuple):
    """The reader's language and the texts in it."""

    language: str
    say: Say

    def metric(self, name: str) -> str:
        """Return what a metric is called."""
        return METRIC_NAMES[name][self.language]


class Bar(NamedTuple):
    """An interval as it is drawn, its places from 0 (left) to 100 with no effect at 50."""

    low: float
    high: float
    at: float


class Effect(NamedTuple):
    """An effect in words: the estimate and its interval, "" where there is none."""

    estimate: str
    interval: str


class Row(NamedTuple):
    """One metric of one arm."""

    metric: str
    roles: tuple[str, ...]
    wanted: str
    control: str
    treated: str
    absolute: Effect
    relative: Effect
    bar: Bar | None
    outcome: str
    tone: Tone
    more: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def units_of(metric: str) -> tuple[Unit, Unit]:
    """Return the unit of a metric's means and that of its effects."""
    return ("percent", "points") if is_share(metric) else ("number", "number")


def tone_of(decision: str | None) -> Tone:
    """Return how a verdict looks."""
    return _TONES.get(decision, "bad")


def actions_of(status: str) -> list[str]:
    """Return what can be done to a launched campaign, as the buttons name it."""
    allowed = TRANSITIONS[Status(status)]
    names = {Status.RUNNING: "start", Status.PAUSED: "pause", Status.STOPPED: "stop", Status.SHIPPED: "ship"}
    return [name for wanted, name in names.items() if wanted in allowed]


def rows(results: Document, plan: Plan, arm: str, words: Words) -> Iterator[Row]:
    """Yield every metric of one arm against the control: the goal first, then guardrails, then the others."""
    states = next(one for one in results["arms"] if one["arm"] == arm)["guardrails"]
    guardrails = {one["metric"]: one for one in states}
    found = [one for one in results["metrics"] if one["arm"] == arm]
    order = sorted(found, key=lambda one: (one["name"] != plan.primary, one["name"] not in guardrails))
    for one in order:
        yield _row(one, plan, guardrails.get(one["name"]), words)


def _row(one: Document, plan: Plan, guardrail: Document | None, words: Words) -> Row:
    metric, say = one["name"], words.say
    level, change = units_of(metric)
    wanted = METRICS[metric].wanted.value
    outcome, tone = _outcome(one["absolute"], wanted, say)
    roles = [say("role_goal")] if metric == plan.primary else []
    if guardrail:
        margin = f"{guardrail['margin'] * 100:g} {say('points')}" if change == "points" else f"{guardrail['margin']:g}"
        roles.append(say("role_guardrail", margin=margin))
        if metric != plan.primary:
            key, tone = _GUARDRAILS[guardrail["state"]]
            outcome = say(key)
    return Row(
        metric=words.metric(metric),
        roles=tuple(roles or [say("role_secondary")]),
        wanted=say(f"wanted_{wanted}"),
        control=figure(one["mean"][one["control"]], level, say),
        treated=figure(one["mean"][one["arm"]], level, say),
        absolute=effect(one["absolute"], change, say),
        relative=effect(one["relative"], "share", say),
        bar=_bar(one["relative"]),
        outcome=outcome,
        tone=tone,
        more=tuple(_more(one, change, say)),
        notes=tuple(one["notes"]),
    )


def effect(estimate: Document | None, unit: ChangeUnit, say: Say, kind: str = "always_valid") -> Effect:
    """Return an estimate with one of its intervals."""
    if estimate is None:
        return Effect("–", "")
    return between(estimate["estimate"], estimate[kind]["low"], estimate[kind]["high"], unit, say)


def between(value: float | None, low: float | None, high: float | None, unit: ChangeUnit, say: Say) -> Effect:
    """Return a change and its interval with as many decimals as its width is worth; an unknown bound is endless."""
    if value is None:
        return Effect("–", "")
    scale, suffix = {"points": (100, f" {say('points')}"), "share": (100, " %")}.get(unit, (1, ""))
    width = (high - low if low is not None and high is not None else abs(value)) * scale
    decimals = min(max(1 - floor(log10(width)), 1), 6) if 0 < width < 1000 else 0

    def signed(number: float | None, unknown: str) -> str:
        return unknown if number is None else f"{round(number * scale, decimals):+z,.{decimals}f}"

    if low is high is None:
        return Effect(signed(value, "") + suffix, "")
    return Effect(signed(value, "") + suffix, f"[{signed(low, '−∞')}, {signed(high, '+∞')}]{suffix}")


def _outcome(absolute: Document | None, wanted: str, say: Say) -> tuple[str, Tone]:
    if absolute is None:
        return say("outcome_none"), "neutral"
    low, high = absolute["always_valid"]["low"], absolute["always_valid"]["high"]
    if low is not None and low > 0:
        return (say("outcome_better"), "good") if wanted == "increase" else (say("outcome_worse"), "bad")
    if high is not None and high < 0:
        return (say("outcome_worse"), "bad") if wanted == "increase" else (say("outcome_better"), "good")
    return say("outcome_open"), "neutral"


def _bar(relative: Document | None) -> Bar | None:
    if relative is None or relative["always_valid"]["low"] is None:
        return None
    values = (*(relative["always_valid"][bound] for bound in ("low", "high")), relative["estimate"])
    return Bar(*(50 + 50 * max(-1.0, min(1.0, value / _WIDEST)) for value in values))


def _more(one: Document, unit: Unit, say: Say) -> Iterator[tuple[str, str]]:
    """Yield the further figures of a metric, each with its label."""
    if one["absolute"]:
        yield say("more_fixed_absolute"), effect(one["absolute"], unit, say, "fixed").interval
    if one["relative"]:
        yield say("more_fixed_relative"), effect(one["relative"], "share", say, "fixed").interval or "–"
    if cuped := one["cuped"]:
        yield say("more_cuped"), " ".join(effect(cuped["absolute"], unit, say))
        yield say("more_cuped_gain"), figure(cuped["variance_reduction"], "percent", say)
    if bayes := one["bayes"]:
        chance = bayes["chance_to_win"]
        is_up = METRICS[one["name"]].wanted.value == "increase"
        yield say("more_chance_up"), figure(chance, "percent", say)
        if is_up:
            yield say("more_risk"), figure(bayes["risk"], unit, say)
    if (p_value := one["adjusted_p_value"]) is not None:
        yield say("more_p"), p_text(p_value)


def p_text(value: float) -> str:
    """Return a p-value as it is read: three decimals, and where it is tiny that it is."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def split_p(results: Document) -> str:
    """Return the smaller p-value of the two split checks, as it is read."""
    return p_text(min(results["srm"][name] or 0.0 for name in ("p_value", "sequential_p_value")))


def split_rows(results: Document, words: Words) -> list[tuple[str, int, str, float, str]]:
    """Return of every arm: its name, units, their share, units expected and their share."""
    expected = results["srm"]["expected"]
    seen = {arm: results["funnel"].get(arm, {}).get("assigned", 0) for arm in expected}
    total, due = sum(seen.values()) or 1, sum(expected.values()) or 1

    def share(part: float) -> str:
        return f"{part * 100:.1f} %"

    return [
        (arm_name(arm, words.say), seen[arm], share(seen[arm] / total), expected[arm], share(expected[arm] / due))
        for arm in expected
    ]


def arm_name(arm: str, say: Say) -> str:
    """Return an arm's name, that of the holdout in words."""
    return say("holdout") if arm == HOLDOUT else arm


def pitch_rates(results: Document, plan: Plan) -> list[tuple[str, float | None, int, int]]:
    """Return of every treatment: the share of its customers that were pitched to, how many these are, and of how many.

    The control's customers have nothing of the campaign to be pitched, unless it is about offers that they have too.
    """
    funnel = {arm: results["funnel"].get(arm, {"pitched": 0, "assigned": 0}) for arm in plan.treatments}
    return [
        (arm, one["pitched"] / one["assigned"] if one["assigned"] else None, one["pitched"], one["assigned"])
        for arm, one in funnel.items()
    ]


def compliance(results: Document, plan: Plan, arm: str, words: Words) -> tuple[Effect, Effect, Effect]:
    """Return an arm's primary effect on all, on those who were really pitched to, and with agents as clusters."""
    unit, say = units_of(plan.primary)[1], words.say
    found = next(one for one in results["arms"] if one["arm"] == arm)
    whole = next((one for one in results["metrics"] if (one["name"], one["arm"]) == (plan.primary, arm)), None)
    by_agent = found["by_agent"]
    one = found["compliers"] or {"estimate": None, "low": None, "high": None}
    return (
        effect(whole["absolute"] if whole else None, unit, say),
        between(one["estimate"], one["low"], one["high"], unit, say),
        effect(by_agent["absolute"] if by_agent else None, unit, say),
    )


def until_first(results: Document, today: date) -> int | None:
    """Return in how many days the first results come, None before anybody was assigned."""
    first = results["first_results_on"]
    return max((date.fromisoformat(first) - today) // timedelta(days=1), 0) if first else None


def segment_name(value: str, words: Words) -> str:
    """Return what a value of a customer column is called."""
    return words.say("yes" if value == "true" else "no") if value in ("true", "false") else name(value, words.language)
