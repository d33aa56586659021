"""/agent: the queue, and who of it this agent serves."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import ContactTaken
from serving.addresses import PathId, quoted
from serving.consoles import contact_routes
from serving.consoles.desk import AtDesk, named_contact
from serving.consoles.safety import PageRoute, same_origin
from serving.dependencies import Role, allow

NOTICES = frozenset({"taken", "wrapped_up", "handed_over"})

router = APIRouter(
    prefix="/agent", route_class=PageRoute, dependencies=[Depends(allow(Role.AGENT)), Depends(same_origin)]
)


@router.get("")
def show_queue(desk: AtDesk, notice: str | None = None) -> Response:
    """Show who waits and whom this agent serves."""
    return desk.show_queue("agent_queue.html", notice if notice in NOTICES else None)


@router.get("/queue")
def refresh_queue(desk: AtDesk) -> Response:
    """Return the lists of the queue page, as it fetches them every two seconds."""
    return desk.show_queue("_queue.html")


@router.post("/contacts/{contact_id}/pick-up")
def pick_up(contact_id: PathId, desk: AtDesk) -> Response:
    """Take a waiting contact and go to it; back to the queue when another agent was quicker."""
    address = f"/agent/contacts/{quoted(contact_id)}"
    try:
        desk.contacts.pick_up(contact_id, desk.agent_id, desk.language)
    except ContactTaken:
        address = "/agent?notice=taken"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


for pages in (contact_routes.whole_page, contact_routes.suggestions):
    router.include_router(pages, prefix="/contacts/{contact_id}", dependencies=[Depends(named_contact)])
