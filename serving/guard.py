"""The JSON guard: refuses a request body that no handler should ever see, before any handler does."""

from http import HTTPStatus

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import problem

MAX_BODY_BYTES = 64 * 1024
MAX_READ_BYTES = 64 * 1024 * 1024
"""So much of a body that is too large is read, so that its sender hears why: most hear nothing before they have sent
all of it, and of a connection that is closed meanwhile nothing but that."""
MAX_DEPTH = 32


class JsonGuard:
    """ASGI middleware: bodies up to 64 KiB, strict UTF-8 JSON (no NaN), depth up to 32, no NUL."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        refusal = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large") if body is None else None
        if body and refusal is None and _is_json(scope):
            refusal = refusal_of(body)
        if refusal is not None:
            status, name = refusal
            await problem(status, name, _DETAILS[name])(scope, receive, send)
            return
        await self.app(scope, _replay(body or b"", receive), send)


_DETAILS = {
    "too-large": "The body is larger than 64 KiB; send less at once.",
    "malformed-json": "The body is not valid JSON (UTF-8, no NaN or Infinity).",
    "too-deep": "The JSON is nested deeper than 32 levels.",
    "nul-character": "Text must not contain the character U+0000.",
}


async def _read(receive: Receive) -> bytes | None:
    """Return the body; None for one that is too large, of which nothing is kept."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= MAX_READ_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        else:
            chunks.clear()
        more = message.get("more_body", False)
    return b"".join(chunks) if size <= MAX_BODY_BYTES else None


def _is_json(scope: Scope) -> bool:
    content_type = dict(scope["headers"]).get(b"content-type", b"application/json")
    return not content_type.startswith((b"application/x-www-form-urlencoded", b"multipart/form-data"))


def refusal_of(body: bytes) -> tuple[HTTPStatus, str] | None:
    """Return why this JSON is for no handler to see, None where there is nothing against it."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return HTTPStatus.BAD_REQUEST, "malformed-json"
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return HTTPStatus.BAD_REQUEST, "too-deep"
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str) and "\0" in item:
                return HTTPStatus.UNPROCESSABLE_ENTITY, "nul-character"
        level = below
    return None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
