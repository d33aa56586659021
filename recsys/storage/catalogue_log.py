"""The catalogue's versions as they were saved, in the event log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select

from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import catalogue_versions

_newest_first = catalogue_versions.c.catalogue_id.desc()
_LATEST_VERSION = select(catalogue_versions.c.version).order_by(_newest_first).limit(1)
_LATEST = select(catalogue_versions.c.version, catalogue_versions.c.offers).order_by(_newest_first).limit(1)
_OFFERS = (
    select(catalogue_versions.c.offers)
    .where(catalogue_versions.c.version == bindparam("version"))
    .order_by(_newest_first)
    .limit(1)
)
_ADD = insert(catalogue_versions)


class CatalogueLog(BoundLog):
    """The catalogue's part of the log: append only, the last one saved is in force."""

    def latest_catalogue(self) -> tuple[str, list[dict[str, Any]]] | None:
        """Return version and offers of the catalogue in force, if one was ever saved."""
        row = self._connection.execute(_LATEST).first()
        return None if row is None else (row[0], orjson.loads(row[1]))

    def latest_catalogue_version(self) -> str | None:
        """Return only the version of the catalogue in force: cheap enough to ask before every decision."""
        version: str | None = self._connection.execute(_LATEST_VERSION).scalar()
        return version

    def catalogue_offers(self, version: str) -> list[dict[str, Any]] | None:
        """Return the offers of a version that was once in force, for the replay of a decision."""
        offers = self._connection.execute(_OFFERS, {"version": version}).scalar()
        return None if offers is None else orjson.loads(offers)

    def save_catalogue(self, version: str, offers: Sequence[dict[str, Any]], recorded_at: datetime) -> None:
        """Put a catalogue in force; nothing is written when it already is."""
        if self.latest_catalogue_version() != version:
            row = {"version": version, "offers": orjson.dumps(list(offers)).decode(), "recorded_at": recorded_at}
            self._connection.execute(_ADD, row)
