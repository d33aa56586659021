"""/v1/contacts: open, hear, pick up, hand over, close, look."""

from http import HTTPStatus

from fastapi import APIRouter, BackgroundTasks, Depends

from serving.contacts.dependencies import Contacts
from serving.contacts.schemas import CloseContact, ContactView, HandOff, NewContactEvent, OpenContact, WaitingContact
from serving.decisions.schemas import DecisionBody
from serving.dependencies import Language, Role, allow

router = APIRouter(prefix="/v1/contacts", tags=["contacts"], dependencies=[Depends(allow(Role.AGENT, Role.SERVICE))])


@router.post("", status_code=HTTPStatus.CREATED)
def open_contact(request: OpenContact, contacts: Contacts, language: Language) -> ContactView:
    """Open (or continue) a contact; answers with the customer and the first decision."""
    return contacts.open(request, language)


@router.get("")
def waiting_contacts(contacts: Contacts, agent_id: str | None = None) -> list[WaitingContact]:
    """List the contacts nobody has picked up, or the open ones of one agent."""
    return contacts.waiting() if agent_id is None else contacts.live(agent_id)


@router.get("/{contact_id}")
def show_contact(contact_id: str, contacts: Contacts, language: Language) -> ContactView:
    """Show the contact as it stands."""
    return contacts.view(contact_id, language)


@router.post("/{contact_id}/events")
def add_event(contact_id: str, event: NewContactEvent, contacts: Contacts, language: Language) -> DecisionBody:
    """Tell what was heard; answers with the re-made decision."""
    decision = contacts.add_event(contact_id, event, language).decision
    assert decision is not None
    return decision


@router.post("/{contact_id}/pickup")
def pick_up(contact_id: str, request: HandOff, contacts: Contacts, language: Language) -> ContactView:
    """Take a waiting contact; 409 when another agent was quicker."""
    return contacts.pick_up(contact_id, request.agent_id, language)


@router.post("/{contact_id}/handoff")
def hand_off(contact_id: str, request: HandOff, contacts: Contacts, language: Language) -> ContactView:
    """Give the contact to another agent or channel, with its whole context."""
    return contacts.hand_off(contact_id, request, language)


@router.post("/{contact_id}/close")
def close_contact(
    contact_id: str, request: CloseContact, contacts: Contacts, language: Language, afterwards: BackgroundTasks
) -> ContactView:
    """End the contact; doing so again changes nothing."""
    view = contacts.close(contact_id, request, language)
    afterwards.add_task(contacts.push_features, view.contact.customer_id)
    return view
