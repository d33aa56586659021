"""/v1/offers: read the catalogue, check, preview and save offers, and try a change on everybody first."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Response

from serving.decisions.schemas import Body as AnswerBody
from serving.dependencies import Language, Role, ServicesOf, allow
from serving.idempotency import OnceOf
from serving.offers.dependencies import Offers, OneWhatIf
from serving.offers.rule_check import RuleName, Validation, check_rule, rule_names
from serving.offers.schemas import CatalogueBody, OfferPreviewBody, PreviewRequest
from serving.offers.service import offers_of
from serving.offers.what_if import WhatIfRequest
from serving.offers.what_if_schemas import WhatIfBody

router = APIRouter(prefix="/v1/offers", tags=["offers"], dependencies=[Depends(allow(Role.MARKETER, Role.SERVICE))])

JsonObject = Annotated[dict[str, Any], Body()]


class RuleNames(AnswerBody):
    """Every name that rules may use."""

    names: list[RuleName]


@router.get("")
def list_offers(offers: Offers) -> CatalogueBody:
    """Return the catalogue in service."""
    return offers.listed()


@router.get("/rule-names")
def list_rule_names(services: ServicesOf) -> RuleNames:
    """List every name that a rule may use."""
    with services.database.read() as log:
        return RuleNames(names=rule_names(log))


@router.post("/validate")
def validate(body: JsonObject, services: ServicesOf, offers: Offers) -> Validation:
    """Check `{"rule": "…"}`, one offer or `{"offers": […]}` without saving anything, and say what would differ.

    With `"about": "customer"` a rule may not ask about the contact, as an audience's may not.
    """
    if isinstance(body.get("rule"), str) and "offer_id" not in body:
        return check_rule(services, body["rule"], about_customer=body.get("about") == "customer")
    return offers.check(offers_of(body))


@router.post("/preview")
def preview_offer(body: PreviewRequest, offers: Offers, language: Language) -> OfferPreviewBody:
    """Show an offer as an agent would see it for one customer; nothing is saved or recorded."""
    return offers.preview(body, language)


@router.post("/what-if")
def try_change(change: JsonObject, asked: Annotated[WhatIfRequest, Query()], what_if: OneWhatIf) -> WhatIfBody:
    """Decide for a sample of the customers as today and with a change (docs/what-if.md); nothing is saved.

    One at a time runs on a worker: 503 with Retry-After while there is one.
    """
    return what_if.run(change, asked)


@router.post("", status_code=HTTPStatus.CREATED)
def save_offers(
    body: JsonObject,
    offers: Offers,
    once: OnceOf,
    response: Response,
    based_on: Annotated[str | None, Query(pattern=r"^[\w-]{1,64}$")] = None,
) -> CatalogueBody:
    """Add or replace one offer or `{"offers": […]}`, by id; all of them or, when one has a problem, none.

    With `based_on`, the version of the catalogue that the change was made from, 409 when one of these offers was
    changed since. Sent again under its Idempotency-Key, it answers 200 with the catalogue that it saved.
    """
    saved = offers.save(offers_of(body), based_on, once)
    response.status_code = once.status()
    return saved
