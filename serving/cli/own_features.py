"""The bank's own features on their way in: found and checked, their tables built, applied with ours and kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from serving.cli.output import Progress

if TYPE_CHECKING:
    from features.gateway import FeatureGateway
    from features.own_features import OwnFeatures
    from features.own_tables import OwnTables
    from features.own_views import Declared
    from recsys.storage.database import Database
    from serving.settings import Settings


def applied_own(settings: "Settings") -> "OwnFeatures":
    """Return the bank's own features as they were applied last, nothing where none were."""
    from features.own_features import NOTHING_OWN, OwnFeatures
    from serving.own_in_force import code_shelf

    with _database(settings) as database:
        if database is None:
            return NOTHING_OWN
        with database.read() as log:
            saved = log.own_features()
    return NOTHING_OWN if saved is None else OwnFeatures.of_json(saved.document, code_shelf(settings))


def export_own(settings: "Settings", as_of: datetime, progress: Progress) -> "OwnTables":
    """Build the tables of what the bank declares now; what is wrong is told and leaves the tables as they are."""
    from features.feast_store import feature_tables_folder
    from features.own_tables import OwnTables, build_own_tables
    from recsys.domain.errors import FeaturesInvalid

    with _database(settings) as database:
        try:
            declared = _declared(settings, database)
        except FeaturesInvalid as error:
            return OwnTables({}, error.problems)
        if database is None:
            return build_own_tables(declared, feature_tables_folder(settings), as_of, progress=progress)
        with database.read() as log:
            return build_own_tables(declared, feature_tables_folder(settings), as_of, log.pushed, progress)


def checked_own(settings: "Settings") -> "OwnFeatures":
    """Return what the bank declares now; raises InvalidInput where something is wrong, or was not exported yet."""
    from features.feast_store import feature_tables_folder
    from features.own_features import OwnFeatures
    from features.own_tables import check_own_tables
    from serving.own_in_force import code_shelf

    with _database(settings) as database:
        declared = _declared(settings, database)
    check_own_tables(declared, feature_tables_folder(settings))
    return OwnFeatures.of_declared(declared, code_shelf(settings))


def keep_own(settings: "Settings", own: "OwnFeatures") -> None:
    """Put what was applied in force, and keep its code: rules may name its features from now on."""
    from recsys.domain.clock import system_clock
    from recsys.domain.errors import InvalidInput
    from recsys.domain.identifier import same_names
    from recsys.storage.own_feature_log import SavedOwnFeatures
    from serving.own_in_force import code_shelf

    for view in own.views:
        if view.digest is not None:
            code_shelf(settings).keep(Path(view.place))
    with _database(settings) as database:
        if database is None:
            return
        with database.transaction() as log:
            if taken := sorted(same_names(own.names, log.attribute_types())):
                raise InvalidInput(f"Customers have an attribute called {', '.join(taken)} since a moment ago.")
            if own.views or log.own_features() is not None:
                log.save_own_features(SavedOwnFeatures(own.version, own.to_json(), own.rule_types), system_clock())


def push_again(settings: "Settings", gateway: "FeatureGateway", own: "OwnFeatures") -> None:
    """Put online what was pushed since the tables were built: a store that was emptied has lost it."""
    from recsys.domain.clock import system_clock

    since, now = gateway.offline.as_of, system_clock()
    with _database(settings) as database:
        if database is None:
            return
        with database.read() as log:
            for view in own.views:
                for rows in log.pushed(view.name, now, since) if view.is_pushed else ():
                    for customer_id, at, values in rows:
                        told = {feature.name: values.get(feature.name) for feature in view.features}
                        gateway.push_own(view, customer_id, told, at)


def _declared(settings: "Settings", database: "Database | None") -> "list[Declared]":
    from features.own_discovery import find_declared

    attributes: dict[str, str] = {}
    if database is not None:
        with database.read() as log:
            attributes = log.attribute_types()
    return find_declared(settings.features, attributes)


@contextmanager
def _database(settings: "Settings") -> "Iterator[Database | None]":
    """Open the event log for the length of the block; None where there is none yet."""
    from recsys.storage.database import open_database

    if settings.database_url is None and not (settings.home / "nbo.db").exists():
        yield None
        return
    database = open_database(settings.event_log_url, settings.calendar)
    try:
        database.upgrade()
        yield database
    finally:
        database.close()
