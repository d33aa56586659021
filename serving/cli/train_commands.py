"""`nbo train` and `nbo models`: models compared, registered, promoted and rolled back."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.model_options import SeedOption, chosen_families
from serving.cli.output import JsonOption, Progress, emit, interval, progress_bar, table

if TYPE_CHECKING:
    from serving.settings import Settings

VersionArgument = Annotated[str, typer.Argument(metavar="V", help="A version (m-…) or its number, see `models list`.")]


def train(
    model: Annotated[str, typer.Option(help="Families with commas, or all.")] = "all",
    engine: Annotated[str, typer.Option(help="Where to train: local.")] = "local",
    tune: Annotated[int | None, typer.Option(min=1, help="Trials of a hyper-parameter search.")] = None,
    seed: SeedOption = 7,
    promote_if_better: Annotated[bool, typer.Option("--promote-if-better", help="Promote if gates allow.")] = False,
    events: Annotated[Path | None, typer.Option(help="Folder of exported events instead of the event log.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the latest purchases, train the best on everything, register it, and promote it if asked to."""
    models = chosen_families(model)
    if engine != "local":
        raise typer.BadParameter(f"there is no engine {engine!r} yet; there is local", param_hint="--engine")
    if tune is not None:
        raise typer.BadParameter("there is no hyper-parameter search yet", param_hint="--tune")
    with progress_bar() as progress:
        summary = run_training(current_settings(), models, seed, promote_if_better, progress, events)
    emit(summary, as_json, _training_lines(summary))


def run_training(
    settings: "Settings",
    models: tuple[str, ...],
    seed: int,
    promote_if_better: bool,
    progress: Progress,
    events: Path | None = None,
) -> dict[str, Any]:
    """Export the event log unless `events` is given, train on it and return the summary as JSON values."""
    from training.config import TrainingConfig
    from training.pipeline import summarise
    from training.pipeline import train as run

    if events is None:
        events = settings.events
        _export(settings, events, progress)
    config = TrainingConfig(
        events=events,
        tracking_uri=settings.tracking_uri,
        models=models,
        seed=seed,
        promote_if_better=promote_if_better,
    )
    return summarise(run(config, progress))


def _export(settings: "Settings", events: Path, progress: Progress) -> None:
    from recsys.storage.database import open_database
    from recsys.storage.export import export_events

    database = open_database(settings.event_log_url)
    try:
        database.upgrade()
        export_events(database, events, progress)
    finally:
        database.close()


def list_models(as_json: JsonOption = False) -> None:
    """List the registered model versions, newest first."""
    from training.registry import Registry

    versions = [_version_body(info) for info in Registry(current_settings().tracking_uri).versions()]
    header = ("", "version", "model", "HR@3", "NDCG@5", "aliases", "created")
    rows = [
        (f"{v['number']}", v["version"], v["model"], *(f"{v['metrics'].get(m, 0):.4f}" for m in ("HR@3", "NDCG@5")),
         ", ".join(v["aliases"]), f"{v['created_at']:%Y-%m-%d %H:%M}")
        for v in versions
    ]  # fmt: skip
    emit({"versions": versions}, as_json, table(header, rows) if rows else "No model version yet; run `nbo train`.")


def show_model(version: VersionArgument, as_json: JsonOption = False) -> None:
    """Show one model version: parameters, back-test, gates it did not pass, and who approved it."""
    from training.registry import Registry

    body = _version_body(Registry(current_settings().tracking_uri).version(version))
    metrics = "".join(f"\n  {name:<14}{value:.4f}" for name, value in body["metrics"].items())
    refused = "".join(f"\n  {text}" for text in body["refusals"])
    lines = [
        f"version     {body['version']}  (number {body['number']}, {', '.join(body['aliases']) or 'no alias'})",
        f"model       {body['model']}  {_said(body['parameters'])}",
        f"created     {body['created_at']:%Y-%m-%d %H:%M} UTC, MLflow run {body['run_id']}",
        f"approved    {body['approver'] or 'not promoted yet'}",
        f"back-test{metrics}",
        *([f"gates not passed{refused}"] if refused else []),
    ]
    emit(body, as_json, "\n".join(lines))


def promote(
    version: VersionArgument,
    approver: Annotated[str, typer.Option(help="Who approves it; kept with the version.")] = "command line",
    as_json: JsonOption = False,
) -> None:
    """Make a version the champion: checked, gated, and in service within seconds."""
    from training.registry import Registry

    body = _version_body(Registry(current_settings().tracking_uri).promote(version, approver))
    emit(body, as_json, f"{body['version']} ({body['model']}) is champion.")


def rollback(as_json: JsonOption = False) -> None:
    """Make the previous champion the champion again."""
    from training.registry import Registry

    body = _version_body(Registry(current_settings().tracking_uri).rollback())
    emit(body, as_json, f"{body['version']} ({body['model']}) is champion again.")


def _training_lines(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, metrics in summary["models"].items():
        against = metrics["against_popularity"]
        shown = [interval(metrics[metric]) for metric in ("HR@3", "NDCG@5")]
        shown.append(interval(against["NDCG@5"], "+") if against else "")
        rows.append((name, *shown, f"{metrics['coverage@5']:.2f}"))
    header = ("model", "HR@3", "NDCG@5", "NDCG@5 against popularity", "coverage@5")
    lines = [f"{summary['tasks']} customers' latest purchases held out, by time.", "", table(header, rows), ""]
    if summary["popularity_wins"]:
        lines.append("No model is clearly better than popularity here, as is common on small catalogues.")
    lines.append(f"Registered {summary['version']} ({summary['best']}, number {summary['number']}).")
    lines += [f"Gate not passed: {g['gate']}: {g['figure']}." for g in summary["gates"] if not g["passed"]]
    lines.append(f"Champion: {summary['champion'] or 'none'}{' (just promoted)' if summary['promoted'] else ''}.")
    return "\n".join(lines)


def _version_body(info: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(info)


def _said(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
