"""/v1/models: list, promote and roll back model versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from serving.contacts.schemas import Request
from serving.dependencies import Role, ServicesOf, allow
from serving.wiring import registry_of

router = APIRouter(prefix="/v1/models", tags=["models"])


class Promotion(Request):
    """Who approves the promotion."""

    approver: Annotated[str, Field(min_length=1, max_length=100)] | None = None


@router.get("", dependencies=[Depends(allow(Role.SCIENTIST, Role.APPROVER, Role.AUDITOR))])
def list_models(services: ServicesOf) -> dict[str, Any]:
    """List every version with its metrics, the champion, and the version this worker serves."""
    bundle = services.champion.bundle
    registry = registry_of(services.settings)
    return {
        "champion": registry.champion(),
        "in_service": bundle.version if bundle else None,
        "versions": [version.described() for version in registry.versions()],
    }


@router.post("/{version}/promote", dependencies=[Depends(allow(Role.APPROVER))])
def promote(version: str, services: ServicesOf, request: Promotion | None = None) -> dict[str, Any]:
    """Make a version the champion; every worker serves it within seconds."""
    registry = registry_of(services.settings, version)
    registry.promote(version, (request.approver if request else None) or "api")
    return {"champion": registry.champion()}


@router.post("/rollback", dependencies=[Depends(allow(Role.APPROVER))])
def roll_back(services: ServicesOf, propensity: bool = False) -> dict[str, Any]:
    """Return to the champion before this one; `propensity` says which model's."""
    registry = registry_of(services.settings, "q-" if propensity else "")
    registry.rollback()
    return {"champion": registry.champion()}
