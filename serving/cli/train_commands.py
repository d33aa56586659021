"""`nbo train` and `nbo models`: models compared, registered, promoted and rolled back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.memory_option import MemoryOption, memory_bytes, refused_lines
from serving.cli.model_options import SeedOption, chosen_families
from serving.cli.output import JsonOption, Progress, emit, interval, progress_bar, table
from serving.cli.propensity_commands import PropensityRequest, propensity_lines, run_propensity_training
from serving.cli.training_engine import check_engine, training_engine
from serving.cli.training_features import training_features

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.lineage import Lineage
    from training.registry import Registry

VersionArgument = Annotated[
    str, typer.Argument(metavar="V", help="A version, or the number of an m-…, see `models list`.")
]


def train(
    model: Annotated[str, typer.Option(help="Families with commas, or all.")] = "all",
    engine: Annotated[str, typer.Option(help="Where to train: local, or spark (als).")] = "local",
    tune: Annotated[int | None, typer.Option(min=1, help="Trials a family of a hyper-parameter search.")] = None,
    seed: SeedOption = 7,
    promote_if_better: Annotated[bool, typer.Option("--promote-if-better", help="Promote if gates allow.")] = False,
    trainer: Annotated[str | None, typer.Option(help="Who trains, and may not approve. [default: your user]")] = None,
    events: Annotated[Path | None, typer.Option(help="Folder of exported events instead of the event log.")] = None,
    propensity: Annotated[bool, typer.Option("--propensity", help="The chance of acceptance instead.")] = False,
    relevance: Annotated[
        str | None, typer.Option(help="With --propensity: let this m-… score again what others decided.")
    ] = None,
    matured_after: Annotated[float, typer.Option(min=0, help="Hours before an answer counts, with --propensity.")] = 0,
    memory: MemoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the latest purchases, train the best on everything, register it, and promote it if asked to.

    With --tune, hyper-parameters are searched first; a search that was stopped goes on where it was. With --propensity,
    the model of the chance of acceptance is trained instead, on the event log's decisions and their answers.

    What is learned from comes through the feature store, whose definitions must be applied (`nbo features apply`); the
    event log is exported and the feature tables built anew. A folder of --events has tables and definitions of its own.
    """
    if propensity:
        check_engine(engine, ("propensity",))
        request = PropensityRequest(seed, promote_if_better, trainer or _user(), matured_after, relevance)
        with progress_bar() as progress:
            summary = run_propensity_training(current_settings(), request, progress)
        emit(summary, as_json, propensity_lines(summary))
        return
    models = chosen_families(model)
    check_engine(engine, models)
    asked = TrainingRequest(models, seed, promote_if_better, tune, trainer, engine, memory_bytes(memory))
    with progress_bar() as progress:
        summary = run_training(current_settings(), asked, progress, events)
    emit(summary, as_json, _training_lines(summary))


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train; `tune` is the number of trials a family, `trainer` who trains (None: the user of the machine).

    `engine` is local, or spark, on which everything is read and als is fitted. No fit that needs more than `memory`
    bytes is started.
    """

    models: tuple[str, ...]
    seed: int
    promote_if_better: bool = False
    tune: int | None = None
    trainer: str | None = None
    engine: str = "local"
    memory: int | None = None


def run_training(
    settings: "Settings", asked: TrainingRequest, progress: Progress, events: Path | None = None
) -> dict[str, Any]:
    """Train on the event log, or on the export `events`, and return the summary as JSON values.

    See `training_features` for what is exported and built before.
    """
    from training.config import TrainingConfig
    from training.pipeline import summarise
    from training.pipeline import train as run

    with (
        training_engine(settings, asked.engine) as (engine, read_by),
        training_features(settings, progress, events) as opened,
    ):
        features = read_by(opened)
        config = TrainingConfig(
            features=features,
            tracking_uri=settings.tracking_uri,
            models=asked.models,
            seed=asked.seed,
            promote_if_better=asked.promote_if_better,
            tune=asked.tune,
            studies=settings.home.absolute() / "mlflow" / "studies.db",
            trainer=asked.trainer or _user(),
            engine=replace(engine, memory=asked.memory),
        )
        return {**summarise(run(config, progress)), "not_applied": features.not_applied()}


def _user() -> str:
    """Return the name of the machine's user; a container may have a number only."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "nbo train"


def list_models(as_json: JsonOption = False) -> None:
    """List the registered versions of both kinds, newest first: m-… rank by relevance, q-… say how likely a yes is."""
    from training.model_kinds import PROPENSITY
    from training.registry import Registry

    uri = current_settings().tracking_uri
    versions = [info.described() for info in Registry(uri).versions()]
    chances = [info.described() for info in Registry(uri, PROPENSITY).versions()]
    tables = [_version_table(versions, ("HR@3", "NDCG@5"))] if versions else []
    tables += [_version_table(chances, ("AUC", "ECE"))] if chances else []
    lines = "\n\n".join(tables) or "No model version yet; run `nbo train`."
    emit({"versions": versions, "propensity_versions": chances}, as_json, lines)


