"""Training the propensity model, start to finish: read answers, fit, calibrate, judge, register, promote."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.offline import OfflineFeatures
from features.service_names import PROPENSITY_SERVICE
from recsys.engine import NO_RELEVANCE
from recsys.evaluation.probability_metrics import METRICS
from recsys.models.propensity_folder import save_propensity_model
from recsys.models.propensity_model import PropensityModel
from recsys.ranking.signals import is_of_contact
from recsys.storage.decision_log import AnsweredOffer
from training.artifacts import CARD, PLOTS, write_judged_card
from training.config import PROPENSITY_NAME, Progress
from training.gates import Gate, approver_to_come, refusals
from training.model_kinds import PROPENSITY
from training.plots import draw_reliability
from training.promotion import judge_bundle, judge_calibration, judge_order, judge_skew
from training.propensity_card import SECTIONS, PropensityAccount, propensity_card
from training.propensity_data import AnsweredRows, read_answers, through_feast
from training.propensity_evaluation import (
    CALIBRATED,
    DECLARED,
    UNCALIBRATED,
    Fitted,
    PropensityEvaluation,
    evaluate_propensity,
    fit_on_earlier,
)
from training.propensity_fit import FitOptions
from training.registry import AUTOMATIC, Findings, Registry, VersionInfo
from training.run_log import code_version, flat
from training.tracking import RunRecord, TrainingData, log_run


@dataclass(frozen=True, slots=True)
class PropensityConfig:
    """What one training run is asked to do; the last `test_share` (0–1) of the answers judge what was fitted before.

    `features` is where the signals of the people come from.
    """

    features: OfflineFeatures
    tracking_uri: str
    test_share: float = 0.2
    options: FitOptions = field(default_factory=FitOptions)
    promote_if_better: bool = False
    trainer: str = "nbo train"
    relevance: str | None = None
    """The relevance version whose signals to learn from; None: the champion's."""
    is_rescored: bool = False
    """Whether that version scored again what others had decided."""


@dataclass(frozen=True, slots=True)
class PropensityResult:
    """What a run found, registered and promoted; `champion` is the version that serves now, if any."""

    rows: AnsweredRows
    fitted: Fitted
    evaluation: PropensityEvaluation
    registered: VersionInfo
    gates: list[Gate]
    is_promoted: bool
    champion: str | None


def train_propensity(
    config: PropensityConfig, answered: Iterable[AnsweredOffer], progress: Progress
) -> PropensityResult:
    """Fit on the earlier answers, judge by the later ones, register, and promote if asked to and no gate refuses.

    The same answers and seed give the same version. Raises ImportInvalid when there are too few answers.
    """
    from threadpoolctl import threadpool_limits

    rows = rows_of(config, answered, progress)
    with threadpool_limits(limits=1):  # threads only wait for each other on tables this narrow
        return _train(config, rows, progress)


def rows_of(config: PropensityConfig, answered: Iterable[AnsweredOffer], progress: Progress) -> AnsweredRows:
    """Return what there is to learn from; raises ImportInvalid when there are too few answers."""
    progress("read answers", 0, 1)
    relevance = config.relevance or Registry(config.tracking_uri).champion() or NO_RELEVANCE
    people = through_feast(config.features, progress)
    rows = read_answers(answered, relevance, people, config.features.own.code)
    progress("read answers", 1, 1)
    return rows


def _train(config: PropensityConfig, rows: AnsweredRows, progress: Progress) -> PropensityResult:
    registry = Registry(config.tracking_uri, PROPENSITY)
    serving = registry.champion()
    with tempfile.TemporaryDirectory() as folder:
        bundle, artifacts = Path(folder) / "bundle", Path(folder) / "artifacts"
        fitted, model = _fit(config, rows, bundle, progress)
        evaluation = evaluate_propensity(model, fitted, config.options.seed)
        account = _account(config, rows, fitted, model, evaluation)
        gates = _judge(config, rows, account, (bundle, artifacts))
        curves = {name: evaluation.forecasts[name].reliability() for name in (CALIBRATED, UNCALIBRATED, DECLARED)}
        draw_reliability(curves, artifacts / PLOTS)
        run_id = _log(config, rows, model, evaluation, (bundle, artifacts))
        progress("judge and log", 1, 1)
    registered = registry.register(model, run_id, _findings(config, evaluation, gates))
    is_in_service = (Registry(config.tracking_uri).champion() or NO_RELEVANCE) == rows.relevance
    is_wanted = config.promote_if_better and is_in_service
    is_promoted = is_wanted and registered.version != serving and not refusals(gates)
    if is_promoted:
        registered = registry.promote(registered.version, approver=AUTOMATIC)
    return PropensityResult(rows, fitted, evaluation, registered, gates, is_promoted, registry.champion())


