"""`nbo policy show`, `change` and `vocabulary`: the numbers and the words that permission and arbitration use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from recsys.domain.vocabulary import Vocabulary
    from recsys.storage.event_log import EventLog
    from recsys.storage.vocabulary_log import Reread, UnknownWord
    from serving.in_force import PolicyInService


def show(as_json: JsonOption = False) -> None:
    """Show the decision policy in force, number by number; its vocabulary is shown by `nbo policy vocabulary`."""
    with _event_log() as (log, in_force):
        policy = in_force.current(log)
    numbers = policy.numbers()
    emit({"policy_version": policy.version, "numbers": numbers}, as_json, _lines(policy.version, numbers))


def change(
    numbers: Annotated[list[str], typer.Argument(help="NAME=VALUE, one or more, as in sales_cap=4.")],
    as_json: JsonOption = False,
) -> None:
    """Put a policy in force that differs in these numbers; the next decision uses it."""
    from recsys.domain.clock import system_clock
    from serving.policy.service import saved_change

    changes = dict(_number(one) for one in numbers)
    with _event_log(write=True) as (log, in_force):
        changed = saved_change(log, in_force, changes, (_actor(), system_clock()))
    before, after = changed.before.document(), changed.after.document()
    document = {"policy_version": changed.after.version, "changed": {n: [before[n], after[n]] for n in changes}}
    emit(
        document,
        as_json,
        _lines(changed.after.version, {name: f"{before[name]} → {after[name]}" for name in changes}),
    )


def vocabulary(
    file: Annotated[
        Path | None, typer.Argument(help="YAML or JSON of the bank's own words; they replace the present ones.")
    ] = None,
    drop_words: Annotated[
        bool, typer.Option("--drop-words", help="Also where words of complaints, or for true and false, are lost.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the bank's own words for channels, reasons and intents and the words nobody knows, or save new ones."""
    from recsys.domain.clock import system_clock
    from serving.policy.service import saved_change

    reread = None
    document = None if file is None else _read_words(file)
    with _event_log(write=document is not None) as (log, in_force):
        policy = in_force.current(log)
        if document is not None:
            changes, by = {"vocabulary": document}, (_actor(), system_clock())
            changed = saved_change(log, in_force, changes, by, drop_words)
            policy, reread = changed.after, changed.reread
        unknown = [_unknown(one, policy.words) for one in log.unknown_words()]
    own = policy.document()["vocabulary"]
    answer = {"policy_version": policy.version, "vocabulary": own, "unknown": unknown}
    emit({**answer, "reread": None if reread is None else asdict(reread)}, as_json, _word_lines(answer, reread))


def _read_words(file: Path) -> Any:
    from recsys.catalogue.offers_file import read_yaml

    document = read_yaml(file)
    return {} if document is None else document


def _unknown(one: "UnknownWord", words: "Vocabulary") -> dict[str, Any]:
    nearest = words.nearest_channel(one.word) if one.part == "channel" else words.nearest_need(one.word)
    return {"part": one.part, "word": one.word, "times": one.times, "nearest": nearest}


def _word_lines(answer: dict[str, Any], reread: "Reread | None") -> str:
    import json

    lines = [f"policy {answer['policy_version']}", json.dumps(answer["vocabulary"], ensure_ascii=False, indent=2)]
    if reread is not None:
        lines.append(
            f"read anew: {reread.renamed:,} rows got a name, {reread.complaints:,} contacts became complaints, "
            f"{reread.no_complaints:,} are none any more"
        )
    if answer["unknown"]:
        lines.append("words that nobody knows:")
    for one in answer["unknown"]:
        near = f"  (nearest: {one['nearest']})" if one["nearest"] else ""
        lines.append(f"  {one['part']:<8} {one['word']}  {one['times']:,} times{near}")
    return "\n".join(lines)


@contextmanager
def _event_log(write: bool = False) -> "Iterator[tuple[EventLog, PolicyInService]]":
    from recsys.storage.database import open_database
    from serving.in_force import PolicyInService

    database = open_database(current_settings().event_log_url)
    try:
        if write:
            database.upgrade()
        with database.transaction() if write else database.read() as log:
            yield log, PolicyInService()
    finally:
        database.close()


def _actor() -> str:
    """Return who works at this machine."""
    import getpass

    try:
        return getpass.getuser()
    except OSError:
        return "command line"


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
