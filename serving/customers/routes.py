"""/v1/customers: one person over every channel, and what they consented to."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from recsys.domain.protection import Purpose, Statement
from serving.answers import json_response
from serving.contacts.schemas import CustomerBody, Request
from serving.contacts.situation import look_up
from serving.contacts.views import customer_json
from serving.decisions.schemas import Body
from serving.dependencies import Asking, Language, Role, ServicesOf, allow
from serving.idempotency import OnceOf

router = APIRouter(prefix="/v1/customers", tags=["customers"])
_agents = [Depends(allow(Role.AGENT, Role.SERVICE))]
_searchers = [Depends(allow(Role.AGENT, Role.MARKETER, Role.SERVICE))]


class NewConsent(Request):
    """A consent given or withdrawn for one purpose."""

    purpose: Purpose
    granted: bool


class FoundCustomers(Body):
    """The first customers found, in the order of their ids."""

    customer_ids: list[str]


@router.get("", dependencies=_searchers)
def find_customers(
    services: ServicesOf,
    starts_with: Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> FoundCustomers:
    """Find customers by how their id starts."""
    with services.database.read() as log:
        return FoundCustomers(customer_ids=log.customers_starting_with(starts_with, limit))


@router.get("/{customer_id}", response_model=CustomerBody, dependencies=_agents)
def show_customer(customer_id: str, services: ServicesOf, language: Language) -> Response:
    """Return the single customer view."""
    with services.database.read() as log:
        person = look_up(log, customer_id, services.clock())
        view = customer_json(person, services.catalogue.current(log), language)
    return json_response(view)


@router.post(
    "/{customer_id}/consents", status_code=HTTPStatus.CREATED, response_model=CustomerBody, dependencies=_agents
)
def record_consent(
    customer_id: str, request: NewConsent, services: ServicesOf, asking: Asking, language: Language, once: OnceOf
) -> Response:
    """Add to the consents ledger; the next decision knows it. The same Idempotency-Key adds nothing more."""
    with services.database.transaction(customer_id) as log:
        now = services.clock()
        if once.begin(log, now) is None:
            statement = Statement(request.purpose, request.granted, now, now, "api", asking.name)
            log.set_protection(customer_id, request.purpose, statement)
            once.end(log, customer_id=customer_id)
        view = customer_json(look_up(log, customer_id, now), services.catalogue.current(log), language)
    return json_response(view, once.status())
