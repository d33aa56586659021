"""Requests that name themselves by a key, and what each of them made, in the event log: kept with the effect."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recsys.domain.errors import IdempotencyKeyReused
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import idempotent_requests as requests

_IS_IT = and_(*(requests.c[name] == bindparam(f"its_{name}") for name in ("person", "scope", "key")))
_FIRST = select(requests.c.digest, requests.c.made).where(_IS_IT)
_KEEP_MADE = update(requests).where(_IS_IT).values(made=bindparam("made"))
_CLAIM = {
    "sqlite": sqlite.insert(requests).on_conflict_do_nothing().returning(requests.c.key),
    "postgresql": postgresql.insert(requests).on_conflict_do_nothing().returning(requests.c.key),
}


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request under a key: who asks (`person`) for what (`scope`), and the digest of everything they sent."""

    person: str
    scope: str
    key: str
    digest: str


class IdempotencyLog(BoundLog):
    """The part of the log that knows which requests had their effect."""

    def claim(self, request: IdempotentRequest, at: datetime) -> dict[str, Any] | None:
        """Return what the request made when it first came; None makes it this transaction's own.

        Whoever sends the same at the same moment waits here until this transaction has ended. Raises
        `IdempotencyKeyReused` where the key came with something else.
        """
        row = {**asdict(request), "created_at": at}
        if self._connection.execute(_CLAIM[self._connection.dialect.name], row).first() is not None:
            return None
        digest, made = self._connection.execute(_FIRST, _its(request)).one()
        if digest != request.digest:
            raise IdempotencyKeyReused
        first: dict[str, Any] = orjson.loads(made)
        return first

    def keep_made(self, request: IdempotentRequest, made: Mapping[str, Any]) -> None:
        """Note what a request that was claimed in this transaction made."""
        self._connection.execute(_KEEP_MADE, {**_its(request), "made": orjson.dumps(dict(made)).decode()})


def _its(request: IdempotentRequest) -> dict[str, str]:
    return {"its_person": request.person, "its_scope": request.scope, "its_key": request.key}
