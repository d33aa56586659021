"""`nbo traffic`: a simulated contact centre that opens, holds and closes contacts over HTTP."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit, progress_bar

_DEFAULT_WORLD = {"customers": 5000, "months": 12, "seed": 7}


def _checked_url(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise typer.BadParameter("write it like http://127.0.0.1:8000")
    return url


def traffic(
    url: Annotated[str, typer.Option(help="Address of the service.", callback=_checked_url)] = "http://127.0.0.1:8000",
    rate: Annotated[float, typer.Option(min=0, help="Contacts a second that simulated agents hold.")] = 5.0,
    seconds: Annotated[float, typer.Option(min=0, help="How long; 0 = until interrupted.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides who gets in touch and what they say.")] = 1,
    waiting: Annotated[int, typer.Option(min=0, help="Contacts kept in the queue for human agents.")] = 0,
    customers: Annotated[int | None, typer.Option(min=1, help="People of the bank; default: the demo's.")] = None,
    world_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the bank; default: the demo's.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send simulated customers and agents to a running service and report how it answered."""
    import asyncio

    from recsys.domain.clock import system_clock
    from recsys.simulator.world import World
    from serving.cli.simulated_centre import Load, run_centre

    demo = demo_world(current_settings().home)
    world = World.build(
        customers if customers is not None else demo["customers"],
        demo["months"],
        world_seed if world_seed is not None else demo["seed"],
        system_clock(),
    )
    with progress_bar() as progress:
        report = asyncio.run(run_centre(world, Load(url, rate, seconds, seed, waiting), progress))
    emit(report, as_json, _lines(report))


def demo_world(home: Path) -> dict[str, int]:
    """Return size, months and seed of the bank that `nbo demo` built below `home`, or the default ones."""
    try:
        stored = json.loads((home / "demo.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return _DEFAULT_WORLD
    return {name: int(stored.get(name, default)) for name, default in _DEFAULT_WORLD.items()}


def _lines(report: Mapping[str, Any]) -> str:
    def listed(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"

    return "\n".join(
        [
            f"contacts  {report['contacts']} in {report['seconds']} s, {report['picked_up']} picked up by human agents",
            f"answers   {listed(report['answers'])}",
            f"requests  {report['requests']} answered, p50 {report['p50_ms']} ms, p99 {report['p99_ms']} ms",
            f"errors    {listed(report['errors'])}; {report['retries']} tried again",
        ]
    )
