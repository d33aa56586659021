"""What `nbo doctor` says of the bank's own features: what is applied, and what goes without something that it names."""

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from recsys.domain.errors import SettingsInvalid

if TYPE_CHECKING:
    from recsys.storage.own_feature_log import SavedOwnFeatures
    from serving.settings import Settings

_LATEST = 20


def check_own_features(settings: "Settings") -> str:
    """Return what is applied; raises SettingsInvalid where a rule or a model names what is not, or a function fails."""
    from recsys.storage.database import open_database
    from serving.in_force import CatalogueInService

    database = open_database(settings.event_log_url, settings.calendar)
    with database.read() as log:
        saved = log.own_features()
        gone = log.own_names() - (saved.types.keys() if saved else set())
        catalogue = CatalogueInService().current(log)
        latest = log.latest_decisions(_LATEST)
    database.close()
    closed = [
        f"{offer.offer_id} ({', '.join(sorted(named))})"
        for offer in catalogue.offers
        if (rule := catalogue.eligibility(offer.offer_id)) is not None and (named := gone & rule.names)
    ]
    lines = [f"offers are closed whose rules name dropped features: {', '.join(closed)}"] if closed else []
    if lacking := sorted(gone & _read_by_models(settings)):
        lines.append(f"models in service read dropped features: {', '.join(lacking)}")
    silent = _silent(saved, latest) if saved else {}
    if silent:
        told = ", ".join(f"{name} in {times}" for name, times in sorted(silent.items()))
        lines.append(f"functions failed or did not return in time, in the latest decisions: {told}")
    if lines:
        raise SettingsInvalid("; ".join(lines))
    return f"{len(saved.types)} applied, version {saved.version}" if saved and saved.types else "none"


def _silent(saved: "SavedOwnFeatures", latest: list[dict[str, Any]]) -> Counter[str]:
    """Return how many of the latest decisions since these features were applied went without which function."""
    from features.own_features import OwnFeatures

    functions = {one.name for one in OwnFeatures.of_json(saved.document).transformations}
    since = [one for one in latest if datetime.fromisoformat(one["made_at"]) > saved.applied_at]
    return Counter(name for record in since for name in record.get("features_missing", ()) if name in functions)


def _read_by_models(settings: "Settings") -> frozenset[str]:
    """Return what the models read that were in service last on this machine, as their folders say."""
    from recsys.models.bundle_files import load_bundle
    from serving.own_in_force import facts_read

    pointer = settings.bundles / "champion.json"
    if not pointer.exists():
        return frozenset()
    versions = json.loads(pointer.read_text())
    bundle = load_bundle(settings.bundles / versions["version"]) if versions.get("version") else None
    signals: list[str] = []
    if partner := versions.get("propensity"):
        signals = json.loads((settings.bundles / partner / "manifest.json").read_text())["signals"]
    return facts_read(bundle, None) | frozenset(signals)
