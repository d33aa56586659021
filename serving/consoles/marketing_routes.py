"""/marketing: the catalogue in service and what customers answered to each offer."""

from fastapi import APIRouter, Depends, Request, Response

from serving.consoles.page import answer
from serving.consoles.safety import PageRoute
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(prefix="/marketing", route_class=PageRoute, dependencies=[Depends(allow(Role.MARKETER))])


@router.get("")
def show_catalogue(request: Request, services: ServicesOf, language: Language) -> Response:
    """List every offer with the answers that the model in service has learned from."""
    with services.database.read() as log:
        catalogue = services.catalogue.current(log)
    bundle = services.champion.bundle
    counts = bundle.answer_counts if bundle else {}
    offers = []
    for offer in catalogue.offers:
        accepted, answered = counts.get(offer.offer_id, (0, 0))
        offers.append(
            {
                "offer_id": offer.offer_id,
                "title": offer.title(language),
                "kind": offer.kind.value,
                "margin": offer.margin,
                "accepted": accepted,
                "answered": answered,
            }
        )
    return answer(request, "marketing.html", {"offers": offers, "version": catalogue.version})
