"""Feature skew of the decisions in the event log: what they were told, beside what the feature tables say."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from features.feast_store import feature_tables_folder, state_folder
from features.feature_tables import built_as_of
from features.person_signals import signal_of
from features.skew import SkewReport, measure_skew, read_report, told_features
from recsys.domain.clock import Clock
from recsys.domain.customer import AttributeValue
from recsys.storage.database import Database
from recsys.storage.decision_samples import Sample
from serving.contacts.service import new_id

if TYPE_CHECKING:
    import pandas as pd

    from features.gateway import FeatureGateway
    from serving.settings import Settings

DAYS = 90
MOST_DECISIONS = 5_000
_FILE = "skew.json"
_KEYS = frozenset({"customer_id", "event_timestamp"})


def feature_skew(settings: "Settings", database: Database, gateway: "FeatureGateway", clock: Clock) -> SkewReport:
    """Compare the decisions of the last `DAYS` days, of many a sample, and keep the report for the console.

    Degraded decisions and those for people who refuse profiling were told nothing, and are left out. Raises
    InvalidInput when there are no feature tables, or none are applied.
    """
    as_of = built_as_of(feature_tables_folder(settings))
    told, too_new = _told(database, as_of, gateway.offline.own.code)
    joined: list[dict[str, AttributeValue]] = []
    if told:
        joined = _rows(gateway.history([customer for customer, _, _ in told], [moment for _, moment, _ in told]))
    # What the tables do not have (any more) is nothing that a model learns from.
    names = {name for *_, values in told for name in values} & {name for row in joined for name in row}
    rows = [values for *_, values in told], joined
    both = [[{name: row[name] for name in row.keys() & names} for row in side] for side in rows]
    found = SkewReport(clock(), len(told), too_new, measure_skew(*both))
    found.write(state_folder(settings) / _FILE)
    return found


def latest_report(settings: "Settings") -> SkewReport | None:
    """Return what was found the last time, or None."""
    return read_report(state_folder(settings) / _FILE)


def _told(
    database: Database, as_of: datetime, code: Mapping[str, str]
) -> tuple[list[tuple[str, datetime, Mapping[str, Any]]], int]:
    """Return customer, moment and features of decisions up to `as_of`, and how many there are after it."""
    after = new_id("d", as_of - timedelta(days=DAYS)).rpartition("-")[0]
    with database.read() as log:
        decisions, _ = log.sizes_after(after)
        too_new, _ = log.sizes_after(new_id("d", as_of).rpartition("-")[0] + "~")
        told = [
            (record["customer_id"], datetime.fromisoformat(record["made_at"]), told_features(record["inputs"], code))
            for record in log.sampled_decisions(Sample(after, min(1.0, MOST_DECISIONS / max(decisions, 1))))
            if record["inputs"]["features"] and not record["degraded_reasons"]
        ]
    return [one for one in told if one[1] <= as_of], too_new


def _rows(frame: "pd.DataFrame") -> list[dict[str, AttributeValue]]:
    names = {name: signal_of(str(name)) for name in frame if name not in _KEYS}
    return [{names[name]: value for name, value in row.items() if name in names} for row in frame.to_dict("records")]
