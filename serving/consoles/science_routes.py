"""/science: the model versions, how they did offline, and which one serves."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from recsys.domain.errors import Unavailable
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute
from serving.dependencies import Role, ServicesOf, allow
from serving.wiring import registry_of

METRICS_SHOWN = ("HR@3", "NDCG@5", "MAP@5", "MRR", "coverage@5")

router = APIRouter(prefix="/science", route_class=PageRoute, dependencies=[Depends(allow(Role.SCIENTIST))])


@router.get("")
def show_models(request: Request, services: ServicesOf) -> Response:
    """List every version with its offline metrics, the champion and the version this worker serves."""
    bundle = services.champion.bundle
    values: dict[str, Any] = {"versions": [], "champion": None, "metrics": [], "is_unreachable": False}
    values["in_service"] = bundle.version if bundle else None
    try:
        registry = registry_of(services.settings)
        versions = registry.versions()
        known = {name for version in versions for name in version.metrics}
        metrics = [name for name in METRICS_SHOWN if name in known]
        values |= {"versions": versions, "champion": registry.champion(), "metrics": metrics}
    except Unavailable:
        values["is_unreachable"] = True
    return answer(request, "science.html", values)
