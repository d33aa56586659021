"""What a route may ask for: the services, the speaker's language and the permission it declares.

They are coroutines although they wait for nothing: each plain function would cost a request a change of threads.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request

from serving.live_hub import LiveHub
from serving.wiring import Services

DEMO_ACTOR = "demo"
LONGEST_ACTOR = 100


class Role(StrEnum):
    """Who may do what; see docs/settings.md."""

    AGENT = "agent"
    MARKETER = "marketer"
    SCIENTIST = "scientist"
    APPROVER = "approver"
    AUDITOR = "auditor"
    SERVICE = "service"


def allow(*roles: Role) -> Callable[[Request], Awaitable[None]]:
    """Declare who may call a route. With NBO_AUTH=demo, the only mode so far, everyone has every role."""

    async def check(request: Request) -> None:
        request.state.roles = roles

    return check


async def actor(request: Request) -> str:
    """Return who acts, for audits: the header Nbo-Actor, which nothing proves yet, or the demo service."""
    name = request.headers.get("nbo-actor", "").strip()
    return name if 0 < len(name) <= LONGEST_ACTOR and name.isprintable() else DEMO_ACTOR


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
    """Return the language to speak: a token's, else `?lang=`, the cookie's, the browser's; "en" or "zh"."""
    accepted = request.headers.get("accept-language", "").lower()
    granted: str | None = getattr(request.state, "language", None)
    wanted = granted or request.query_params.get("lang") or request.cookies.get("lang") or _preferred(accepted)
    return "zh" if wanted.startswith("zh") else "en"


def _preferred(accepted: str) -> str:
    chinese, english = accepted.find("zh"), accepted.find("en")
    return "zh" if chinese >= 0 and (english < 0 or chinese < english) else "en"


Actor = Annotated[str, Depends(actor)]
ServicesOf = Annotated[Services, Depends(services)]
LiveHubOf = Annotated[LiveHub, Depends(live_hub)]
Language = Annotated[str, Depends(language)]
