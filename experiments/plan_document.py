"""A campaign's plan from a document, as YAML and JSON give it; every problem is named with its field."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from functools import partial
from typing import Any

from experiments.campaign import HOLDOUT, LAYER_SLOTS, Allocation, Arm, Guardrail, Layer, Plan
from experiments.comparison import MetricKind
from experiments.metrics import METRICS, Wanted
from recsys.catalogue import cells
from recsys.domain.conventions import AS_SHIPPED, AS_STORED, Conventions
from recsys.domain.errors import CampaignInvalid

MOST_ARMS = 10
MOST_COVARIATES = 5
_REQUIRED = ("name", "hypothesis", "arms", "primary", "smallest_effect", "planned_units")

Reader = Callable[[Any], Any]
Problems = list[tuple[str, str]]


def parse_plan(document: object, reading: Conventions = AS_SHIPPED) -> Plan:
    """Return the plan a document describes, its fields those of `Plan`; raises `CampaignInvalid` with every problem.

    `reading` says how channels and dates are written. Rules, covariates and treatments are checked by `check_plan`,
    which knows the catalogue in force.
    """
    if not isinstance(document, Mapping):
        raise CampaignInvalid([("plan", f"must have the fields {', '.join(_PLAN)}")])
    problems: Problems = []
    readers: Mapping[str, Reader] = {
        **_PLAN,
        "channels": partial(cells.channels, reading=reading),
        "starts_at": partial(cells.opening, calendar=reading.calendar),
        "ends_at": partial(cells.closing, calendar=reading.calendar),
    }
    found = _read(document, readers, problems)
    problems += [(name, "is required") for name in _REQUIRED if name not in found and not _named(name, problems)]
    problems += _contradictions(found)
    if problems:
        raise CampaignInvalid(problems)
    return Plan(**found)


def stored_plan(document: object) -> Plan:
    """Return a plan as it was stored: a channel that the bank has dropped since leaves it readable."""
    return parse_plan(document, AS_STORED)


def _read(document: Mapping[Any, Any], readers: Mapping[str, Reader], problems: Problems) -> dict[str, Any]:
    """Return the values of the fields that are given, and add what is wrong with them to `problems`."""
    found = {}
    for key, value in document.items():
        name = str(key)[: cells.LONGEST_NAME]
        if name not in readers:
            near = get_close_matches(name, readers, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(readers)}"
            problems.append((name, f"is not known; {hint}"))
        elif not cells.is_blank(value):
            try:
                found[name] = readers[name](value)
            except ValueError as error:
                problems.append((name, str(error)))
            except CampaignInvalid as error:
                problems += [(f"{name}.{field}", reason) for field, reason in error.problems]
    return found


def _part(value: object, kind: type[Any], readers: Mapping[str, Reader]) -> Any:
    """Return a part of the plan; raises `CampaignInvalid` with its fields alone."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must have the fields {', '.join(readers)}")
    problems: Problems = []
    found = _read(value, readers, problems)
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    problems += [(name, "is required") for name in needed if name not in found and not _named(name, problems)]
    if problems:
        raise CampaignInvalid(problems)
    return kind(**found)


def _parts(value: object, read: Reader, most: int) -> tuple[Any, ...]:
    """Return a list of parts, numbered from 1 in problems."""
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list")
    if len(value) > most:
        raise ValueError(f"must have at most {most} entries")
    found, problems = [], Problems()
    for number, one in enumerate(value, start=1):
        try:
            found.append(read(one))
        except CampaignInvalid as error:
            problems += [(f"{number}.{field}", reason) for field, reason in error.problems]
        except ValueError as error:
            problems.append((str(number), str(error)))
    if problems:
        raise CampaignInvalid(problems)
    return tuple(found)


def _whole(value: object, low: int, high: int) -> int:
    parsed = cells.number(value, low, high)
    if parsed != int(parsed):
        raise ValueError("must be a whole number")
    return int(parsed)


def _above_zero(value: object, high: float) -> float:
    parsed = cells.number(value, 0.0, high)
    if parsed == 0:
        raise ValueError("must be above 0")
    return parsed


def _metric(value: object) -> str:
    if not isinstance(value, str) or value not in METRICS:
        near = get_close_matches(str(value)[:60], METRICS, n=1)
        raise ValueError(f"must be one of {', '.join(METRICS)}{f'; the nearest is {near[0]}' if near else ''}")
    return value


def _slots(value: object) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("must be the first slot and the one after the last, as in [0, 500]")
    first, last = _whole(value[0], 0, LAYER_SLOTS - 1), _whole(value[1], 1, LAYER_SLOTS)
    if first >= last:
        raise ValueError("must hold a slot: the first comes before the last")
    return first, last


