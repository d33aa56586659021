"""The agent's desk: what every route of the agent console works with, and the live contact it shows."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from serving.consoles import agent_view
from serving.consoles.page import answer, render
from serving.contacts.dependencies import Contacts
from serving.contacts.service import ContactService
from serving.contacts.views import as_object
from serving.dependencies import Actor, Language, ServicesOf
from serving.wiring import Services


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

    def show_contact(
        self, template: str, contact_id: str, notice: Notice | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> Response:
        """Return the contact as it stands now; ContactNotFound when there is no such contact."""
        return answer(self.request, template, self._contact(contact_id, notice), status)

    def contact_fragment(self, contact_id: str) -> str:
        """Return the changing part of the contact's page as HTML."""
        return render(self.request, "_live.html", self._contact(contact_id, None))

    def _contact(self, contact_id: str, notice: Notice | None) -> dict[str, Any]:
        view = as_object(self.contacts.view(contact_id, self.language))
        return {
            "view": view,
            "notice": notice,
            "sequence": agent_view.sequence(view),
            "complaint_days": self.services.policy.latest.complaint_open_days,
            "declined_days": self.services.policy.latest.declined_cool_off_days,
        }


async def desk(request: Request, contacts: Contacts, services: ServicesOf, language: Language, agent: Actor) -> Desk:
    """Return the desk of this request, at which whoever is signed in sits."""
    return Desk(request, contacts, services, language, agent)


AtDesk = Annotated[Desk, Depends(desk)]
