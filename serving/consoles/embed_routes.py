"""/agent/embed: one contact's cards for a frame in the bank's own desktop, opened by a signed token.

A browser sends no cookies to a frame of another site, so every address of this page carries the token.
"""

from fastapi import APIRouter, Depends, Request, Response

from serving.access import Person
from serving.consoles import contact_routes
from serving.consoles.desk import AtContact
from serving.consoles.safety import PageRoute, same_origin
from serving.contacts import embed_token
from serving.dependencies import Role, ServicesOf, allow


async def framed(request: Request, services: ServicesOf) -> None:
    """Sign in whom the token names, for its contact; EmbedTokenRefused where it opens nothing.

    What is answered, a refusal too, may stand in the frames of the sites that NBO_EMBED_ANCESTORS names.
    """
    request.state.frame_ancestors = services.settings.embed_ancestors
    token = request.path_params.get("token") or request.query_params.get("token", "")
    grant = embed_token.read(token, services.settings, services.clock())
    request.state.token, request.state.grant = token, grant
    request.state.language = grant.language
    request.state.person = Person(grant.agent_id, frozenset({Role.AGENT}))


router = APIRouter(
    prefix="/agent/embed",
    route_class=PageRoute,
    dependencies=[Depends(framed), Depends(allow(Role.AGENT)), Depends(same_origin)],
)


@router.get("")
def show_cards(at: AtContact) -> Response:
    """Show the cards of the contact that `?token=` opens."""
    return at.show("agent_embed.html")


router.include_router(contact_routes.suggestions, prefix="/{token}")
