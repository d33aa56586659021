"""The arms of a campaign as a form: read from what was posted or from a plan, edited row by row, and a plan's again."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.plan_document import MOST_ARMS
from recsys.catalogue import Catalogue
from serving.consoles.treatment_form import KINDS, Change, changes_of, filled, treatment_of, with_id

Problems = dict[str, str]
_FIELD = re.compile(r"arm\.(\d{1,2})\.(?:change\.(\d{1,2})\.)?(term\.)?(.+)")
_LETTERS = "BCDEFGHIJ"


@dataclass(slots=True)
class ArmForm:
    """One arm: its share as a percentage that was typed, the rows of what it does, and the JSON of what no row says."""

    name: str = ""
    weight: str = ""
    is_control: bool = False
    changes: list[Change] = field(default_factory=list)
    advanced: str = ""


def arms_of_plan(plan: Mapping[str, Any], catalogue: Catalogue) -> list[ArmForm]:
    """Return the arms of a saved plan."""
    total = sum(arm["weight"] for arm in plan["arms"])
    arms = []
    for arm in plan["arms"]:
        changes, rest = changes_of(arm["treatment"], catalogue)
        advanced = json.dumps(rest, ensure_ascii=False, indent=2) if rest else ""
        arms.append(ArmForm(arm["name"], _percent(arm["weight"] / total), arm["control"], changes, advanced))
    return arms


def arms_of_form(values: Mapping[str, str]) -> list[ArmForm]:
    """Return the arms as they were typed."""
    arms: dict[int, ArmForm] = {}
    changes: dict[tuple[int, int], Change] = {}
    for key, value in values.items():
        if not (found := _FIELD.fullmatch(key)):
            continue
        number, row, is_term, name = int(found[1]), found[2], found[3], found[4]
        arm = arms.setdefault(number, ArmForm())
        if row is None:
            _set_arm(arm, name, value)
        else:
            _set_change(changes.setdefault((number, int(row)), Change("")), bool(is_term), name, value)
    for (number, _), change in sorted(changes.items()):
        if change.kind in KINDS:
            arms[number].changes.append(change)
    return [arm for _, arm in sorted(arms.items())]


def plan_arms(arms: list[ArmForm], catalogue: Catalogue, say_json: str) -> tuple[list[dict[str, Any]], Problems]:
    """Return the arms as a plan has them, and what is wrong with JSON by field; new offers get their ids here."""
    documents, problems = [], Problems()
    taken: set[str] = set()
    for number, arm in enumerate(arms):
        for place, change in enumerate(arm.changes):
            if change.kind == "add" and not change.offer_id:
                arm.changes[place] = with_id(change, catalogue, taken)
            taken.add(arm.changes[place].offer_id)
        try:
            treatment = treatment_of(arm.changes, arm.advanced, catalogue)
        except ValueError:
            treatment, problems[f"arm.{number}.advanced"] = {}, say_json
        weight = arm.weight.replace("%", "").strip()
        documents.append({"name": arm.name, "weight": weight, "control": arm.is_control, "treatment": treatment})
    return documents, problems


def share_total(arms: list[ArmForm]) -> float | None:
    """Return what the shares add up to in percent; None where one of them is no number, which the service refuses."""
    try:
        return round(sum(float(arm.weight.replace("%", "")) for arm in arms), 2)
    except ValueError:
        return None


def edited(arms: list[ArmForm], wish: str, catalogue: Catalogue) -> str | None:
    """Do what a button of the form asks for, as in "add:1:words"; return the id of the field to go on with."""
    action, *where = wish.split(":")
    places = [int(part) for part in where if part.isdigit()]
    if action == "equal":
        _share_equally(arms)
    elif action == "add-arm" and len(arms) < MOST_ARMS:
        names = {arm.name for arm in arms}
        arms.append(ArmForm(next(letter for letter in _LETTERS if letter not in names)))
        _share_equally(arms)
        return f"arm-{len(arms) - 1}-name"
    elif not places or places[0] >= len(arms):
        return None
    elif action == "drop-arm" and len(arms) > 2:
        del arms[places[0]]
        _share_equally(arms)
    elif action == "add" and where[-1] in KINDS:
        arms[places[0]].changes.append(filled(Change(where[-1]), catalogue))
        return f"arm-{places[0]}-change-{len(arms[places[0]].changes) - 1}-first"
    elif len(places) == 2 and places[1] < len(arms[places[0]].changes):
        return _edited_row(arms[places[0]].changes, places, action, catalogue)
    return None


def _edited_row(changes: list[Change], places: list[int], action: str, catalogue: Catalogue) -> str | None:
    if action == "drop":
        del changes[places[1]]
        return f"arm-{places[0]}-add"
    if action == "pick":
        changes[places[1]] = filled(changes[places[1]], catalogue)
        return f"arm-{places[0]}-change-{places[1]}-first"
    return None


def _share_equally(arms: list[ArmForm]) -> None:
    for arm in arms:
        arm.weight = _percent(1 / len(arms))


def _set_arm(arm: ArmForm, name: str, value: str) -> None:
    if name == "control":
        arm.is_control = value == "true"
    elif name in ("name", "weight", "advanced"):
        setattr(arm, name, value)


def _set_change(change: Change, is_term: bool, name: str, value: str) -> None:
    if is_term:
        change.terms[name] = value
    elif name in ("kind", "offer_id"):
        setattr(change, name, value)
    else:
        change.values[name] = value


def _percent(share: float) -> str:
    return f"{share * 100:.2f}".rstrip("0").rstrip(".")
