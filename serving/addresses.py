"""Identifiers in addresses: whole within one part of a path, parsed as in bodies, and quoted completely in links."""

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Path, Query
from pydantic import AfterValidator
from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.domain.identifier import MAX_ID_LENGTH, parse_identifier
from recsys.domain.words import is_blank

_SLASH = "\ue000"
"""What stands for "/" within one part of a path; no identifier may contain it."""
_LENGTH = 5 * MAX_ID_LENGTH
"""Blanks that go do not count, so that more may be written than an identifier has."""


class WholeParts:
    """ASGI middleware: what is between two written slashes stays one part of the path, an encoded slash included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if b"%" in raw:
            parts = (unquote(part).replace("/", _SLASH) for part in raw.decode("latin-1").split("/"))
            scope = {**scope, "path": "/".join(parts)}
        await self.app(scope, receive, send)


def quoted(identifier: str) -> str:
    """Return the identifier as one part of a path, or as a value of a query: a slash is quoted too."""
    return quote(identifier, safe="")


def _from_path(text: str) -> str:
    return parse_identifier(text.replace(_SLASH, "/"))


def _beginning(text: str) -> str:
    return "" if is_blank(text) else parse_identifier(text)


PathId = Annotated[
    str,
    Path(min_length=1, max_length=_LENGTH, description=f"An identifier of 1 to {MAX_ID_LENGTH} characters, “/” as %2F"),
    AfterValidator(_from_path),
]
"""An identifier in a path, in its normal form."""
QueryId = Annotated[
    str,
    Query(max_length=_LENGTH, description=f"An identifier of 1 to {MAX_ID_LENGTH} characters"),
    AfterValidator(parse_identifier),
]
"""An identifier in a query, in its normal form."""
IdBeginning = Annotated[str, Query(max_length=_LENGTH, description="How identifiers begin"), AfterValidator(_beginning)]
"""How an identifier that is looked for begins, in its normal form; blank for any."""
