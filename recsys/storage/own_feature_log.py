"""The bank's own features in the event log: every document of them that was applied, and what was pushed into them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select

from recsys.domain.errors import ImportInvalid
from recsys.domain.identifier import same_names
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import own_features, pushed_features

_BATCH = 10_000
_EVER = datetime(1, 1, 2, tzinfo=UTC)
_NEWEST_FIRST = own_features.c.number.desc()
_SAVED = select(own_features.c.version, own_features.c.document, own_features.c.types, own_features.c.recorded_at)
_LATEST = _SAVED.order_by(_NEWEST_FIRST).limit(1)
_OF_VERSION = _SAVED.where(own_features.c.version == bindparam("version")).order_by(_NEWEST_FIRST).limit(1)
_ALL_TYPES = select(own_features.c.types).order_by(own_features.c.number)
_PUSHED = select(pushed_features.c.customer_id, pushed_features.c.known_at, pushed_features.c.features).where(
    pushed_features.c.view == bindparam("view"),
    pushed_features.c.known_at > bindparam("since"),
    pushed_features.c.known_at <= bindparam("until"),
)
_PUSHED = _PUSHED.order_by(pushed_features.c.customer_id, pushed_features.c.known_at, pushed_features.c.number)


@dataclass(frozen=True, slots=True)
class SavedOwnFeatures:
    """One document as it was applied; `types` are number, text or boolean by feature, as rules read them.

    `applied_at` is when it was put in force last.
    """

    version: str
    document: str
    types: Mapping[str, str]
    applied_at: datetime = _EVER


class OwnFeatureLog(BoundLog):
    """The part of the log that the bank's own features have: append only, the last document is in force."""

    def own_features(self, version: str | None = None) -> SavedOwnFeatures | None:
        """Return the document in force, or the one of a version; None where nothing was ever applied."""
        if version is None:
            row = self._connection.execute(_LATEST).first()
        else:
            row = self._connection.execute(_OF_VERSION, {"version": version}).first()
        return None if row is None else SavedOwnFeatures(row[0], row[1], orjson.loads(row[2]), row[3])

    def all_own_types(self) -> dict[str, str]:
        """Return the type of every own feature that was ever applied, of those that were dropped, too."""
        found: dict[str, str] = {}
        for types in self._connection.execute(_ALL_TYPES).scalars():
            found |= orjson.loads(types)
        return found

    def save_own_features(self, saved: SavedOwnFeatures, at: datetime) -> None:
        """Put a document in force; nothing is written when it already is."""
        latest = self.own_features()
        if latest is None or latest.version != saved.version:
            types = orjson.dumps(dict(saved.types)).decode()
            row = {"version": saved.version, "document": saved.document, "types": types, "recorded_at": at}
            self._connection.execute(insert(own_features), row)

    def add_pushed(self, view: str, customer_id: str, values: Mapping[str, Any], at: datetime) -> None:
        """Add what was pushed of a customer; it is known from `at` on."""
        features = orjson.dumps(dict(values)).decode()
        row = {"view": view, "customer_id": customer_id, "known_at": at, "features": features}
        self._connection.execute(insert(pushed_features), row)

    def pushed(
        self, view: str, until: datetime, since: datetime = _EVER
    ) -> Iterator[Sequence[tuple[str, datetime, dict[str, Any]]]]:
        """Yield what was pushed into a view after `since` and up to `until`, in batches: by customer, oldest first."""
        for rows in self.batches(_PUSHED.params(view=view, since=since, until=until), _BATCH):
            yield [(row.customer_id, row.known_at, orjson.loads(row.features)) for row in rows]


def check_attributes(file: str, attributes: Iterable[str], features: Iterable[str]) -> None:
    """Raise ImportInvalid where an attribute of `file` is called like a feature of the bank's own."""
    if taken := same_names(attributes, features):
        said = ", ".join(
            name if name == feature else f"{name} (there: {feature}; case makes no other name)"
            for name, feature in sorted(taken.items())
        )
        raise ImportInvalid(
            f"{file}: {said} is the name of a feature of the bank's own, and can not be an attribute's too: "
            f"give the column another name in the mapping (`columns: {{another_name: {min(taken)}}}`), or "
            f"rename the feature and run `nbo features export` and `nbo features apply`."
        )