def _version_table(versions: Sequence[Mapping[str, Any]], metrics: tuple[str, ...]) -> str:
    header = ("", "version", "model", *metrics, "aliases", "created")
    rows = [
        (f"{v['number']}", v["version"], v["model"], *(f"{v['metrics'].get(m, 0):.4f}" for m in metrics),
         ", ".join(v["aliases"]), f"{v['created_at']:%Y-%m-%d %H:%M}")
        for v in versions
    ]  # fmt: skip
    return table(header, rows)


def show_model(version: VersionArgument, as_json: JsonOption = False) -> None:
    """Show one model version: parameters, back-test with intervals, every gate, model card, and who approved it."""
    body = _registry(version).version(version).described()
    lines = [
        f"version     {body['version']}  (number {body['number']}, {', '.join(body['aliases']) or 'no alias'})",
        f"model       {body['model']}  {_said(body['parameters'])}",
        f"created     {body['created_at']:%Y-%m-%d %H:%M} UTC, MLflow run {body['run_id']}",
        f"trained     by {body['trainer']}",
        *([f"pair        {pair}"] if (pair := body["relevance"] or body["partner"]) else []),
        f"approved    {body['approver'] or 'not promoted yet'}",
        f"model card  {(body['card'] or 'none').removeprefix('file://')}",
        f"back-test\n{_metric_lines(body['metrics'], body['intervals'])}",
        f"gates\n{_gate_lines(body['gates'])}",
    ]
    emit(body, as_json, "\n".join(lines))


