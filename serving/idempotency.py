"""Requests that have their effect once: under an Idempotency-Key, a retry gives the first result again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request

from recsys.storage.event_log import EventLog
from recsys.storage.idempotency_log import IdempotentRequest
from serving.dependencies import Asking

KEY_HEADER = Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[!-~]+$")
IdempotencyKey = Annotated[str, KEY_HEADER]


@dataclass(slots=True)
class Once:
    """The effect of one request: begun and ended inside the transaction that has it; without a key, just done."""

    request: IdempotentRequest | None = None
    is_repeated: bool = False

    def begin(self, log: EventLog, at: datetime) -> dict[str, Any] | None:
        """Return what names the first result where the request had its effect before, else None: do it now.

        Raises `IdempotencyKeyReused` where the key came with something else.
        """
        made = log.claim(self.request, at) if self.request else None
        self.is_repeated = made is not None
        return made

    def end(self, log: EventLog, **made: Any) -> None:
        """Keep what names the result."""
        if self.request:
            log.keep_made(self.request, made)

    def status(self, first: HTTPStatus = HTTPStatus.CREATED) -> HTTPStatus:
        """Return the status of the answer: 200 where nothing new was made, as with outcomes."""
        return HTTPStatus.OK if self.is_repeated else first


JUST_DO_IT = Once()
"""The effect of a request without a key."""


async def once(request: Request, asking: Asking, idempotency_key: Annotated[str | None, KEY_HEADER] = None) -> Once:
    """Return the request's effect, under its key where it has one; keys are apart by route and by who is signed in."""
    if idempotency_key is None:
        return Once()
    sent = b"\0".join((request.url.path.encode(), request.url.query.encode(), _plain(await request.body())))
    digest = hashlib.sha256(sent).hexdigest()
    scope = f"{request.method} {request.scope['route'].path}"
    return Once(IdempotentRequest(asking.name, scope, idempotency_key, digest))


def _plain(body: bytes) -> bytes:
    """Return a JSON body without what makes no difference in it; what is no JSON as it is, for the route to refuse."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body


OnceOf = Annotated[Once, Depends(once)]
