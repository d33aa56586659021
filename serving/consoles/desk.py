"""The agent's desk: what every route of the agent console works with, and the live contact it shows."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from recsys.domain.contact import ContactEventType
from recsys.domain.errors import ContactNotFound, DecisionNotFound
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, Purpose
from serving.addresses import PathId, quoted
from serving.consoles import agent_view
from serving.consoles.fragments import SharedFragments
from serving.consoles.page import answer, render
from serving.consoles.protection_form import consents, protections
from serving.contacts.dependencies import Contacts
from serving.contacts.embed_token import EmbedGrant
from serving.contacts.schemas import ContactView
from serving.contacts.service import ContactService
from serving.contacts.views import as_object
from serving.dependencies import Actor, Language, ServicesOf
from serving.wiring import Services

CLOSED = ContactEventType.CLOSED


@dataclass(frozen=True, slots=True)
class Notice:
    """One line above the cards: what was saved, or why not."""

    text: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """One request of one agent, in the agent's language."""

    request: Request
    contacts: ContactService
    services: Services
    language: str
    agent_id: str

    def show_queue(self, template: str, notice: str | None = None) -> Response:
        """Return who waits and whom this agent serves."""
        waiting, live = self.contacts.waiting(), self.contacts.live(self.agent_id)
        return answer(self.request, template, {"waiting": waiting, "live": live, "notice": notice})


@dataclass(frozen=True, slots=True)
class ContactDesk:
    """One contact on the desk, or in a frame that a token keeps open for a time; its addresses begin with `base`."""

    desk: Desk
    contact_id: str
    base: str
    open_until: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the frame's time has run out."""
        return self.open_until is not None and self.desk.services.clock() >= self.open_until

    def view(self) -> ContactView:
        """Return the contact as it stands now."""
        return as_object(self.desk.contacts.view(self.contact_id, self.desk.language))

    def check_made_here(self, decision_id: str) -> None:
        """Raise DecisionNotFound for a decision that was made in another contact, or never."""
        with self.desk.services.database.read() as log:
            if log.decision(decision_id)["contact_id"] != self.contact_id:
                raise DecisionNotFound(decision_id)

    def show(self, template: str, notice: Notice | None = None, status: HTTPStatus = HTTPStatus.OK) -> Response:
        """Return the contact as it stands now."""
        return answer(self.desk.request, template, self._values(notice), status)

    def fragment(self) -> str:
        """Return the changing part of the contact's page as HTML."""
        return render(self.desk.request, "_live.html", self._values(None))

    def _values(self, notice: Notice | None) -> dict[str, Any]:
        view, policy = self.view(), self.desk.services.policy.latest
        with self.desk.services.database.read() as log:
            pitched = log.pitched_in(self.contact_id)
            last = agent_view.last_contact(view)
            ended = [one for one in log.contact_events(last.contact_id) if one.type == CLOSED] if last else []
            ledger = log.statements(view.customer.customer_id)
        return {
            "view": view,
            "base": self.base,
            "notice": notice,
            "pitched": pitched,
            "last_summary": next(((one.text, one.occurred_at) for one in ended if one.text), None),
            "sequence": agent_view.sequence(view),
            "protections": protections(ledger, [name for name in FLAGS if getattr(view.customer, name)]),
            "consents": consents(ledger),
            "subjects": (DELIVERED_FLAGS, tuple(Purpose)),
            "complaint_days": policy.complaint_open_days,
            "declined_days": policy.declined_cool_off_days,
        }


async def named_contact(request: Request, contact_id: PathId) -> None:
    """Keep the contact that the address names for `contact_desk`."""
    request.state.contact_id = contact_id


async def desk(request: Request, contacts: Contacts, services: ServicesOf, language: Language, agent: Actor) -> Desk:
    """Return the desk of this request, at which whoever is signed in sits."""
    return Desk(request, contacts, services, language, agent)


AtDesk = Annotated[Desk, Depends(desk)]


def contact_desk(request: Request, desk: AtDesk) -> ContactDesk:
    """Return the contact of this address: named below the agent's own pages, else the one a frame's token opens.

    ContactNotFound before anything is begun.
    """
    contact_id: str | None = getattr(request.state, "contact_id", None)
    if contact_id is not None:
        known = desk.contacts.contact(contact_id).contact_id
        return ContactDesk(desk, known, f"/agent/contacts/{quoted(known)}")
    grant: EmbedGrant | None = getattr(request.state, "grant", None)
    if grant is None:  # what stands in the address is no identifier
        raise ContactNotFound("")
    return ContactDesk(desk, grant.contact_id, f"/agent/embed/{request.state.token}", grant.expires_at)


async def shared_fragments(request: Request) -> SharedFragments:
    """Return what the streams of this worker share."""
    shared: SharedFragments = request.app.state.shared_fragments
    return shared


FragmentsOf = Annotated[SharedFragments, Depends(shared_fragments)]
AtContact = Annotated[ContactDesk, Depends(contact_desk)]
