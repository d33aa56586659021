"""/v1/models: list, show, promote and roll back model versions, and how decisions do over time."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from serving.addresses import PathId
from serving.dependencies import Actor, Role, ServicesOf, allow
from serving.idempotency import OnceOf
from serving.models.monitoring import monitor
from serving.models.schemas import MonitoringBody
from serving.models.service import ModelService

router = APIRouter(prefix="/v1/models", tags=["models"])

_readers = [Depends(allow(Role.SCIENTIST, Role.APPROVER, Role.AUDITOR))]
PlotName = Annotated[str, Path(pattern="^[a-z_]{1,40}$")]


async def models(services: ServicesOf) -> ModelService:
    """Return what can be done with models."""
    return ModelService(services)


Models = Annotated[ModelService, Depends(models)]


@router.get("", dependencies=_readers)
def list_models(service: Models) -> dict[str, Any]:
    """List every version with its metrics, the champion, and the version this worker serves; `propensity` likewise."""
    relevance, propensity = service.registered()
    return {**relevance.described(), "propensity": propensity.described()}


@router.get("/monitoring", dependencies=_readers)
def show_monitoring(services: ServicesOf) -> MonitoringBody:
    """Say how decisions of the last 90 days did: calibration, acceptance, coverage and drift, from a fixed sample."""
    return monitor(services)


@router.get("/{version}", dependencies=_readers)
def show_model(version: PathId, service: Models) -> dict[str, Any]:
    """Show a version with its model card."""
    return service.kept(version).described()


@router.get("/{version}/lineage", dependencies=_readers)
def show_lineage(version: PathId, service: Models) -> dict[str, Any]:
    """Say where a version comes from: run, data with digest and cut-off, feature service and views, code."""
    return service.lineage(version).described()


@router.get("/{version}/plots/{name}", dependencies=_readers, response_class=Response)
def show_plot(version: PathId, name: PlotName, service: Models) -> Response:
    """Return one of the pictures that training kept, as SVG."""
    return Response(service.plot(version, name), media_type="image/svg+xml")


@router.post("/{version}/promote", dependencies=[Depends(allow(Role.APPROVER))])
def promote(version: PathId, service: Models, actor: Actor, once: OnceOf) -> dict[str, Any]:
    """Make a version the champion, approved by whoever asks; every worker serves it within seconds."""
    return {"champion": service.promote(version, actor, once)}


@router.post("/rollback", dependencies=[Depends(allow(Role.APPROVER))])
def roll_back(service: Models, once: OnceOf, propensity: bool = False) -> dict[str, Any]:
    """Return to the champion before this one, one step under one Idempotency-Key; `propensity` says which model's."""
    return {"champion": service.roll_back(propensity, once)}
