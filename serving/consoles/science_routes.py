"""/science: the model versions side by side, their cards, promotion and roll-back."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import BundleRefused, NoChampion, NotPromotable, RegistryUnavailable
from serving.addresses import PathId
from serving.consoles import science_view
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.dependencies import Actor, Role, ServicesOf, allow
from serving.models.service import PROPENSITY, ModelService, Registered
from serving.wiring import Services

NOTICES = frozenset({"promoted", "rolled_back"})

router = APIRouter(prefix="/science", route_class=PageRoute, dependencies=[Depends(same_origin)])
_readers = [Depends(allow(Role.SCIENTIST, Role.APPROVER, Role.AUDITOR))]
_approvers = [Depends(allow(Role.APPROVER))]


@router.get("", dependencies=_readers)
def show_models(request: Request, services: ServicesOf, actor: Actor, notice: str | None = None) -> Response:
    """Show champion and challengers side by side, and which version this worker serves."""
    shown = _models(services, actor) | {"notice": notice if notice in NOTICES else None}
    return answer(request, "science.html", shown)


@router.get("/versions", dependencies=_readers)
def refresh_models(request: Request, services: ServicesOf, actor: Actor) -> Response:
    """Return the versions as they stand now: fetched while this worker has yet to take the champion into service."""
    return answer(request, "_science_models.html", _models(services, actor))


@router.get("/models/{version}", dependencies=_readers)
def show_model(version: PathId, request: Request, services: ServicesOf, actor: Actor) -> Response:
    """Show one version: its card, its gates and where it comes from."""
    try:
        kept = ModelService(services).kept(version)
    except RegistryUnavailable:
        return answer(request, "science.html", _unreachable(services), HTTPStatus.SERVICE_UNAVAILABLE)
    shown = {
        "kept": kept,
        "gates": kept.info.gates,
        "mlflow": science_view.mlflow_address(services.settings, kept.info),
    }
    return answer(request, "science_version.html", shown)


@router.post("/models/{version}/promote", dependencies=_approvers)
def promote(version: PathId, request: Request, services: ServicesOf, actor: Actor) -> Response:
    """Make a version the champion; where a gate refuses, say which and with what figure."""
    try:
        ModelService(services).promote(version, actor)
    except (NotPromotable, BundleRefused, RegistryUnavailable) as error:
        return _refused(request, services, actor, "promotion_refused", error)
    return RedirectResponse("/science?notice=promoted", HTTPStatus.SEE_OTHER)


@router.post("/rollback", dependencies=_approvers)
def roll_back(
    request: Request, services: ServicesOf, actor: Actor, kind: Annotated[str, Form(max_length=2)] = ""
) -> Response:
    """Return to the champion before this one."""
    try:
        ModelService(services).roll_back(kind == PROPENSITY)
    except (NoChampion, BundleRefused, RegistryUnavailable) as error:
        return _refused(request, services, actor, "rollback_refused", error)
    return RedirectResponse("/science?notice=rolled_back", HTTPStatus.SEE_OTHER)


def _refused(request: Request, services: Services, actor: str, refusal: str, error: Exception) -> Response:
    shown = _models(services, actor) | {"refusal": refusal, "refusal_reason": str(error)}
    return answer(request, "science.html", shown, HTTPStatus.CONFLICT)


def _models(services: Services, actor: str) -> dict[str, Any]:
    try:
        relevance, propensity = ModelService(services).registered(science_view.COMPARED)
    except RegistryUnavailable:
        return _unreachable(services)
    kinds = (("relevance_models", "", relevance), ("propensity_models", PROPENSITY, propensity))
    return {
        **_frame(services),
        "kinds": kinds,
        "actor": actor,
        "is_pending": relevance.is_pending or propensity.is_pending,
    }


def _unreachable(services: Services) -> dict[str, Any]:
    pair = services.champion.pair
    served = tuple(one.version if one else None for one in (pair.relevance, pair.propensity))
    kinds = tuple(
        (title, kind, Registered(None, version, []))
        for (title, kind), version in zip(
            (("relevance_models", ""), ("propensity_models", PROPENSITY)), served, strict=True
        )
    )
    return {**_frame(services), "kinds": kinds, "is_unreachable": True}


def _frame(services: Services) -> dict[str, Any]:
    settings = services.settings
    return {
        "notice": None,
        "refusal": None,
        "is_pending": False,
        "is_unreachable": False,
        "mlflow": science_view.mlflow_address(settings),
        "mlflow_command": f"mlflow ui --backend-store-uri {settings.tracking_uri}",
    }
