"""/agent/embed: one contact's cards for a frame in the bank's own desktop, opened by a signed token.

A browser sends no cookies to a frame of another site, so every address of this page carries the token.
"""

from fastapi import APIRouter, Depends, Request, Response

from serving.consoles import contact_routes
from serving.consoles.desk import AtContact
from serving.consoles.safety import PageRoute, same_origin
from serving.dependencies import ServicesOf


async def framed(request: Request, services: ServicesOf) -> None:
    """Let the pages of this request stand in frames of the sites that NBO_EMBED_ANCESTORS names."""
    request.state.frame_ancestors = services.settings.embed_ancestors


router = APIRouter(prefix="/agent/embed", route_class=PageRoute, dependencies=[Depends(framed), Depends(same_origin)])


@router.get("")
def show_cards(at: AtContact) -> Response:
    """Show the cards of the contact that `?token=` opens."""
    return at.show("agent_embed.html")


router.include_router(contact_routes.suggestions, prefix="/{token}")
