"""Opens the feature store for training: over the event log as it is now, or over any folder of exported events."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from serving.cli.features_commands import export_features
from serving.cli.output import Progress
from serving.cli.own_features import applied_own

if TYPE_CHECKING:
    from features.offline import OfflineFeatures
    from serving.settings import Settings


@contextmanager
def training_features(
    settings: "Settings", progress: Progress, events: Path | None = None, service: str = "relevance_v1"
) -> "Iterator[OfflineFeatures]":
    """Open what the models of `service` learn from, for the length of the block.

    Without `events` the event log is exported and the feature tables are built from it; the folder of this home's
    export is read as it lies there. Both go by the definitions that are applied: applying them is left to who may
    change what decisions read. Any other folder gets tables and definitions of its own, which are gone afterwards.
    Raises InvalidInput, which says what to run, when nothing was applied or exported yet.
    """
    from features.offline import features_of_export, offline_features
    from recsys.domain.clock import system_clock

    if events is not None and events.absolute() != settings.events.absolute():
        with features_of_export(events, system_clock(), progress) as features:
            yield features
        return
    with offline_features(settings, applied_own(settings)) as features:
        features.check_applied(service)
        if events is None:
            export_features(settings, progress)
        features.check(service)
        yield features
