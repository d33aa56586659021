"""/v1/customers: one person over every channel, and what they consented to."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Response

from recsys.domain.customer import Purpose
from serving.answers import json_response
from serving.contacts.schemas import CustomerBody, Request
from serving.contacts.situation import look_up
from serving.contacts.views import customer_json
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(prefix="/v1/customers", tags=["customers"], dependencies=[Depends(allow(Role.AGENT, Role.SERVICE))])


class NewConsent(Request):
    """A consent given or withdrawn for one purpose."""

    purpose: Purpose
    granted: bool


@router.get("/{customer_id}", response_model=CustomerBody)
def show_customer(customer_id: str, services: ServicesOf, language: Language) -> Response:
    """Return the single customer view."""
    with services.database.read() as log:
        view = customer_json(look_up(log, customer_id), services.catalogue.current(log), language)
    return json_response(view)


@router.post("/{customer_id}/consents", status_code=HTTPStatus.CREATED, response_model=CustomerBody)
def record_consent(customer_id: str, request: NewConsent, services: ServicesOf, language: Language) -> Response:
    """Add to the consents ledger; the next decision knows it."""
    with services.database.transaction(customer_id) as log:
        log.customer(customer_id)
        log.add_consent(customer_id, request.purpose, request.granted, services.clock(), "api")
        view = customer_json(look_up(log, customer_id), services.catalogue.current(log), language)
    return json_response(view, HTTPStatus.CREATED)
