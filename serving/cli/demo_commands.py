"""`nbo demo`: a whole simulated bank, from nothing to a live contact centre, in one command."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.domain.errors import SettingsInvalid
from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, emit, progress_bar
from serving.cli.serve_commands import PortOption, check_exposure, check_port, run_server

if TYPE_CHECKING:
    from serving.settings import Settings

WAITING_CONTACTS = 4
CONTACTS_A_SECOND = 0.5


def demo(
    customers: Annotated[int, typer.Option(min=100, help="People of the simulated bank.")] = 5000,
    months: Annotated[int, typer.Option(min=2, max=60, help="Months of history.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bank and of the training.")] = 7,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop after the promotion.")] = False,
    port: PortOption = 8000,
    as_json: JsonOption = False,
) -> None:
    """Build a simulated bank, train and promote a model, and serve it with a simulated contact centre."""
    settings = current_settings()
    check_exposure(settings, "127.0.0.1")
    if not no_serve:
        check_port("127.0.0.1", port)
    summary = prepare(settings, {"customers": customers, "months": months, "seed": seed})
    addresses = {page: f"http://127.0.0.1:{port}/{page}" for page in ("agent", "marketing", "science")}
    document = summary if no_serve else {**summary, "addresses": addresses, "sign_in": "none needed in the demo"}
    emit(document, as_json, _lines(summary, {} if no_serve else addresses))
    if not no_serve:
        with simulated_centre(f"http://127.0.0.1:{port}"):
            run_server(settings, "127.0.0.1", port, workers=1)


def prepare(settings: "Settings", wanted: dict[str, int]) -> dict[str, Any]:
    """Build the bank of `wanted` (customers, months, seed) below NBO_HOME, or find it there; returns a summary.

    Raises SettingsInvalid when another bank lives there: nothing of it is touched.
    """
    from recsys.domain.clock import system_clock
    from recsys.simulator.import_directory import write_import_directory
    from recsys.simulator.world import World
    from serving.cli.bank import BankBuild, build_bank, fill_features, learn
    from serving.cli.lived_weeks import first_day, live_through
    from serving.embedded_redis import redis_of

    settings.home.mkdir(parents=True, exist_ok=True)
    file, known = settings.home / "demo.json", _known_bank(settings, wanted)
    if "summary" in known:
        summary: dict[str, Any] = known["summary"]
        return summary
    began = time.monotonic()
    # An interrupted build must draw the same rows again, so its moment is kept from the first try.
    now = datetime.fromisoformat(known["now"]) if known else system_clock()
    kept = {**wanted, "now": now.isoformat()}
    _keep(file, {**known, **kept})

    def keep(days_lived: int) -> None:
        _keep(file, kept | {"days_lived": days_lived})

    with progress_bar() as progress, redis_of(settings) as redis_url:
        progress("draw the bank", 0, None)
        world = World.build(wanted["customers"], wanted["months"], wanted["seed"], first_day(now))
        rows = write_import_directory(world, settings.home / "import", progress)
        plan = BankBuild(wanted["seed"], known_until=world.now)
        built = build_bank(settings, settings.home / "import", redis_url, plan, progress)
        lived = live_through(settings, redis_url, world, known.get("days_lived", 0), keep, progress)
        features = fill_features(settings, redis_url, progress)
        learned = learn(settings, built["training"]["best"], wanted["seed"], progress)
    features["materialized"] = built["features"]["materialized"]  # everybody; later only who changed is written
    summary = {"bank": {**wanted, **rows}, **built, "features": features, "lived": lived, "learned": learned}
    summary["seconds"] = round(time.monotonic() - began, 1)
    _keep(file, kept | {"summary": summary})
    return summary


def _known_bank(settings: "Settings", wanted: dict[str, int]) -> dict[str, Any]:
    """Return what is known of the demo's bank that lives here, nothing where none does; refuse another bank."""
    file = settings.home / "demo.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    there = {name: known.get(name) for name in wanted}
    if known and there != wanted:
        said = ", ".join(f"{name} {value}" for name, value in there.items())
        raise SettingsInvalid(f"{settings.home} holds another bank ({said}); set NBO_HOME to a new folder.")
    if not known and settings.database_url is None and (settings.home / "nbo.db").exists():
        raise SettingsInvalid(f"{settings.home} holds a bank of your own; set NBO_HOME to a new folder for the demo.")
    return known


def _keep(file: Path, document: dict[str, Any]) -> None:
    """Write the demo's notes whole or not at all."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(document, default=str))
    beside.replace(file)


@contextmanager
def simulated_centre(url: str) -> Iterator[None]:
    """Run `nbo traffic` against the service in a process of its own, from when it is ready until the end."""
    ended = threading.Event()
    centre: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        from urllib.request import urlopen

        while not ended.wait(0.5):
            try:
                urlopen(f"{url}/readyz", timeout=1).close()
            except OSError:
                continue
            command = [sys.executable, "-c", "from serving.cli.main import main; main()", "traffic", "--url", url]
            options = ["--rate", str(CONTACTS_A_SECOND), "--seconds", "0", "--waiting", str(WAITING_CONTACTS)]
            nowhere = subprocess.DEVNULL
            centre.append(subprocess.Popen([*command, *options], stdin=nowhere, stdout=nowhere, stderr=nowhere))
            return

    starter = threading.Thread(target=start, name="simulated-centre", daemon=True)
    starter.start()
    try:
        yield
    finally:
        ended.set()
        starter.join(5)
        for process in centre:
            process.terminate()
            process.wait(10)


def _lines(summary: dict[str, Any], addresses: dict[str, str]) -> str:
    bank, features, training, lived = (summary[part] for part in ("bank", "features", "training", "lived"))
    lines = [
        f"customers   {bank['customers']:,} with {bank['interactions']:,} interactions and {bank['contacts']:,} "
        f"contacts over {bank['months']} months, {bank['offers']} offers",
        "features    " + ", ".join(f"{view} {rows:,} rows" for view, rows in features["materialized"].items()),
        "models      on the latest purchases, never seen in training:",
    ]
    for name, metrics in training["models"].items():
        lines.append(f"            {name:<11} {_metrics(metrics)}")
    if training["popularity_wins"]:
        lines.append("            no model is clearly better than popularity")
    promoted = "promoted" if training["promoted"] else "is champion"
    lines.append(f"model       {training['champion']} ({training['best']}) {promoted}")
    lines.append(f"campaigns   {lived['campaigns']}, over three weeks and {lived['contacts']:,} contacts of their own")
    learned = summary["learned"]
    chances = learned["propensity"] or "none yet: too few answers"
    lines.append(f"learned     relevance {learned['relevance']}, a challenger; chances of a yes {chances}")
    lines.append(f"took        {summary['seconds']} s")
    lines += [f"{page:<11} {address}" for page, address in addresses.items()]
    if addresses:
        lines.append(
            "sign-in     none needed: this machine only, every role; /sign-in offers a person of each; Ctrl-C ends it"
        )
    return "\n".join(lines)


def _metrics(metrics: dict[str, Any]) -> str:
    shown = f"HR@3 {metrics['HR@3']['mean']:.4f}  NDCG@5 {metrics['NDCG@5']['mean']:.4f}"
    against = metrics["against_popularity"]
    if not against:
        return f"{shown}  (the baseline)"
    difference = against["NDCG@5"]
    interval = f"[{difference['low']:+.4f}, {difference['high']:+.4f}]"
    return f"{shown}  ({difference['mean']:+.4f} {interval} NDCG@5 against popularity)"
