"""A live contact on the agent's desk: its page, its stream, what the agent answers, and how it ends."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Header, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from recsys.domain.errors import (
    AlreadyAnswered,
    Conflict,
    ContactClosed,
    DisclosureNotRead,
    IdempotencyKeyReused,
    NotFound,
)
from serving.consoles import agent_view
from serving.consoles.desk import AtContact, ContactDesk, FragmentsOf, Notice
from serving.consoles.page import answer
from serving.consoles.protection_form import checked, said
from serving.consoles.safety import PageRoute
from serving.consoles.wording import speaker
from serving.contacts.schemas import AnswerRequest, CloseContact, ExposureRequest, HandOff, Identifier
from serving.decisions.schemas import OfferBody
from serving.dependencies import LiveHubOf
from serving.live.stream import follow

suggestions = APIRouter(route_class=PageRoute)
"""What the cards need, wherever they stand; whoever includes it says who may call."""
whole_page = APIRouter(route_class=PageRoute)
"""What only the contact's own page has."""


@whole_page.get("")
def show_contact(at: AtContact) -> Response:
    """Show the live contact."""
    return at.show("agent_contact.html")


@suggestions.get("/live")
def refresh_contact(at: AtContact) -> Response:
    """Return the changing part of the contact's page as it stands now."""
    return at.show("_live.html")


@suggestions.get("/stream", response_class=EventSourceResponse)
async def stream(
    at: AtContact,
    hub: LiveHubOf,
    shared: FragmentsOf,
    after: int = 0,
    last_event_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Send the changing part of the page whenever the contact changes; the event id is the sequence number."""
    start = after if last_event_id is None else last_event_id
    async for sequence in follow(at.desk.services, hub, at.contact_id, start):
        if at.is_over:
            return
        if sequence is None:
            yield ServerSentEvent(comment="still here")
        else:
            fragment = await shared.get((at.base, at.desk.language, sequence), at.fragment)
            yield ServerSentEvent(raw_data=fragment, id=str(sequence))


@suggestions.post("/answers")
def record_answer(form: Annotated[AnswerRequest, Form()], at: AtContact, afterwards: BackgroundTasks) -> Response:
    """Record what the customer answered and return the new list."""
    view = at.view()
    offers = view.decision.offers if view.decision else []
    offer = next((one for one in offers if one.offer_id == form.offer_id), None)
    notice, status = _record(form, offer, at)
    if status is HTTPStatus.OK:
        afterwards.add_task(at.desk.contacts.push_features, view.customer.customer_id)
    return at.show("_live.html", notice, status)


def _record(form: AnswerRequest, offer: OfferBody | None, at: ContactDesk) -> tuple[Notice, HTTPStatus]:
    """Record the answer once and return what to tell the agent.

    The idempotency key is made of decision, offer and answer, so that the same answer sent again by a
    reload, a second tab or after a restart is recorded once.
    """
    say = speaker(at.desk.language)
    key = f"console/{form.decision_id}/{form.offer_id}/{form.answer}"
    try:
        at.check_made_here(form.decision_id)
        at.desk.contacts.answer(form, key)
    except DisclosureNotRead:
        return Notice(say("read_first"), is_bad=True), HTTPStatus.UNPROCESSABLE_ENTITY
    except (AlreadyAnswered, IdempotencyKeyReused) as error:
        first = str(error.first["answer"]) if isinstance(error, AlreadyAnswered) else form.answer
        return Notice(say("answered_before", answer=say(first)), is_bad=True), HTTPStatus.CONFLICT
    except ContactClosed:
        return Notice(say("answered_after_end"), is_bad=True), HTTPStatus.CONFLICT
    except (Conflict, NotFound):
        return Notice(say("not_allowed_now"), is_bad=True), HTTPStatus.CONFLICT
    title = offer.title if offer else form.offer_id
    return Notice(say("saved", answer=say(form.answer), title=title)), HTTPStatus.OK


@suggestions.post("/exposures", status_code=HTTPStatus.NO_CONTENT)
def record_exposure(form: Annotated[ExposureRequest, Form()], at: AtContact) -> None:
    """Record that a card was in view long enough, or that the agent mentioned its offer."""
    at.check_made_here(form.decision_id)
    at.desk.contacts.expose(form)


@suggestions.post("/protections")
def protect(
    at: AtContact,
    why: Annotated[str, Form(max_length=2000)] = "",
    statement: Annotated[str, Form(max_length=100)] = "",
    found: Annotated[str, Form(max_length=20)] = "",
    holds: Annotated[list[str] | None, Form(max_length=20)] = None,
) -> Response:
    """Record what protects the customer (`statement`), or what a check of the unreadable `found`; a new list follows.

    A form that cannot be saved is answered with what is missing; the page keeps what was typed.
    """
    say, now = speaker(at.desk.language), at.desk.services.clock()
    try:
        actor = at.desk.agent_id
        told = checked(found, holds or [], why, actor, now) if found else said(statement, why, actor, now)
    except ValueError as refused:
        notice = Notice(say(str(refused)), is_bad=True)
        return at.show("_live.html", notice, HTTPStatus.UNPROCESSABLE_ENTITY)
    at.desk.contacts.protect(at.view().customer.customer_id, *told)
    return at.show("_live.html", Notice(say("protect_saved")))


@suggestions.get("/why-not")
def explain_absence(at: AtContact, q: str = "") -> Response:
    """Say why the offers whose name contains `q` are not suggested."""
    decision = at.view().decision
    suggested, held_back, more = agent_view.why_not(decision, q) if decision and q.strip() else ([], [], 0)
    found = {"query": q.strip(), "suggested": suggested, "held_back": held_back, "more": more}
    return answer(at.desk.request, "_why_not.html", found)


@whole_page.post("/close")
def wrap_up(
    at: AtContact,
    afterwards: BackgroundTasks,
    csat: Annotated[str, Form(pattern="^[1-5]?$")] = "",
    summary: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """End the contact and go back to the queue."""
    request = CloseContact(csat=int(csat) if csat else None, summary=summary or None)
    view = at.desk.contacts.close(at.contact_id, request, at.desk.language)
    afterwards.add_task(at.desk.contacts.push_features, view["contact"]["customer_id"])
    return _to_queue("wrapped_up")


@whole_page.post("/hand-over")
def hand_over(
    at: AtContact,
    agent_id: Annotated[Identifier, Form()],
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Give the contact to another agent and go back to the queue."""
    at.desk.contacts.hand_off(at.contact_id, HandOff(agent_id=agent_id, note=note or None), at.desk.language)
    return _to_queue("handed_over")


def _to_queue(notice: str) -> Response:
    return RedirectResponse(f"/agent?notice={notice}", HTTPStatus.SEE_OTHER)