def _treatment(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a change document: offers, remove, policy, levers, model")
    return value


def _kind(value: object) -> str:
    if value not in ("fixed", "thompson"):
        raise ValueError("must be fixed or thompson")
    return str(value)


def _guardrail(value: object) -> Guardrail:
    if isinstance(value, Mapping) and str(value.get("metric")) in METRICS and cells.is_blank(value.get("wanted")):
        value = {**value, "wanted": METRICS[str(value["metric"])].wanted}
    return _part(value, Guardrail, _GUARDRAIL)  # type: ignore[no-any-return]


_share = partial(cells.number, low=0.0, high=1.0)
_ARM: Mapping[str, Reader] = {
    "name": cells.name,
    "weight": partial(cells.number, low=0.0, high=1e6),
    "control": cells.flag,
    "treatment": _treatment,
}
_LAYER: Mapping[str, Reader] = {"name": cells.name, "slots": _slots}
_GUARDRAIL: Mapping[str, Reader] = {
    "metric": _metric,
    "margin": partial(cells.number, low=0.0, high=1e12),
    "wanted": partial(cells.choice, kinds=Wanted),
}
_ALLOCATION: Mapping[str, Reader] = {
    "kind": _kind,
    "floor": _share,
    "every_hours": partial(_whole, low=1, high=720),
    "fixed_slice": _share,
}
_PLAN: Mapping[str, Reader] = {
    "name": cells.name,
    "hypothesis": cells.text,
    "arms": partial(_parts, read=partial(_part, kind=Arm, readers=_ARM), most=MOST_ARMS),
    "primary": _metric,
    "smallest_effect": partial(_above_zero, high=1e12),
    "planned_units": partial(_whole, low=2, high=10**12),
    "audience": cells.rule_text,
    "channels": cells.channels,
    "coverage": partial(_above_zero, high=1.0),
    "holdout": partial(cells.number, low=0.0, high=0.5),
    "layer": partial(_part, kind=Layer, readers=_LAYER),
    "secondaries": partial(_parts, read=_metric, most=len(METRICS)),
    "guardrails": partial(_parts, read=_guardrail, most=len(METRICS)),
    "covariates": partial(_parts, read=cells.name, most=MOST_COVARIATES),
    "alpha": partial(_above_zero, high=0.5),
    "power": partial(cells.number, low=0.5, high=0.999),
    "minimum_days": partial(_whole, low=7, high=365),
    "maturity_days": partial(_whole, low=0, high=365),
    "starts_at": cells.opening,
    "ends_at": cells.closing,
    "daily_cap": cells.count,
    "total_cap": cells.count,
    "allocation": partial(_part, kind=Allocation, readers=_ALLOCATION),
}


def _named(name: str, problems: Problems) -> bool:
    return any(field == name or field.startswith(f"{name}.") for field, _ in problems)


def _contradictions(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "arms" in found:
        yield from _of_arms(found["arms"], found.get("allocation", Allocation()))
    for field in ("secondaries", "covariates"):
        yield from _twice(field, found.get(field, ()))
    yield from _twice("guardrails", [one.metric for one in found.get("guardrails", ())])
    if found.get("primary") in found.get("secondaries", ()):
        yield "secondaries", "must not hold the primary metric"
    starts, ends = found.get("starts_at"), found.get("ends_at")
    if starts and ends and ends <= starts:
        yield "ends_at", "must be later than starts_at"
    primary = METRICS.get(found.get("primary", ""))
    if primary and primary.kind is MetricKind.BINARY and found.get("smallest_effect", 0) >= 1:
        yield "smallest_effect", "of a share must be below 1"
    if primary and primary.kind is MetricKind.RATIO and found.get("allocation", Allocation()).kind == "thompson":
        yield "allocation.kind", "can be thompson for a primary metric of each customer alone, not for a ratio"


def _of_arms(arms: Sequence[Arm], allocation: Allocation) -> Iterator[tuple[str, str]]:
    names, controls = [arm.name for arm in arms], [arm for arm in arms if arm.control]
    if len(arms) < 2:
        yield "arms", "must be two or more"
    elif len(set(names)) < len(names):
        yield from _twice("arms", names)
    elif HOLDOUT in names:
        yield "arms", f"cannot be called {HOLDOUT}, which is what nobody's arm is called"
    elif len(controls) != 1:
        yield "arms", f"must have one arm with control: true, and {len(controls)} have"
    elif controls[0].weight == 0 or all(arm.weight == 0 for arm in arms if not arm.control):
        yield "arms", "must have weights above 0 for the control and another arm"
    if allocation.kind == "thompson" and allocation.floor * len(arms) > 1:
        yield "allocation.floor", f"of {len(arms)} arms adds up to more than 1"


def _twice(field: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield field, f"must not hold {name[:60]!r} twice"
