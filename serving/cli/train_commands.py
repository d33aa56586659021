"""`nbo train`, `nbo models` and `nbo backtest`: models compared, registered, promoted and rolled back."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, Progress, emit, progress_bar

if TYPE_CHECKING:
    from serving.settings import Settings

FAMILIES = ("popularity", "item_item", "als")
_LATER = ("bpr", "ease", "lightfm")

SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn; the same gives the same.")]
VersionArgument = Annotated[str, typer.Argument(metavar="V", help="A version (m-…) or its number, see `models list`.")]


def train(
    model: Annotated[str, typer.Option(help="popularity, item_item, als, several with commas, or all.")] = "all",
    engine: Annotated[str, typer.Option(help="Where to train: local.")] = "local",
    tune: Annotated[int | None, typer.Option(min=1, help="Trials of a hyper-parameter search.")] = None,
    seed: SeedOption = 7,
    promote_if_better: Annotated[bool, typer.Option("--promote-if-better", help="Promote if gates allow.")] = False,
    events: Annotated[Path | None, typer.Option(help="Folder of exported events instead of the event log.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the latest purchases, train the best on everything, register it, and promote it if asked to."""
    models = _families(model)
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
    emit({"versions": versions}, as_json, _table(header, rows) if rows else "No model version yet; run `nbo train`.")


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


def backtest(
    train: Annotated[Path, typer.Option(help="Events to learn from (.csv, .csv.gz, .parquet).")],
    test: Annotated[Path, typer.Option(help="Events to predict; with event_id, each event is one task.")],
    eligible: Annotated[Path | None, typer.Option(help="What each event or customer could buy.")] = None,
    model: Annotated[str, typer.Option(help="Families with commas, or all.")] = "all",
    k: Annotated[str, typer.Option(help="Lengths of the lists.")] = "3,5,50",
    params: Annotated[Path | None, typer.Option(help="YAML: family → parameter → value.")] = None,
    columns: Annotated[str, typer.Option(help="Other column names: customer_id=user_id,offer_id=item_id.")] = "",
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Rank what the customer had, too.")] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit models on one file of events and measure how well they rank those of another."""
    from recsys.evaluation.backtest import BacktestRequest, run_backtest

    families, ks = _families(model), _lengths(k)
    request = BacktestRequest(
        train, test, eligible, families, ks, _parameters(params), _columns(columns), include_seen, seed
    )
    with progress_bar() as progress:
        try:
            result = run_backtest(request, progress)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--params") from error
    emit(result, as_json, _backtest_lines(result, ks))


def _families(text: str) -> tuple[str, ...]:
    names = FAMILIES if text == "all" else tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FAMILIES:
            reason = "does not exist yet" if name in _LATER else "is unknown"
            raise typer.BadParameter(f"{name!r} {reason}; there are {', '.join(FAMILIES)}, all", param_hint="--model")
    return names


def _lengths(text: str) -> tuple[int, ...]:
    try:
        lengths = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        lengths = ()
    if not lengths or lengths[0] < 1:
        raise typer.BadParameter("whole numbers from 1 on, with commas", param_hint="--k")
    return lengths


def _columns(text: str) -> dict[str, str]:
    known = ("customer_id", "offer_id", "event_id", "occurred_at", "weight")
    pairs = [part.partition("=") for part in text.split(",") if part]
    if any(ours.strip() not in known or not theirs for ours, _, theirs in pairs):
        raise typer.BadParameter(f"ours=theirs with commas; ours are {', '.join(known)}", param_hint="--columns")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _parameters(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}", param_hint="--params") from error
    if not isinstance(document, dict) or not all(isinstance(values, dict) for values in document.values()):
        raise typer.BadParameter(f"{path} must map each family to its parameters", param_hint="--params")
    return document


def _training_lines(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, metrics in summary["models"].items():
        against = metrics["against_popularity"]
        shown = [_interval(metrics[metric]) for metric in ("HR@3", "NDCG@5")]
        shown.append(_interval(against["NDCG@5"], "+") if against else "")
        rows.append((name, *shown, f"{metrics['coverage@5']:.2f}"))
    header = ("model", "HR@3", "NDCG@5", "NDCG@5 against popularity", "coverage@5")
    lines = [f"{summary['tasks']} customers' latest purchases held out, by time.", "", _table(header, rows), ""]
    if summary["popularity_wins"]:
        lines.append("No model is clearly better than popularity here, as is common on small catalogues.")
    lines.append(f"Registered {summary['version']} ({summary['best']}, number {summary['number']}).")
    lines += [f"Gate not passed: {g['gate']}: {g['figure']}." for g in summary["gates"] if not g["passed"]]
    lines.append(f"Champion: {summary['champion'] or 'none'}{' (just promoted)' if summary['promoted'] else ''}.")
    return "\n".join(lines)


def _backtest_lines(result: Mapping[str, Any], ks: tuple[int, ...]) -> str:
    parts = [f"{result['tasks']} tasks of {result['customers']} customers, {result['offers']} offers."]
    for k in ks:
        names = ("HR", "Recall", "Precision", "NDCG", "MAP")
        header = ("model", *(f"{name}@{k}" for name in names), f"coverage@{k}")
        rows = [
            (model, *(_interval(metrics[f"{name}@{k}"]) for name in names), f"{metrics[f'coverage@{k}']:.2f}")
            for model, metrics in result["models"].items()
        ]
        parts.append(_table(header, rows))
    header = ("model", "MRR", "fit seconds", "score seconds")
    models = result["models"].items()
    parts.append(_table(header, [(n, _interval(m["MRR"]), m["fit_seconds"], m["score_seconds"]) for n, m in models]))
    return "\n\n".join(parts)


def _version_body(info: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(info)


def _interval(entry: Mapping[str, float], sign: str = "") -> str:
    return f"{entry['mean']:{sign}.4f} [{entry['low']:{sign}.4f}, {entry['high']:{sign}.4f}]"


def _said(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [header, *rows]
    widths = [max(len(str(line[place])) for line in lines) for place in range(len(header))]
    padded = [[f"{cell!s:<{width}}" for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(cells).rstrip() for cells in padded)
