"""Training, start to finish: hold out the latest purchases, search, compare, refit the best, register, promote."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from features.service_names import EVENTS_VIEW, RELEVANCE_SERVICE
from recsys.interactions.matrix import InteractionMatrix
from recsys.models.bundle import Bundle, TrainingFacts
from recsys.models.bundle_files import save_bundle
from training.artifacts import CARD, draw_comparison, write_card
from training.comparison import Comparison, compare, families_of
from training.config import Engine, Progress, TrainingConfig
from training.dataset import Dataset, Window
from training.folds import Recipe, everything
from training.gates import Gate, Verdict, approver_to_come, refusals
from training.importance import Importance, importance_of
from training.leaks import NAME as FACTS_GATE
from training.model_card import Account
from training.parity import Parity, measure_parity
from training.promotion import NOT_JUDGED_YET, judge_bundle
from training.registry import AUTOMATIC, Findings, Registry, VersionInfo
from training.run_log import Learned, Outputs, code_version, described, log_runs
from training.tracking import TrainingData
from training.tuning import tune


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training run found, registered and promoted; `champion` is the version that serves now."""

    window: Window
    comparison: Comparison
    parity: Parity | None
    registered: VersionInfo
    gates: list[Gate]
    is_promoted: bool
    champion: str | None


def train(config: TrainingConfig, progress: Progress) -> TrainResult:
    """Compare `config.models` beside popularity, register the best by `HEADLINE`, and promote it if asked to.

    A version is promoted only when no gate refuses it; where nothing is clearly better than popularity,
    that is popularity itself. The same events, models and seed give the same version. Raises ImportInvalid
    when the events are too few to learn from or to compare models on, and NotEnoughMemory where popularity, the
    champion's recipe or the best on everything needs more than the engine may have.
    """
    registry = Registry(config.tracking_uri)
    serving = registry.champion()
    before = registry.version(serving) if serving else None
    with Dataset(config.features) as dataset, tempfile.TemporaryDirectory() as folder:
        window = dataset.window()
        families = families_of(config, len(dataset.offers()))
        searches = tune(config, dataset, families, progress) if config.tune else {}
        here = Engine(memory=config.engine.memory)
        champion = Recipe(before.model, before.parameters, here) if before else None
        comparison = compare(config, dataset, champion, searches, progress)
        parity = _parity(comparison, progress)
        outputs = Outputs(Path(folder) / "bundle", Path(folder) / "artifacts", Path(folder) / "families")
        bundle, learned = refit(comparison, dataset, window, outputs.bundle, progress)
        of_facts = _importance(comparison, progress)
        account = Account(bundle.version, window, comparison, parity, of_facts, learned.sizes, code_version())
        gates = _judge(account, _judge_facts(bundle, dataset, config), outputs)
        draw_comparison(comparison, parity, outputs.artifacts)
        run_id = log_runs(comparison, window, learned, parity, outputs, progress)
    registered = registry.register(bundle, run_id, _findings(comparison, gates))
    is_promoted = config.promote_if_better and registered.version != serving and not refusals(gates)
    if is_promoted:
        registered = registry.promote(registered.version, approver=AUTOMATIC)
    return TrainResult(window, comparison, parity, registered, gates, is_promoted, registry.champion())


