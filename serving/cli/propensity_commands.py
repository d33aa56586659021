"""`nbo train --propensity` and `nbo propensity`: the chance of acceptance, trained on answers, tried on files."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.model_options import SeedOption
from serving.cli.output import JsonOption, Progress, emit, interval, progress_bar, table
from serving.cli.training_features import training_features

if TYPE_CHECKING:
    from recsys.models.bundle import Bundle
    from recsys.storage.decision_log import AnsweredOffer
    from serving.settings import Settings
    from training.propensity_pipeline import PropensityConfig


@dataclass(frozen=True, slots=True)
class PropensityRequest:
    """What to train; answers younger than `matured_after` hours are not used, `trainer` may not approve.

    `relevance` is the version that scores again what others decided; None: only the champion's decisions count.
    """

    seed: int
    promote_if_better: bool
    trainer: str
    matured_after: float = 0.0
    relevance: str | None = None


def run_propensity_training(
    settings: "Settings", asked: PropensityRequest, progress: Progress, events: Path | None = None
) -> dict[str, Any]:
    """Train the propensity model on the answers in the event log and return the summary as JSON values.

    See `training_features` for what is exported and built before.
    """
    from training.propensity_pipeline import summarise_propensity, train_propensity

    with matured_answers(settings, asked, progress, events) as (config, answered):
        return summarise_propensity(train_propensity(config, answered, progress))


@contextmanager
def matured_answers(
    settings: "Settings", asked: PropensityRequest, progress: Progress, events: Path | None = None
) -> "Iterator[tuple[PropensityConfig, Iterable[AnsweredOffer]]]":
    """Open what the chance of acceptance learns from, for the length of the block; see `training_features`."""
    from datetime import timedelta

    from features.service_names import PROPENSITY_SERVICE
    from recsys.domain.clock import system_clock
    from recsys.storage.database import open_database
    from serving.archive import Archive
    from serving.decisions.rescoring import rescored
    from training.propensity_fit import FitOptions
    from training.propensity_pipeline import PropensityConfig

    bundle = None if asked.relevance is None else _fetched(settings, asked.relevance)
    until = system_clock() - timedelta(hours=asked.matured_after)
    with training_features(settings, progress, events, PROPENSITY_SERVICE) as features:
        config = PropensityConfig(
            features=features,
            tracking_uri=settings.tracking_uri,
            options=FitOptions(seed=asked.seed),
            promote_if_better=asked.promote_if_better,
            trainer=asked.trainer,
            relevance=bundle.version if bundle else None,
            is_rescored=bundle is not None,
        )
        database = open_database(settings.event_log_url, settings.calendar)
        try:
            database.upgrade()
            with database.read() as log:
                answered = log.answered_offers(until)
                yield config, rescored(answered, bundle, Archive(settings), log) if bundle is not None else answered
        finally:
            database.close()


def _fetched(settings: "Settings", version: str) -> "Bundle":
    """Return a relevance version by its name or number."""
    from recsys.models.bundle_files import load_bundle
    from training.registry import Registry

    return load_bundle(Registry(settings.tracking_uri).fetch(version, settings.bundles))


def propensity_lines(summary: Mapping[str, Any]) -> str:
    """Return the summary of a training run for people."""
    window, sizes, version = summary["window"], summary["sizes"], summary["version"]
    lines = [
        f"{window['answers']} matured answers, {window['accepted']} accepted; the last {sizes['later answers']} judge.",
        *(f"Left out: {count} answers {what}." for what, count in summary["left_out"].items() if count),
        "",
        _metric_table(summary["models"]),
        "",
        f"Calibrated by {summary['calibration']['chosen']}, {summary['rounds']} trees.",
    ]
    if found := summary["evaluation_slice"]:
        lines += [f"Customers never fitted on, {sizes['evaluation slice']} answers:", _metric_table(found), ""]
    lines.append(f"Registered {version} (propensity, number {summary['number']}).")
    lines.append(f"Trained on the decisions of {window['relevance']}: it serves beside that relevance version only.")
    lines += [f"Gate not passed: {gate['gate']}: {gate['figure']}."
              for gate in summary["gates"] if gate["verdict"] == "refused"]  # fmt: skip
    lines.append(f"Champion: {summary['champion'] or 'none'}{' (just promoted)' if summary['promoted'] else ''}.")
    return "\n".join(lines)


def backtest(
    file: Annotated[Path, typer.Argument(help="A table in time order, one answered offer a row (.csv, .parquet).")],
    answer: Annotated[str, typer.Option(help="The column with the answer.")] = "y",
    yes: Annotated[str, typer.Option(help="What it says where the offer was accepted.")] = "yes",
    without: Annotated[str, typer.Option(help="Columns to leave out, with commas.")] = "",
    train_share: Annotated[float, typer.Option(min=0.1, max=0.9, help="Share of the rows to learn from.")] = 0.67,
    batch: Annotated[int, typer.Option(min=1, help="Rows that are calibrated at a time.")] = 100,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Hold the propensity model's fitting against a file, the later rows as test, and say how true its chances are.

    Text columns become indicators; columns that mostly tell earlier from later rows are left out. Of the test rows,
    each batch is calibrated with answers before it, as a bank would that recalibrates every day. Beside it stands a
    logistic regression of all columns on the same rows.
    """
    from training.propensity_backtest import BacktestRequest, backtest_propensity
    from training.propensity_fit import FitOptions

    left_out = tuple(name.strip() for name in without.split(",") if name.strip())
    request = BacktestRequest(file, answer, yes, left_out, train_share, batch, options=FitOptions(seed=seed))
    with progress_bar() as progress:
        result = backtest_propensity(request, progress)
    emit(result, as_json, _backtest_lines(result))


def _backtest_lines(result: Mapping[str, Any]) -> str:
    rows, accepted, chosen, bounds = (result[name] for name in ("rows", "accepted", "recalibration", "bounds"))
    ratio, order = bounds["calibration_error_ratio"], bounds["auc_not_below_baseline"]
    said = {name: "not below" if is_met else "below" for name, is_met in order.items()}
    left_out = ", ".join(result["left_out_as_telling_the_time"]) or "nothing"
    lines = [
        f"{sum(rows.values())} rows in time order: {', '.join(f'{name} {count}' for name, count in rows.items())}.",
        f"Accepted: {accepted['train']:.4f} of the rows to learn from, {accepted['test']:.4f} of the test.",
        f"Left out, because they tell the time: {left_out}.",
        f"{result['rounds']} trees; every {chosen['batch']} rows calibrated by {chosen['family']} "
        f"on the {chosen['window']} answers before.",
        "",
        _metric_table(result["models"]),
        "",
        f"Calibration error after ÷ before: {ratio if ratio is None else f'{ratio:.3f}'} "
        f"(half or less: {'yes' if bounds['calibration_error_halved'] else 'no'}).",
        f"AUC {said['uncalibrated']} the regression's before calibration, {said['calibrated']} it after.",
    ]
    return "\n".join(lines)


def _metric_table(models: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    header = ("model", "AUC", "log-loss", "Brier", "ECE")
    rows = [(name, *(interval(found[metric]) for metric in header[1:])) for name, found in models.items()]
    return table(header, rows)
