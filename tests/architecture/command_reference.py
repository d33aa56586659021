"""Every command of `nbo` with its arguments and options, taken from the commands themselves."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from serving.cli.main import build


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Yield the full name and the definition of each command, in the order `nbo --help` has them."""
    yield from _leaves("nbo", typer.main.get_command(build()))


def command_reference() -> str:
    """Return the reference as Markdown: a section a command, a table of its parameters."""
    return "\n".join(_section(name, command) for name, command in commands())


def _leaves(name: str, command: Any) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for child, definition in command.commands.items():
            yield from _leaves(f"{name} {child}", definition)
    else:
        yield name, command


def _section(name: str, command: TyperCommand) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = [record for parameter in command.params if (record := parameter.get_help_record(context)) is not None]
    rows = [f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in records]
    return "\n".join([
        f"## {name}", "", _cell(command.help or ""), "", f"    {usage}", "",
        *(["| parameter | meaning |", "|---|---|", *rows, ""] if rows else []),
    ])  # fmt: skip


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
