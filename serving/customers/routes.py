"""/v1/customers: one person over every channel, and what they consented to."""

from http import HTTPStatus

from fastapi import APIRouter, Depends

from recsys.domain.customer import Purpose
from serving.contacts.schemas import CustomerBody, Request
from serving.contacts.views import customer_body
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(prefix="/v1/customers", tags=["customers"], dependencies=[Depends(allow(Role.AGENT, Role.SERVICE))])


class NewConsent(Request):
    """A consent given or withdrawn for one purpose."""

    purpose: Purpose
    granted: bool


@router.get("/{customer_id}")
def show_customer(customer_id: str, services: ServicesOf, language: Language) -> CustomerBody:
    """Return the single customer view."""
    with services.database.read() as log:
        return customer_body(log, customer_id, services.catalogue.current(log), language)


@router.post("/{customer_id}/consents", status_code=HTTPStatus.CREATED)
def record_consent(customer_id: str, request: NewConsent, services: ServicesOf, language: Language) -> CustomerBody:
    """Add to the consents ledger; the next decision knows it."""
    with services.database.transaction(customer_id) as log:
        log.customer(customer_id)
        log.add_consent(customer_id, request.purpose, request.granted, services.clock(), "api")
        return customer_body(log, customer_id, services.catalogue.current(log), language)