def _fit(
    config: PropensityConfig, rows: AnsweredRows, bundle: Path, progress: Progress
) -> tuple[Fitted, PropensityModel]:
    progress("fit", 0, 1)
    fitted = fit_on_earlier(rows, config.test_share, config.options)
    lineage = config.features.lineage(PROPENSITY_SERVICE)
    window = {**rows.window(), "test_share": config.test_share, "features": lineage, "rescored": config.is_rescored}
    model = save_propensity_model(bundle, replace(fitted.fit.parts, window=window))
    progress("fit", 1, 1)
    progress("judge and log", 0, 1)
    return fitted, model


def _account(
    config: PropensityConfig, rows: AnsweredRows, fitted: Fitted, model: PropensityModel,
    evaluation: PropensityEvaluation,
) -> PropensityAccount:  # fmt: skip
    made = {"trained by": config.trainer, "code version": code_version()}
    return PropensityAccount(
        model.version, rows.window(), fitted, evaluation, config.test_share, made, config.is_rescored
    )


def _judge(
    config: PropensityConfig, rows: AnsweredRows, account: PropensityAccount, folders: tuple[Path, Path]
) -> list[Gate]:
    """Return every gate, in the order they are shown, and write the model card that lists them."""
    evaluation, (bundle, artifacts) = account.evaluation, folders
    gates = [
        judge_calibration(evaluation.forecasts[CALIBRATED], np.random.default_rng(config.options.seed)),
        judge_order(evaluation.test[CALIBRATED]["ΔAUC"]),
        judge_skew(rows.skew, rows.signals),
        judge_bundle(bundle, PROPENSITY),
        approver_to_come(config.trainer),
    ]
    return write_judged_card(lambda judged: propensity_card(account, judged), SECTIONS, gates, artifacts)


def _log(
    config: PropensityConfig, rows: AnsweredRows, model: PropensityModel, evaluation: PropensityEvaluation,
    folders: tuple[Path, Path],
) -> str:  # fmt: skip
    intervals = {
        f"{name.replace(' ', '_')}_{metric}": found[metric]
        for name, found in evaluation.test.items()
        for metric in METRICS
    }
    record = RunRecord(
        name="propensity",
        parameters={**model.manifest["parameters"], **rows.window(), "test_share": config.test_share},
        metrics=flat(intervals),
        tags={"code_version": code_version(), "trainer": config.trainer},
        bundle=folders[0],
        artifacts=folders[1],
        data=_data(config, rows),
    )
    return log_run(config.tracking_uri, record, experiment_name=PROPENSITY_NAME)


def _data(config: PropensityConfig, rows: AnsweredRows) -> TrainingData:
    window, lineage = rows.window(), config.features.lineage(PROPENSITY_SERVICE)
    return TrainingData(
        name="answers",
        source="event log",
        sha256=window["digest"],
        rows=len(rows),
        cutoff=window["last"],
        service=lineage["service"],
        views=lineage["views"],
        facts=tuple(name for name in rows.signals if not is_of_contact(name)),
    )


def _findings(config: PropensityConfig, evaluation: PropensityEvaluation, gates: list[Gate]) -> Findings:
    intervals = {metric: evaluation.test[CALIBRATED][metric] for metric in METRICS}
    return Findings.of(intervals, gates, config.trainer, CARD)


def summarise_propensity(result: PropensityResult) -> dict[str, Any]:
    """Return the result as JSON values."""
    evaluation = result.evaluation
    return {
        "window": result.rows.window(),
        "left_out": dict(result.rows.left_out),
        "sizes": {**result.fitted.fit.sizes, "later answers": len(result.fitted.test),
                  "evaluation slice": len(result.fitted.evaluation)},
        "signals": list(result.rows.signals),
        "models": _rounded(evaluation.test),
        "evaluation_slice": _rounded(evaluation.evaluation) if evaluation.evaluation else None,
        "calibration": {"chosen": result.fitted.fit.parts.calibration.family,
                        "losses": dict(result.fitted.fit.calibration_losses)},
        "rounds": result.fitted.fit.parts.tree_count,
        "version": result.registered.version,
        "number": result.registered.number,
        "card": result.registered.card,
        "gates": [gate.described() for gate in result.gates],
        "promoted": result.is_promoted,
        "champion": result.champion,
    }  # fmt: skip


def _rounded(measured: Any) -> dict[str, Any]:
    return {name: {metric: one.rounded() for metric, one in found.items()} for name, found in measured.items()}
