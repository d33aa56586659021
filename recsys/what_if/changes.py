"""Change files: each scenario's changes to the catalogue and the policy, as its rulebook."""

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.catalogue.change import PARTS, changed
from recsys.domain.calendar import UTC_DAYS, BankCalendar
from recsys.domain.conventions import Conventions
from recsys.domain.errors import ChangeInvalid
from recsys.rules.vocabulary import Vocabulary
from recsys.what_if.rulebook import TODAY, Rulebook

MOST_SCENARIOS = 10
SIMULATED = ("value", "propensity", "no_levers")
"""Ways of arbitration that order offers by a score, as a what-if does."""


def parse_changes(
    document: object, file: str, today: Rulebook, vocabulary: Vocabulary, calendar: BankCalendar = UTC_DAYS
) -> list[Rulebook]:
    """Return the rulebook of every scenario of a change file: `PARTS`, or a list of such under `scenarios`.

    `file` names the place in errors, and the scenario of a file that holds one change; `vocabulary` is what rules
    may name. Channels are written in the words of today's policy. Raises `ChangeInvalid`.
    """
    known = vocabulary, Conventions(today.policy.words, calendar)
    if not isinstance(document, Mapping):
        raise ChangeInvalid(file, f"must hold {', '.join(PARTS)}, or scenarios")
    if "scenarios" not in document:
        return [_changed(document, file, file.rpartition(".")[0] or file, today, known)]
    scenarios = document["scenarios"]
    if len(document) > 1 or not isinstance(scenarios, list) or not scenarios:
        raise ChangeInvalid(file, "scenarios must be the only key, with a list under it")
    found = []
    for number, scenario in enumerate(scenarios, start=1):
        place = f"{file}, scenario {number}"
        if not isinstance(scenario, Mapping) or not isinstance(scenario.get("name"), str) or not scenario["name"]:
            raise ChangeInvalid(place, "needs a name")
        parts = {key: value for key, value in scenario.items() if key != "name"}
        found.append(_changed(parts, f"{place} ({scenario['name']})", scenario["name"], today, known))
    return found


def check_rulebooks(rulebooks: Sequence[Rulebook]) -> None:
    """Raise `ChangeInvalid` unless each can be simulated, has a name of its own, and there are not too many."""
    for rulebook in rulebooks:
        if rulebook.policy.arbitration not in SIMULATED:
            reason = f"{rulebook.policy.arbitration} cannot be simulated; {', '.join(SIMULATED)} can"
            raise ChangeInvalid(f"{rulebook.name}, policy, arbitration", reason)
    names = [rulebook.name for rulebook in rulebooks]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ChangeInvalid(twice, f"each scenario needs a name of its own, other than {TODAY!r}")
    if len(names) > MOST_SCENARIOS + 1:
        raise ChangeInvalid("scenarios", f"at most {MOST_SCENARIOS} are compared at a time")


def _changed(
    parts: Mapping[Any, Any], place: str, name: str, today: Rulebook, known: tuple[Vocabulary, Conventions]
) -> Rulebook:
    return Rulebook(name, *changed(parts, place, today.catalogue, today.policy, *known))
