"""`nbo policy show` and `nbo policy change`: the numbers that permission and arbitration use."""

from typing import Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit


def show(as_json: JsonOption = False) -> None:
    """Show the decision policy in force, number by number."""
    from dataclasses import asdict

    from recsys.storage.database import open_database
    from serving.in_force import PolicyInService

    database = open_database(current_settings().event_log_url)
    try:
        with database.read() as log:
            policy = PolicyInService().current(log)
    finally:
        database.close()
    emit({"policy_version": policy.version, "numbers": asdict(policy)}, as_json, _lines(policy.version, asdict(policy)))


def change(
    numbers: Annotated[list[str], typer.Argument(help="NAME=VALUE, one or more, as in sales_cap=4.")],
    as_json: JsonOption = False,
) -> None:
    """Put a policy in force that differs in these numbers; the next decision uses it."""
    from dataclasses import asdict

    from recsys.domain.clock import system_clock
    from recsys.domain.policy import parse_policy
    from recsys.storage.database import open_database
    from serving.in_force import PolicyInService

    changes = dict(_number(one) for one in numbers)
    database = open_database(current_settings().event_log_url)
    try:
        database.upgrade()
        with database.transaction() as log:
            in_force = PolicyInService().current(log)
            policy = parse_policy(changes, in_force)
            log.save_policy(policy, system_clock())
    finally:
        database.close()
    before, after = asdict(in_force), asdict(policy)
    document = {"policy_version": policy.version, "changed": {n: [before[n], after[n]] for n in changes}}
    emit(document, as_json, _lines(policy.version, {name: f"{before[name]} → {after[name]}" for name in changes}))


def _number(text: str) -> tuple[str, bool | int | float | str]:
    name, _, value = text.partition("=")
    truths = {"true": True, "false": False}
    if value.lower() in truths:
        return name.strip(), truths[value.lower()]
    try:
        return name.strip(), float(value)
    except ValueError:
        return name.strip(), value


def _lines(version: str, numbers: dict[str, Any]) -> str:
    width = max((len(name) for name in numbers), default=0)
    return "\n".join([f"policy {version}", *(f"  {name:<{width}}  {value}" for name, value in numbers.items())])
