"""Renders the consoles' templates and answers with the headers every page needs."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recsys.domain.clock import system_clock
from serving.access import Person
from serving.consoles import agent_view, charts, formats, science_view
from serving.consoles.wording import speaker
from serving.dependencies import Role, language_of

CONSOLES = {
    "agent": frozenset({Role.AGENT}),
    "marketing": frozenset({Role.MARKETER, Role.APPROVER, Role.AUDITOR}),
    "science": frozenset({Role.SCIENTIST, Role.APPROVER, Role.AUDITOR}),
}
"""Which roles see which console."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def answer(
    request: Request, template: str, values: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    """Return a page or fragment in the reader's language; a language asked for by address is remembered."""
    response = HTMLResponse(render(request, template, values), status, HEADERS)
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") in ("en", "zh"):
        response.set_cookie("lang", request.query_params["lang"], max_age=31536000, samesite="lax")
    return response


def render(request: Request, template: str, values: Mapping[str, Any]) -> str:
    """Return the template as HTML; it sees `say`, `language`, `now` and the formatting functions."""
    language = language_of(request)
    context = {
        "language": language,
        "say": speaker(language),
        "now": system_clock(),
        "path": request.url.path,
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
    environment.globals.update(
        formats=formats, view_of=agent_view, charts=charts, science=science_view, consoles_of=consoles_of
    )
    return environment
