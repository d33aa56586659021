"""From an import directory to a promoted model: what `nbo demo` and the benchmark do before they serve."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.cli.output import Progress

if TYPE_CHECKING:
    from serving.settings import Settings

_SLOWEST = "ranker"
"""What a demo does without, so that it is there within minutes; `nbo train` compares it too."""


@dataclass(frozen=True, slots=True)
class BankBuild:
    """How a bank is built: the seed of its training, the families compared, and until when it is known.

    Without `families` all but the slowest are compared. Features are as of `known_until` (None:
    now): decisions made after it must not be told what came later.
    """

    seed: int
    families: Sequence[str] | None = None
    known_until: datetime | None = None


def build_bank(
    settings: "Settings", directory: Path, redis_url: str, plan: BankBuild, progress: Progress
) -> dict[str, Any]:
    """Import `directory`, fill the feature store, compare models and promote the best, as planned.

    Returns a summary. Every step can be repeated: what an interrupted run has done already is found done.
    """
    from serving.cli.import_commands import import_files
    from serving.cli.model_options import FAMILIES
    from serving.cli.train_commands import TrainingRequest, run_training

    families = plan.families or [family for family in FAMILIES if family != _SLOWEST]
    asked = TrainingRequest(tuple(families), plan.seed, promote_if_better=True)
    return {
        "imported": import_files(settings, directory, progress),
        "features": fill_features(settings, redis_url, progress, plan.known_until),
        "training": run_training(settings, asked, progress, events=settings.events),
    }


def learn(settings: "Settings", family: str, seed: int, progress: Progress) -> dict[str, str | None]:
    """Train from all that has happened: a challenger of the champion's `family`, and the chances where answers suffice.

    Returns the new versions; the chances are promoted when they are better than the declared ones, the challenger is
    left to an approver.
    """
    from recsys.domain.errors import ImportInvalid
    from serving.cli.propensity_commands import PropensityRequest, run_propensity_training
    from serving.cli.train_commands import TrainingRequest, run_training

    challenger = run_training(settings, TrainingRequest((family,), seed, trainer="sam"), progress, settings.events)
    propensity = None
    with suppress(ImportInvalid):  # the bank is too small to have had enough answers
        chances = run_propensity_training(settings, PropensityRequest(seed, True, "sam"), progress, settings.events)
        propensity = chances["version"]
    return {"relevance": challenger["version"], "propensity": propensity}


def fill_features(
    settings: "Settings", redis_url: str, progress: Progress, known_until: datetime | None = None
) -> dict[str, Any]:
    """Export the event log, build the feature tables, apply the definitions and materialise everyone's features.

    They are as of `known_until` (None: now): nothing after it is looked at.
    """
    from recsys.domain.errors import FeaturesInvalid
    from serving.cli.features_commands import apply_features, export_features, materialize_features

    exported = export_features(settings, progress, known_until)
    if exported["problems"]:
        raise FeaturesInvalid(exported["problems"])
    views = apply_features(settings)["views"]
    filled = materialize_features(settings, redis_url, progress)["views"]
    if failed := [f"{one['view']}: {one['problem']}" for one in filled if one["problem"]]:
        raise FeaturesInvalid(failed)
    written = {one["view"]: one["rows"] for one in filled}
    return {"exported": exported["events"], "tables": exported["tables"], "views": views, "materialized": written}
