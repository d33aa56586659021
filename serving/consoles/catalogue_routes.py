"""/marketing/catalogue: the catalogue in service and what customers answered to each offer."""

from fastapi import APIRouter, Depends, Request, Response

from recsys.domain.outcome import Answer
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(prefix="/marketing/catalogue", route_class=PageRoute, dependencies=[Depends(allow(Role.MARKETER))])


@router.get("")
def show_catalogue(request: Request, services: ServicesOf, language: Language) -> Response:
    """List every offer with what customers have answered to it so far."""
    with services.database.read() as log:
        catalogue, totals = services.catalogue.current(log), log.answer_totals()
    offers = []
    for offer in catalogue.offers:
        answers = totals.get(offer.offer_id, {})
        offers.append(
            {
                "offer_id": offer.offer_id,
                "title": offer.title(language),
                "kind": offer.kind.value,
                "margin": offer.margin,
                "accepted": answers.get(Answer.ACCEPTED, 0),
                "answered": sum(answers.values()),
            }
        )
    return answer(request, "catalogue.html", {"offers": offers, "version": catalogue.version})
