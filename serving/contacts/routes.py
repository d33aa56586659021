"""/v1/contacts: open, hear, pick up, hand over, close, look."""

from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from recsys.domain.errors import NotPermitted
from serving.addresses import PathId, QueryId
from serving.answers import json_response
from serving.contacts.dependencies import Contacts, InTurn
from serving.contacts.embed_token import EmbedGrant, sign
from serving.contacts.schemas import (
    CloseContact,
    ContactView,
    EmbedToken,
    EmbedTokenRequest,
    HandOff,
    NewContactEvent,
    OpenContact,
    WaitingContact,
)
from serving.decisions.schemas import DecisionBody
from serving.dependencies import Asking, Language, Role, ServicesOf, allow
from serving.idempotency import OnceOf

router = APIRouter(prefix="/v1/contacts", tags=["contacts"], dependencies=[Depends(allow(Role.AGENT, Role.SERVICE))])


@router.post("", status_code=HTTPStatus.CREATED, response_model=ContactView)
async def open_contact(
    request: OpenContact, contacts: Contacts, language: Language, in_turn: InTurn, once: OnceOf
) -> Response:
    """Open (or continue) a contact; answers with the customer and the first decision.

    Sent again under its Idempotency-Key, it answers 200 with the contact that it opened, as it stands now.
    """
    return await in_turn(lambda: json_response(contacts.open(request, language, once), once.status()))


@router.get("")
def waiting_contacts(contacts: Contacts, agent_id: QueryId | None = None) -> list[WaitingContact]:
    """List the contacts nobody has picked up, or the open ones of one agent."""
    return contacts.waiting() if agent_id is None else contacts.live(agent_id)


@router.get("/{contact_id}", response_model=ContactView)
def show_contact(contact_id: PathId, contacts: Contacts, language: Language) -> Response:
    """Show the contact as it stands."""
    return json_response(contacts.view(contact_id, language))


@router.post("/{contact_id}/events", response_model=DecisionBody)
async def add_event(
    contact_id: PathId, event: NewContactEvent, contacts: Contacts, language: Language, in_turn: InTurn, once: OnceOf
) -> Response:
    """Tell what was heard; answers with the re-made decision, the same one again under the same Idempotency-Key."""
    return await in_turn(lambda: json_response(contacts.add_event(contact_id, event, language, once)["decision"]))


@router.post("/{contact_id}/pickup", response_model=ContactView)
def pick_up(contact_id: PathId, request: HandOff, contacts: Contacts, language: Language, once: OnceOf) -> Response:
    """Take a waiting contact; 409 when another agent was quicker."""
    return json_response(contacts.pick_up(contact_id, request.agent_id, language, once))


@router.post("/{contact_id}/handoff", response_model=ContactView)
def hand_off(contact_id: PathId, request: HandOff, contacts: Contacts, language: Language, once: OnceOf) -> Response:
    """Give the contact to another agent or channel, with its whole context."""
    return json_response(contacts.hand_off(contact_id, request, language, once))


@router.post("/{contact_id}/close", response_model=ContactView)
def close_contact(
    contact_id: PathId, request: CloseContact, contacts: Contacts, language: Language, afterwards: BackgroundTasks
) -> Response:
    """End the contact; doing so again changes nothing."""
    view = contacts.close(contact_id, request, language)
    afterwards.add_task(contacts.push_features, view["contact"]["customer_id"])
    return json_response(view)


@router.post("/{contact_id}/embed-token", status_code=HTTPStatus.CREATED)
def make_embed_token(
    contact_id: PathId, request: EmbedTokenRequest, contacts: Contacts, services: ServicesOf, asking: Asking
) -> EmbedToken:
    """Sign a token that opens this contact's suggestions in a frame of the bank's own desktop.

    The desktop asks for any of its agents, an agent for nobody else.
    """
    if Role.SERVICE not in asking.roles and request.agent_id != asking.name:
        raise NotPermitted
    known = contacts.contact(contact_id).contact_id
    expires_at = (services.clock() + timedelta(minutes=request.minutes)).replace(microsecond=0)
    token = sign(EmbedGrant(known, request.agent_id, expires_at, request.language), services.settings)
    return EmbedToken(token=token, expires_at=expires_at, address=f"/agent/embed?token={token}")
