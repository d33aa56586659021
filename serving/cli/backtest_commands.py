"""`nbo backtest`: models compared on fixed files of events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.memory_option import MemoryOption, memory_bytes, refused_lines
from serving.cli.model_options import SeedOption, chosen_families
from serving.cli.output import JsonOption, emit, interval, progress_bar, table


def backtest(
    train: Annotated[Path, typer.Option(help="Events to learn from (.csv, .parquet, .dat; .gz welcome).")],
    test: Annotated[Path, typer.Option(help="Events to predict; with event_id, each event is one task.")],
    eligible: Annotated[Path | None, typer.Option(help="What each event or customer could buy.")] = None,
    model: Annotated[str, typer.Option(help="Families with commas, or all.")] = "all",
    k: Annotated[str, typer.Option(help="Lengths of the lists.")] = "3,5,50",
    params: Annotated[Path | None, typer.Option(help="YAML: family → parameter → value.")] = None,
    columns: Annotated[str, typer.Option(help="Other column names: customer_id=user_id,offer_id=item_id.")] = "",
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Rank what the customer had, too.")] = False,
    memory: MemoryOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit models on one file of events and measure how well they rank those of another."""
    from recsys.evaluation.backtest import BacktestRequest, run_backtest

    families, ks = chosen_families(model), _lengths(k)
    request = BacktestRequest(
        train, test, eligible, families, ks, _parameters(params), _columns(columns), include_seen, seed,
        memory_bytes(memory),
    )  # fmt: skip
    with progress_bar() as progress:
        try:
            result = run_backtest(request, progress)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--model, --params") from error
    emit(result, as_json, _backtest_lines(result, ks))


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


def _backtest_lines(result: Mapping[str, Any], ks: tuple[int, ...]) -> str:
    parts = [f"{result['tasks']} tasks of {result['customers']} customers, {result['offers']} offers."]
    parts += [f"Warning: {result['extract']}"] if result["extract"] else []
    for k in ks:
        names = ("HR", "Recall", "Precision", "NDCG", "MAP")
        header = ("model", *(f"{name}@{k}" for name in names), f"coverage@{k}")
        rows = [
            (model, *(interval(metrics[f"{name}@{k}"]) for name in names), f"{metrics[f'coverage@{k}']:.2f}")
            for model, metrics in result["models"].items()
        ]
        parts.append(table(header, rows))
    header = ("model", "MRR", "fit seconds", "score seconds")
    models = result["models"].items()
    parts.append(table(header, [(n, interval(m["MRR"]), m["fit_seconds"], m["score_seconds"]) for n, m in models]))
    rivals = {name: metrics for name, metrics in result["models"].items() if "against_popularity" in metrics}
    if rivals:
        parts.append(_against_popularity(rivals, ks))
    parts += [f"Warning: {name} {m['warning']}." for name, m in result["models"].items() if m["warning"]]
    parts += [f"{name} was skipped: it is {reason}." for name, reason in result["skipped"].items()]
    return "\n\n".join([*parts, *refused_lines(result["refused"])])


def _against_popularity(models: Mapping[str, Mapping[str, Any]], ks: tuple[int, ...]) -> str:
    """Return the paired differences from popularity, also for customers with and without a history in the training."""
    header = ("against popularity", "tasks", *(f"{name}@{k}" for k in ks for name in ("HR", "NDCG")))
    rows = []
    for name, metrics in models.items():
        groups = {"": metrics, ", known customers": metrics["known_customers"]}
        groups[", new customers"] = metrics["new_customers"]
        for said, group in groups.items():
            differences = group.get("against_popularity")
            if differences:
                cells = (interval(differences[metric], "+") for metric in header[2:])
                rows.append((name + said, group.get("tasks", ""), *cells))
    return table(header, rows)
