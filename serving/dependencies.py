"""What a route may ask for: the services, the speaker's language and the permission it declares.

They are coroutines although they wait for nothing: each plain function would cost a request a change of threads.
"""

import base64
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Request

from recsys.domain.errors import NotPermitted, NotSignedIn
from recsys.domain.role import Role as Role
from serving.access import EVERYONE, SESSION_COOKIE, Person
from serving.live_hub import LiveHub
from serving.wiring import Services

LONGEST_ACTOR = 100


class allow:
    """Declare who may call a route: whoever has one of `roles`."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> None:
        """Raise `NotSignedIn` for nobody, `NotPermitted` for somebody with other roles."""
        asking = await person(request)
        if not asking.roles & self.roles:
            raise NotPermitted


async def person(request: Request) -> Person:
    """Return who asks; raises `NotSignedIn`."""
    found: Person | None = getattr(request.state, "person", None)
    if found is None:
        access = (await services(request)).access
        session, authorization = request.cookies.get(SESSION_COOKIE), request.headers.get("authorization")
        if access.is_demo and session is None:
            found = EVERYONE
        else:
            found = await anyio.to_thread.run_sync(access.person, session, _basic(authorization))
        if found is None:
            raise NotSignedIn
        request.state.person = found
    return found


def _basic(authorization: str | None) -> tuple[str, str] | None:
    """Return name and password of an Authorization header, or None where it has none that can be read."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return name, password


async def actor(request: Request) -> str:
    """Return who acts, for audits: whoever is signed in; for the demo's everyone the header Nbo-Actor, unproven."""
    asking = await person(request)
    name = request.headers.get("nbo-actor", "").strip()
    is_named = asking is EVERYONE and 0 < len(name) <= LONGEST_ACTOR and name.isprintable()
    return name if is_named else asking.name


async def services(request: Request) -> Services:
    """Return the services of this application."""
    found: Services = request.app.state.services
    return found


async def live_hub(request: Request) -> LiveHub:
    """Return the hub that wakes this worker's streams."""
    hub: LiveHub = request.app.state.live_hub
    return hub


async def language(request: Request) -> str:
    """Return the language to speak, see `language_of`."""
    return language_of(request)


def language_of(request: Request) -> str:
    """Return the language to speak: `?lang=`, else the cookie, else the browser's; "en" or "zh"."""
    accepted = request.headers.get("accept-language", "").lower()
    wanted = request.query_params.get("lang") or request.cookies.get("lang") or _preferred(accepted)
    return "zh" if wanted.startswith("zh") else "en"


def _preferred(accepted: str) -> str:
    chinese, english = accepted.find("zh"), accepted.find("en")
    return "zh" if chinese >= 0 and (english < 0 or chinese < english) else "en"


Actor = Annotated[str, Depends(actor)]
ServicesOf = Annotated[Services, Depends(services)]
LiveHubOf = Annotated[LiveHub, Depends(live_hub)]
Language = Annotated[str, Depends(language)]
