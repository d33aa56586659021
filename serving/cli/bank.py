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


@dataclass(frozen=True, slots=True)
class BankBuild:
    """How a bank is built: the seed of its training, the families compared (None: all), and until when it is known.

    Features are as of `known_until` (None: now): decisions made after it must not be told what came later.
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

    asked = TrainingRequest(tuple(plan.families or FAMILIES), plan.seed, promote_if_better=True)
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
    from features.gateway import FeatureGateway
    from recsys.domain.clock import system_clock
    from recsys.domain.errors import InvalidInput
    from recsys.storage.database import open_database
    from recsys.storage.export import export_events
    from serving.cli.own_features import checked_own, export_own, keep_own

    as_of = known_until or system_clock()
    database = open_database(settings.event_log_url, settings.calendar)
    try:
        with database.read() as log:
            facts_version = log.facts_version()
        exported = export_events(database, settings.events, progress)
    finally:
        database.close()
    built = export_own(settings, as_of, progress)
    if built.problems:
        raise InvalidInput("\n".join(built.problems))
    own = checked_own(settings)
    gateway = FeatureGateway(settings, redis_url, own=own)
    try:
        tables = gateway.build_feature_tables(settings.events, as_of, progress, facts_version) | built.rows
        views = gateway.apply()
        keep_own(settings, own)
        written = {one.view: one.rows for one in gateway.materialize(progress)}
    finally:
        gateway.close()
    return {"exported": exported, "tables": tables, "views": views, "materialized": written}
