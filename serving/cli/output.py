"""How every command speaks: one JSON document or readable lines on standard output, progress on standard error."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

Progress = Callable[[str, int, int | None], None]
"""Called with (what is being done, how much is done, of how much or None)."""


def emit(document: Mapping[str, Any], as_json: bool, lines: str | None = None) -> None:
    """Print `document` as JSON, or else `lines` (or the document's entries, one a line)."""
    if as_json:
        import json

        typer.echo(json.dumps(document, ensure_ascii=False, default=str))
        return
    typer.echo(lines if lines is not None else "\n".join(f"{key}: {value}" for key, value in document.items()))


def interval(entry: Mapping[str, float], sign: str = "") -> str:
    """Return "mean [low, high]"; `sign` "+" shows the sign of each."""
    return f"{entry['mean']:{sign}.4f} [{entry['low']:{sign}.4f}, {entry['high']:{sign}.4f}]"


def table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Return `rows` below their `header`, every column as wide as its widest cell."""
    lines = [header, *rows]
    widths = [max(len(str(line[place])) for line in lines) for place in range(len(header))]
    padded = [[f"{cell!s:<{width}}" for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Draw progress on standard error, from the first call on; yields the function that long work calls."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = RichProgress(*columns, console=Console(stderr=True))
    tasks: dict[str, Any] = {}

    def report(what: str, done: int, total: int | None = None) -> None:
        if not tasks:
            bars.start()
        if what not in tasks:
            for task in tasks.values():
                bars.stop_task(task)
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    try:
        yield report
    finally:
        if tasks:  # or what fails at once would end in an empty line and its reason, instead of one line
            bars.stop()
