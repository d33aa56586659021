"""/v1/customers: one person over every channel, what they consented to and what protects them."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from recsys.domain.protection import Statement
from serving.addresses import IdBeginning, PathId
from serving.answers import json_response
from serving.contacts.dependencies import Contacts
from serving.contacts.schemas import CustomerBody
from serving.contacts.situation import look_up
from serving.contacts.views import customer_json
from serving.customers.schemas import LedgerBody, NewConsent, NewFlag, ledger_body
from serving.decisions.schemas import Body
from serving.dependencies import Actor, Language, Role, ServicesOf, allow
from serving.idempotency import OnceOf

router = APIRouter(prefix="/v1/customers", tags=["customers"])
_agents = [Depends(allow(Role.AGENT, Role.SERVICE))]
_searchers = [Depends(allow(Role.AGENT, Role.MARKETER, Role.SERVICE))]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whoever says something of a customer's protection over HTTP, once under an Idempotency-Key."""

    contacts: Contacts
    services: ServicesOf
    actor: Actor
    language: Language
    once: OnceOf

    def about(self, customer_id: str, subject: str, value: bool, why: str | None) -> Response:
        """Add a statement to the ledger and return the customer's view; raises `CustomerNotFound`."""
        now = self.services.clock()
        statement = Statement(subject, value, now, now, "api", self.actor, why)
        self.contacts.protect(customer_id, statement, once=self.once)
        with self.services.database.read() as log:
            person = look_up(log, customer_id, now)
            view = customer_json(person, self.services.catalogue.current(log), self.language)
        return json_response(view, self.once.status())


Saying = Annotated[Speaker, Depends()]


class FoundCustomers(Body):
    """The first customers found, in the order of their ids."""

    customer_ids: list[str]


@router.get("", dependencies=_searchers)
def find_customers(
    services: ServicesOf,
    starts_with: IdBeginning = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> FoundCustomers:
    """Find customers by how their id starts."""
    with services.database.read() as log:
        return FoundCustomers(customer_ids=log.customers_starting_with(starts_with, limit))


@router.get("/{customer_id}", response_model=CustomerBody, dependencies=_agents)
def show_customer(customer_id: PathId, services: ServicesOf, language: Language) -> Response:
    """Return the single customer view."""
    with services.database.read() as log:
        person = look_up(log, customer_id, services.clock())
        view = customer_json(person, services.catalogue.current(log), language)
    return json_response(view)


@router.get("/{customer_id}/protections", dependencies=_agents)
def show_protections(customer_id: PathId, services: ServicesOf) -> LedgerBody:
    """Return what was ever said of the customer's flags and consents, newest first."""
    with services.database.read() as log:
        return ledger_body(log.customer(customer_id).customer_id, log.statements(customer_id))


@router.post(
    "/{customer_id}/consents", status_code=HTTPStatus.CREATED, response_model=CustomerBody, dependencies=_agents
)
def record_consent(customer_id: PathId, request: NewConsent, said: Saying) -> Response:
    """Add to the consents ledger; every open contact is decided anew. The same Idempotency-Key adds nothing more."""
    return said.about(customer_id, request.purpose, request.granted, request.why)


@router.post("/{customer_id}/flags", status_code=HTTPStatus.CREATED, response_model=CustomerBody, dependencies=_agents)
def record_flag(customer_id: PathId, request: NewFlag, said: Saying) -> Response:
    """Set or end a flag; every open contact is decided anew, and who said so and why is kept."""
    return said.about(customer_id, request.flag, request.value, request.why)
