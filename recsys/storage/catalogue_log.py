"""The catalogues and policies as they were saved, version by version, in the event log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, func, insert, select

from recsys.domain.policy import Policy, parse_policy
from recsys.storage.bound_log import BoundLog
from recsys.storage.prepared import Prepared
from recsys.storage.schema import campaign_changes, catalogue_versions, own_features, policy_versions

_newest_first = catalogue_versions.c.catalogue_id.desc()
_newest_policy_first = policy_versions.c.policy_id.desc()
_LATEST_VERSION = select(catalogue_versions.c.version).order_by(_newest_first).limit(1)
_saved = select(catalogue_versions.c.version, catalogue_versions.c.offers, catalogue_versions.c.types)
_LATEST = _saved.order_by(_newest_first).limit(1)
_BY_VERSION = _saved.where(catalogue_versions.c.version == bindparam("version")).order_by(_newest_first).limit(1)
_LATEST_POLICY_VERSION = select(policy_versions.c.version).order_by(_newest_policy_first).limit(1)
_POLICY = select(policy_versions.c.numbers).where(policy_versions.c.version == bindparam("version")).limit(1)
_LATEST_CHANGE = select(func.coalesce(func.max(campaign_changes.c.change_id), 0))
_LATEST_OWN = select(func.coalesce(func.max(own_features.c.number), 0))
_IN_FORCE = Prepared(
    select(
        _LATEST_VERSION.scalar_subquery(),
        _LATEST_POLICY_VERSION.scalar_subquery(),
        _LATEST_CHANGE.scalar_subquery(),
        _LATEST_OWN.scalar_subquery(),
    )
)
_ADD = insert(catalogue_versions)
_ADD_POLICY = insert(policy_versions)
_LATEST_POLICY = (
    select(policy_versions.c.version, policy_versions.c.recorded_at, policy_versions.c.actor)
    .order_by(_newest_policy_first)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class SavedCatalogue:
    """One version as it was saved; `types` are those its rules were read with (None: saved before they were kept)."""

    version: str
    offers: list[dict[str, Any]]
    types: dict[str, str] | None


class CatalogueLog(BoundLog):
    """The catalogue's and the policy's part of the log: append only, the last one saved is in force."""

    _in_force: tuple[str | None, str | None, int, int] | None = None

    def versions_in_force(self) -> tuple[str | None, str | None]:
        """Return the versions of catalogue and policy in force, looked up once a transaction."""
        return self._all_in_force()[:2]

    def campaigns_version(self) -> int:
        """Return a number that grows with every change of any campaign; it is looked up with the others."""
        return self._all_in_force()[2]

    def own_features_number(self) -> int:
        """Return a number that grows with every change of the bank's own features; looked up with the others."""
        return self._all_in_force()[3]

    def _all_in_force(self) -> tuple[str | None, str | None, int, int]:
        if self._in_force is None:
            catalogue, policy, campaigns, own = _IN_FORCE.rows(self._connection, {})[0]
            self._in_force = catalogue, policy, campaigns, own
        return self._in_force

    def latest_catalogue(self) -> SavedCatalogue | None:
        """Return the catalogue in force, if one was ever saved."""
        return _to_saved(self._connection.execute(_LATEST).first())

    def catalogue_of(self, version: str) -> SavedCatalogue | None:
        """Return a version that was once in force, for the replay of a decision."""
        return _to_saved(self._connection.execute(_BY_VERSION, {"version": version}).first())

    def save_catalogue(
        self, version: str, offers: Sequence[dict[str, Any]], types: Mapping[str, str], recorded_at: datetime
    ) -> None:
        """Put a catalogue in force; nothing is written when it already is."""
        if self.versions_in_force()[0] != version:
            row = {"version": version, "offers": orjson.dumps(list(offers)).decode(), "recorded_at": recorded_at}
            self._connection.execute(_ADD, {**row, "types": orjson.dumps(dict(types)).decode()})
            self._in_force = None

    def latest_policy_change(self) -> tuple[str, datetime, str | None] | None:
        """Return the version of the policy in force, when it was saved and by whom; None before the first."""
        row = self._connection.execute(_LATEST_POLICY).first()
        return None if row is None else (row[0], row[1], row[2])

    def policy_of(self, version: str) -> Policy | None:
        """Return a policy that was once in force."""
        numbers = self._connection.execute(_POLICY, {"version": version}).scalar()
        return None if numbers is None else parse_policy(orjson.loads(numbers))

    def save_policy(self, policy: Policy, recorded_at: datetime, actor: str | None = None) -> None:
        """Put a policy in force; nothing is written when it already is. `actor` is who changed it."""
        if self.versions_in_force()[1] != policy.version:
            numbers = orjson.dumps(policy.document()).decode()
            row = {"version": policy.version, "numbers": numbers, "recorded_at": recorded_at, "actor": actor}
            self._connection.execute(_ADD_POLICY, row)
            self._in_force = None


def _to_saved(row: Any) -> SavedCatalogue | None:
    return None if row is None else SavedCatalogue(row[0], orjson.loads(row[1]), orjson.loads(row[2] or "null"))