def refit(
    comparison: Comparison, dataset: Dataset, window: Window, directory: Path, progress: Progress
) -> tuple[Bundle, Learned]:
    """Fit the best on every event up to the end of the log; return its bundle in `directory`, and what it learned from.

    The bundle's manifest names the feature service and its views' versions; a model of a family that uses facts is
    another version where any fact of anybody is another.
    """
    config = comparison.config
    progress("train on everything", 0, 1)
    known = everything(dataset, window.last)
    model = comparison.best.recipe.fit(known.interactions, known.side, config.seed)
    lineage = dataset.features.lineage(RELEVANCE_SERVICE, EVENTS_VIEW)
    of_facts = {"facts_digest": known.facts_digest} if model.uses_facts else {}
    trained = {**window.described(), "seed": config.seed, "features": {**lineage, **of_facts}}
    if model.name in config.engine.makers:
        trained["engine"] = config.engine.name
    rng = np.random.default_rng(config.seed)
    facts = TrainingFacts(trained)
    bundle = save_bundle(directory, model, known.interactions, rng, facts, known.side)
    progress("train on everything", 1, 1)
    sizes = {**_sizes(known.interactions), "customers_who_refused": dataset.refusers(), **_named(lineage)}
    data = TrainingData(
        name="interactions",
        source=str(dataset.features.events),
        sha256=sha256(f"{window.digest}{of_facts.get('facts_digest', '')}".encode()).hexdigest(),
        rows=window.events,
        cutoff=window.last.isoformat(),
        service=lineage["service"],
        views=lineage["views"],
        facts=known.side.names if model.uses_facts and known.side else (),
    )
    return bundle, Learned(sizes, data)


def _sizes(interactions: InteractionMatrix) -> dict[str, int]:
    customers, offers = interactions.matrix.shape
    return {"customers": customers, "offers": offers, "customer_offer_pairs": int(interactions.matrix.nnz)}


def _named(lineage: Mapping[str, Any]) -> dict[str, str]:
    views = ", ".join(f"{name}@{version}" for name, version in lineage["views"].items())
    return {"feature_service": lineage["service"], "feature_views": views}


def _parity(comparison: Comparison, progress: Progress) -> Parity | None:
    progress("measure fold-in parity", 0, 1)
    fold = comparison.fold
    parity = measure_parity(comparison.best.recipe, fold.interactions, fold.side_features, comparison.config.seed)
    progress("measure fold-in parity", 1, 1)
    return parity


def _importance(comparison: Comparison, progress: Progress) -> Importance:
    progress("measure what facts are worth", 0, 1)
    importance = importance_of(comparison.best.recipe, comparison.fold, comparison.config.seed)
    progress("measure what facts are worth", 1, 1)
    return importance


def _judge_facts(bundle: Bundle, dataset: Dataset, config: TrainingConfig) -> Gate:
    if not bundle.uses_facts:
        return Gate(FACTS_GATE, Verdict.NOT_APPLICABLE, "this model reads no facts of customers")
    split = dataset.split_at(config.test_share)
    return dataset.undated().judge(split)


def _judge(account: Account, of_facts: Gate, outputs: Outputs) -> list[Gate]:
    """Return every gate, in the order they are shown, and write the model card that lists them."""
    gates = [
        *account.comparison.judge_best(),
        of_facts,
        *NOT_JUDGED_YET,
        judge_bundle(outputs.bundle),
        approver_to_come(account.comparison.config.trainer),
    ]
    return write_card(account, gates, outputs.artifacts)


def _findings(comparison: Comparison, gates: list[Gate]) -> Findings:
    intervals = comparison.best.intervals
    return Findings.of(intervals, gates, comparison.config.trainer, CARD)


def summarise(result: TrainResult) -> dict[str, Any]:
    """Return the result as JSON values."""
    comparison = result.comparison
    stacked = comparison.against_simpler
    return {
        "window": result.window.described(),
        "tasks": len(comparison.fold.tasks),
        "split": comparison.fold.split.value,
        "engine": comparison.config.engine.name,
        "models": {candidate.name: described(candidate) for candidate in comparison.candidates},
        "skipped": comparison.skipped,
        "refused": {name: error.described() for name, error in comparison.refused.items()},
        "best": comparison.best.name,
        "ranker_against": None if stacked is None else {"family": stacked[0], "interval": asdict(stacked[1])},
        "popularity_wins": comparison.baseline_wins,
        "parity": asdict(result.parity) if result.parity else None,
        "version": result.registered.version,
        "number": result.registered.number,
        "card": result.registered.card,
        "gates": [gate.described() for gate in result.gates],
        "promoted": result.is_promoted,
        "champion": result.champion,
    }