def _metric_lines(metrics: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> str:
    lines = []
    for name, mean in metrics.items():
        low, high = intervals.get(name, (None, None))
        between = "" if low is None else f" [{low:.4f}, {high:.4f}]"
        lines.append(f"  {name:<14}{mean:.4f}{between}")
    return "\n".join(lines)


def _gate_lines(gates: Sequence[Mapping[str, Any]]) -> str:
    rows = [("", gate["gate"], gate["verdict"], gate["figure"]) for gate in gates]
    return table(("", "gate", "verdict", "figure"), rows) if rows else "  none were judged"


def lineage(
    name: Annotated[str, typer.Argument(metavar="V", help="A version or number; or see below.")],
    as_json: JsonOption = False,
) -> None:
    """Say where a version comes from: decision, version, run, data, features and code; and the way back.

    V may also be a decision (d-…), whose models are traced, or the digest of some data, a feature service, view or
    fact, an MLflow run or a commit: then every version that was made from it is.
    """
    from training.lineage import lineage_of, versions_from

    uri = current_settings().tracking_uri
    traced = [lineage_of(uri, one) for one in _models_of(name)]
    traced = traced or versions_from(uri, name)
    emit({"lineage": [one.described() for one in traced]}, as_json, "\n\n".join(map(_lineage_lines, traced)))


def _models_of(name: str) -> list[str]:
    """Return the model versions that the name says: those of a decision, or itself where it names a version."""
    if name.startswith("d-"):
        from recsys.storage.database import open_database

        settings = current_settings()
        database = open_database(settings.event_log_url, settings.calendar)
        try:
            with database.read() as log:
                record = log.decision(name)
        finally:
            database.close()
        versions = (record["model_version"], record["propensity_version"])
        return [version for version in versions if version.startswith(("m-", "q-"))]
    return [name] if name.startswith(("m-", "q-")) or (name.isdecimal() and len(name) < 7) else []


def _lineage_lines(one: "Lineage") -> str:
    lines = [
        f"version   {one.version}  ({one.kind} number {one.number}, {', '.join(one.aliases) or 'no alias'})",
        f"model     {one.model}, trained {one.created_at:%Y-%m-%d %H:%M} UTC by {one.trainer}, "
        f"approved by {one.approver or 'nobody yet'}",
        f"run       {one.run_id}",
        f"code      {one.code}",
    ]
    if one.data is None:
        return "\n".join([*lines, "data      not kept: this version was trained before its data was logged"])
    views = ", ".join(f"{view} {version}" for view, version in one.data.views.items())
    return "\n".join([
        *lines,
        f"data      {one.data.name} {one.data.digest}: {one.data.rows:,} rows until {one.data.cutoff}",
        f"          {one.data.source}, sha256 {one.data.sha256}",
        f"features  {one.data.service}: {views}",
        f"facts     {', '.join(told_apart(one.data.facts)) or 'none: what customers hold and did alone'}",
    ])  # fmt: skip


def told_apart(facts: "Sequence[str]") -> list[str]:
    """Return the facts as they are named; of a name that both have the customers' comes first, and each says whose."""
    both = {name for name in facts if facts.count(name) > 1}
    return [
        name if name not in both else f"{name} (of {'offers' if name in facts[:place] else 'customers'})"
        for place, name in enumerate(facts)
    ]


def promote(
    version: VersionArgument,
    approver: Annotated[str, typer.Option(help="Who approves it; kept with the version.")] = "command line",
    as_json: JsonOption = False,
) -> None:
    """Make a version the champion: checked, gated, and in service within seconds, with the propensity trained on it.

    Whoever trained a version may not approve it.
    """
    body = _registry(version).promote(version, approver).described()
    emit(body, as_json, f"{body['version']} ({body['model']}) is champion.{_beside(body)}")


def rollback(
    propensity: Annotated[bool, typer.Option("--propensity", help="That of the propensity model.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion the champion again, with the propensity that served beside it."""
    body = _registry("q-" if propensity else "m-").rollback().described()
    emit(body, as_json, f"{body['version']} ({body['model']}) is champion again.{_beside(body)}")


def _beside(body: Mapping[str, Any]) -> str:
    """Say which chances serve with a relevance version; nothing of a propensity."""
    from training.model_kinds import PROPENSITY

    version = body["version"]
    if version.startswith(PROPENSITY.prefix):
        return ""
    if body["partner"]:
        return f" With it serves {body['partner']}, which was trained on it."
    return (
        " The declared weights serve with it: no propensity that was trained on it may be promoted; "
        f"`nbo train --propensity --relevance {version}` makes one."
    )


def _registry(version: str) -> "Registry":
    """Return the registry that `version` is named in."""
    from training.model_kinds import kind_of
    from training.registry import Registry

    return Registry(current_settings().tracking_uri, kind_of(version))


def _training_lines(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, metrics in summary["models"].items():
        against = metrics["against_popularity"]
        shown = [interval(metrics[metric]) for metric in ("HR@3", "NDCG@5")]
        shown.append(interval(against["NDCG@5"], "+") if against else "")
        rows.append((name, *shown, f"{metrics['coverage@5']:.2f}"))
    header = ("model", "HR@3", "NDCG@5", "NDCG@5 against popularity", "coverage@5")
    lines = [_HELD_OUT[summary["split"]].format(**summary), "", table(header, rows), ""]
    lines += _search_lines(summary["models"])
    lines += [f"Warning: {name} {one['warning']}." for name, one in summary["models"].items() if one["warning"]]
    lines += [f"{name} was skipped: it is made for smaller catalogues." for name in summary["skipped"]]
    if stacked := summary["ranker_against"]:
        chosen = "" if stacked["interval"]["low"] > 0 else ": not clearly better, so it is not chosen"
        lines.append(f"ranker against {stacked['family']}: NDCG@5 {interval(stacked['interval'], '+')}{chosen}.")
    lines += refused_lines(summary["refused"])
    if summary["popularity_wins"]:
        lines.append("No model is clearly better than popularity here, as is common on small catalogues.")
    if parity := summary["parity"]:
        lines.append(f"Fold-in parity of {summary['best']}: overlap@{parity['list_length']} with a full refit "
                     f"{interval(parity['overlap'])}, {parity['customers']} customers.")  # fmt: skip
    if unread := summary["not_applied"]:
        lines.append(f"Not read, because not applied yet: {', '.join(unread)}; run `nbo features apply`.")
    lines.append(f"Registered {summary['version']} ({summary['best']}, number {summary['number']}).")
    lines += [f"{_SAID[gate['verdict']]}: {gate['gate']}: {gate['figure']}."
              for gate in summary["gates"] if gate["verdict"] in _SAID]  # fmt: skip
    lines.append(f"Champion: {summary['champion'] or 'none'}{' (just promoted)' if summary['promoted'] else ''}.")
    return "\n".join(lines)


_HELD_OUT = {
    "time": "{tasks} customers' latest purchases held out, by time.",
    "leave-one-out": "No purchase comes after the others: of {tasks} customers one held offer each was held out "
    "(leave-one-out). It shows what people hold, not what they buy next.",
}
_SAID = {"refused": "Gate not passed", "passed with a warning": "Gate passed with a warning"}


def _search_lines(models: Mapping[str, Any]) -> list[str]:
    """Say what a search found, by family; nothing where there was none."""
    tuned = [(name, metrics) for name, metrics in models.items() if metrics["search"]]
    rows = [
        (name, m["search"]["trials"], f"{m['search']['defaults']:.4f}", f"{m['search']['best']:.4f}",
         _said(m["parameters"]))
        for name, m in tuned
    ]  # fmt: skip
    header = ("tuned", "trials", "validation NDCG@5 of the defaults", "of the best", "its parameters")
    return [table(header, rows), ""] if rows else []


def _said(parameters: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in parameters.items()
        if value != ""
    )
