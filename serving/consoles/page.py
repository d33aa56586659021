"""Renders the consoles' templates and answers with the headers every page needs."""

import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.filters import do_urlencode

from recsys.domain.clock import system_clock
from serving.access import Person
from serving.addresses import quoted
from serving.consoles import agent_view, charts, formats, science_view
from serving.consoles.called import Called
from serving.consoles.wording import speaker
from serving.dependencies import Role, language_of

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)
STATIC = Path(__file__).parent / "static"
CONSOLES = {
    "agent": frozenset({Role.AGENT}),
    "marketing": frozenset({Role.MARKETER, Role.APPROVER, Role.AUDITOR}),
    "science": frozenset({Role.SCIENTIST, Role.APPROVER, Role.AUDITOR}),
}
"""Which roles see which console."""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def answer(
    request: Request, template: str, values: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    """Return a page or fragment in the reader's language; a language asked for by address is remembered.

    No site may frame it, unless the request's state names `frame_ancestors`.
    """
    response = HTMLResponse(render(request, template, values), status, HEADERS)
    response.headers["Content-Security-Policy"] = CONTENT_POLICY + getattr(request.state, "frame_ancestors", "'none'")
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") in ("en", "zh"):
        response.set_cookie("lang", request.query_params["lang"], max_age=31536000, samesite="lax")
    return response


def render(request: Request, template: str, values: Mapping[str, Any]) -> str:
    """Return the template as HTML; it sees `say`, `called`, `language`, `now` and the formatting functions."""
    language = language_of(request)
    context = {
        "language": language,
        "say": speaker(language),
        "called": Called(request.app.state.services, language),
        "now": system_clock(),
        "path": request.url.path,
        "is_framed": hasattr(request.state, "frame_ancestors"),
        "person": getattr(request.state, "person", None),
        "is_demo": request.app.state.services.access.is_demo,
    }
    return _environment().get_template(template).render({**context, **values})


def consoles_of(asking: Person | None) -> list[str]:
    """Return the consoles that somebody may see."""
    return [name for name, roles in CONSOLES.items() if asking and asking.roles & roles]


@cache
def _environment() -> Environment:
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["urlencode"] = _quoted
    environment.globals.update(
        asset=asset,
        charts=charts,
        consoles_of=consoles_of,
        formats=formats,
        science=science_view,
        view_of=agent_view,
    )
    return environment


def _quoted(value: Any) -> str:
    """Return text as one part of an address, a slash quoted too (Jinja's own leaves it), or a mapping as a query."""
    return do_urlencode(value) if isinstance(value, Mapping) else quoted(str(value))


@cache
def asset(name: str) -> str:
    """Return the address of a static file, with the digest of its content, so that browsers may keep it for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
