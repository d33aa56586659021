"""/v1/customers: one person over every channel, what they consented to and what protects them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from recsys.domain.protection import Statement
from serving.addresses import IdBeginning, PathId
from serving.answers import json_response
from serving.contacts.schemas import CustomerBody
from serving.contacts.situation import look_up
from serving.contacts.views import customer_json
from serving.customers.schemas import LedgerBody, NewConsent, NewFlag, ledger_body
from serving.decisions.schemas import Body
from serving.dependencies import Actor, Language, Role, ServicesOf, allow
from serving.idempotency import Once, OnceOf
from serving.wiring import Services

router = APIRouter(prefix="/v1/customers", tags=["customers"])
_agents = [Depends(allow(Role.AGENT, Role.SERVICE))]
_searchers = [Depends(allow(Role.AGENT, Role.MARKETER, Role.SERVICE))]


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
def record_consent(
    customer_id: PathId, request: NewConsent, services: ServicesOf, actor: Actor, language: Language, once: OnceOf
) -> Response:
    """Add to the consents ledger; the next decision knows it. The same Idempotency-Key adds nothing more."""
    return _say(services, customer_id, (request.purpose, request.granted, request.why), (actor, language), once)


@router.post("/{customer_id}/flags", status_code=HTTPStatus.CREATED, response_model=CustomerBody, dependencies=_agents)
def record_flag(
    customer_id: PathId, request: NewFlag, services: ServicesOf, actor: Actor, language: Language, once: OnceOf
) -> Response:
    """Set or end a flag; the next decision knows it, and who said so and why is kept."""
    return _say(services, customer_id, (request.flag, request.value, request.why), (actor, language), once)


def _say(
    services: Services, customer_id: str, said: tuple[str, bool, str | None], by: tuple[str, str], once: Once
) -> Response:
    """Add what was `said` (subject, value, why) to the ledger, `by` whom (name, language); the customer's view."""
    (subject, value, why), (actor, language) = said, by
    with services.database.transaction(customer_id) as log:
        now = services.clock()
        if once.begin(log, now) is None:
            log.set_protection(customer_id, subject, Statement(subject, value, now, now, "api", actor, why))
            once.end(log, customer_id=customer_id)
        view = customer_json(look_up(log, customer_id, now), services.catalogue.current(log), language)
    return json_response(view, once.status())
