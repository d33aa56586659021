"""/v1/offers: read the catalogue, check an offer or a rule, save offers."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from recsys.catalogue import build_catalogue, offer_to_dict, parse_offers
from recsys.domain.errors import CatalogueInvalid, OfferInvalid
from serving.decisions.schemas import Body as AnswerBody
from serving.dependencies import Role, ServicesOf, allow
from serving.errors import offer_problem
from serving.in_force import vocabulary
from serving.offers.rule_check import RuleName, Validation, check_rule, rule_names

router = APIRouter(prefix="/v1/offers", tags=["offers"], dependencies=[Depends(allow(Role.MARKETER, Role.SERVICE))])


JsonObject = Annotated[dict[str, Any], Body()]


class CatalogueBody(AnswerBody):
    """The catalogue in service and its version."""

    catalogue_version: str
    offers: list[dict[str, Any]]


class RuleNames(AnswerBody):
    """Every name that rules may use."""

    names: list[RuleName]


@router.get("")
def list_offers(services: ServicesOf) -> CatalogueBody:
    """Return the catalogue in service."""
    with services.database.read() as log:
        catalogue = services.catalogue.current(log)
    return CatalogueBody(
        catalogue_version=catalogue.version, offers=[offer_to_dict(offer) for offer in catalogue.offers]
    )


@router.get("/rule-names")
def list_rule_names(services: ServicesOf) -> RuleNames:
    """List every name that a rule may use."""
    with services.database.read() as log:
        return RuleNames(names=rule_names(log))


@router.post("/validate")
def validate(body: JsonObject, services: ServicesOf) -> Validation:
    """Check `{"rule": "…"}`, one offer or `{"offers": […]}` without saving anything.

    With `"about": "customer"` a rule may not ask about the contact, as an audience's may not.
    """
    if isinstance(body.get("rule"), str) and "offer_id" not in body:
        return check_rule(services, body["rule"], about_customer=body.get("about") == "customer")
    problems: list[dict[str, Any]] = []
    try:
        with services.database.read() as log:
            parse_offers(offers_of(body), vocabulary(log))
    except CatalogueInvalid as error:
        problems = [offer_problem(one) for one in error.problems]
    return Validation(valid=not problems, problems=problems)


@router.post("", status_code=HTTPStatus.CREATED)
def save_offers(body: JsonObject, services: ServicesOf) -> CatalogueBody:
    """Add or replace one offer or `{"offers": […]}`, by id; all of them or, when one has a problem, none."""
    with services.database.transaction() as log:
        known = vocabulary(log)
        offers = {offer.offer_id: offer for offer in services.catalogue.current(log).offers}
        offers |= {offer.offer_id: offer for offer in parse_offers(offers_of(body), known)}
        catalogue = build_catalogue(tuple(offers.values()), known)
        saved = [offer_to_dict(offer) for offer in catalogue.offers]
        log.save_catalogue(catalogue.version, saved, catalogue.rule_types, services.clock())
    return CatalogueBody(catalogue_version=catalogue.version, offers=saved)


def offers_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the offers of a request body, which is one offer or has a list of them under `offers`."""
    offers = body.get("offers", [body])
    if not isinstance(offers, list) or not offers or not all(isinstance(offer, dict) for offer in offers):
        raise CatalogueInvalid([OfferInvalid("?", "offers", "must be a list of one or more offers")])
    return offers
