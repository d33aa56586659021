"""/agent: the queue, and who of it this agent serves."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import ContactTaken
from serving.consoles import contact_routes
from serving.consoles.desk import AtDesk
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
def pick_up(contact_id: str, desk: AtDesk) -> Response:
    """Take a waiting contact and go to it; back to the queue when another agent was quicker."""
    address = f"/agent/contacts/{quote(contact_id, safe='')}"
    try:
        desk.contacts.pick_up(contact_id, desk.agent_id, desk.language)
    except ContactTaken:
        address = "/agent?notice=taken"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


router.include_router(contact_routes.whole_page, prefix="/contacts/{contact_id}")
router.include_router(contact_routes.suggestions, prefix="/contacts/{contact_id}")
