"""/agent: the queue, the live contact with its suggestions, and what the agent answers."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, BackgroundTasks, Depends, Form, Header, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from recsys.domain.errors import Conflict, ContactTaken, OfferNotFound
from recsys.domain.outcome import Answer
from serving.consoles import agent_view
from serving.consoles.desk import AtDesk, Desk, Notice
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.wording import speaker
from serving.contacts.schemas import AnswerRequest, CloseContact, HandOff
from serving.contacts.views import as_object
from serving.decisions.schemas import OfferBody
from serving.dependencies import LiveHubOf, Role, allow
from serving.live.stream import follow

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
    try:
        desk.contacts.pick_up(contact_id, desk.agent_id, desk.language)
    except ContactTaken:
        return _go("/agent?notice=taken")
    return _go(f"/agent/contacts/{quote(contact_id, safe='')}")


@router.get("/contacts/{contact_id}")
def show_contact(contact_id: str, desk: AtDesk) -> Response:
    """Show the live contact."""
    return desk.show_contact("agent_contact.html", contact_id)


@router.get("/contacts/{contact_id}/live")
def refresh_contact(contact_id: str, desk: AtDesk) -> Response:
    """Return the changing part of the contact's page as it stands now."""
    return desk.show_contact("_live.html", contact_id)


def _known_contact(contact_id: str, desk: AtDesk) -> str:
    return desk.contacts.contact(contact_id).contact_id


@router.get("/contacts/{contact_id}/stream", response_class=EventSourceResponse)
async def stream(
    contact_id: Annotated[str, Depends(_known_contact)],
    desk: AtDesk,
    hub: LiveHubOf,
    after: int = 0,
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Send the changing part of the page whenever the contact changes; the event id is the sequence number."""
    start = after if last_event_id is None else last_event_id
    async for sequence in follow(desk.services, hub, contact_id, start):
        if sequence is None:
            yield ServerSentEvent(comment="still here")
        else:
            fragment = await anyio.to_thread.run_sync(desk.contact_fragment, contact_id)
            yield ServerSentEvent(raw_data=fragment, id=str(sequence))


@router.post("/contacts/{contact_id}/answers")
def record_answer(
    contact_id: str, form: Annotated[AnswerRequest, Form()], desk: AtDesk, afterwards: BackgroundTasks
) -> Response:
    """Record what the customer answered and return the new list."""
    view = as_object(desk.contacts.view(contact_id, desk.language))
    offers = view.decision.offers if view.decision else []
    offer = next((one for one in offers if one.offer_id == form.offer_id), None)
    notice, status = _record(form, offer, desk)
    if status is HTTPStatus.OK:
        afterwards.add_task(desk.contacts.push_features, view.customer.customer_id)
    return desk.show_contact("_live.html", contact_id, notice, status)


def _record(form: AnswerRequest, offer: OfferBody | None, desk: Desk) -> tuple[Notice, HTTPStatus]:
    """Record the answer once and return what to tell the agent.

    The idempotency key is made of decision, offer and answer, so that the same answer sent again by a
    reload, a second tab or after a restart is recorded once.
    """
    say = speaker(desk.language)
    if form.answer is Answer.ACCEPTED and offer is not None and offer.disclosure and not form.disclosure_read:
        return Notice(say("read_first"), is_bad=True), HTTPStatus.UNPROCESSABLE_ENTITY
    key = f"console/{form.decision_id}/{form.offer_id}/{form.answer}"
    try:
        desk.contacts.answer(form, key)
    except (Conflict, OfferNotFound):
        return Notice(say("not_allowed_now"), is_bad=True), HTTPStatus.CONFLICT
    title = offer.title if offer else form.offer_id
    return Notice(say("saved", answer=say(form.answer), title=title)), HTTPStatus.OK


@router.get("/contacts/{contact_id}/why-not")
def explain_absence(contact_id: str, desk: AtDesk, q: str = "") -> Response:
    """Say why the offers whose name contains `q` are not suggested."""
    decision = as_object(desk.contacts.view(contact_id, desk.language)).decision
    suggested, held_back, more = agent_view.why_not(decision, q) if decision and q.strip() else ([], [], 0)
    found = {"query": q.strip(), "suggested": suggested, "held_back": held_back, "more": more}
    return answer(desk.request, "_why_not.html", found)


@router.post("/contacts/{contact_id}/close")
def wrap_up(
    contact_id: str,
    desk: AtDesk,
    afterwards: BackgroundTasks,
    csat: Annotated[str, Form(pattern="^[1-5]?$")] = "",
    summary: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """End the contact and go back to the queue."""
    request = CloseContact(csat=int(csat) if csat else None, summary=summary or None)
    view = desk.contacts.close(contact_id, request, desk.language)
    afterwards.add_task(desk.contacts.push_features, view["contact"]["customer_id"])
    return _go("/agent?notice=wrapped_up")


@router.post("/contacts/{contact_id}/hand-over")
def hand_over(
    contact_id: str,
    desk: AtDesk,
    agent_id: Annotated[str, Form(min_length=1, max_length=128)],
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Give the contact to another agent and go back to the queue."""
    desk.contacts.hand_off(contact_id, HandOff(agent_id=agent_id, note=note or None), desk.language)
    return _go("/agent?notice=handed_over")


def _go(address: str) -> Response:
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
