"""/science/controls: what each part of the decision is worth, read from the campaign that leaves parts out."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import CampaignInvalid, Conflict
from serving.addresses import PathId
from serving.campaigns.service import CampaignService
from serving.campaigns.standing_controls import PARTS, PLAN, Price, find_controls, prices
from serving.consoles.charts import Chart
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.wording import Say, speaker
from serving.dependencies import Actor, Language, Role, ServicesOf, allow
from serving.wiring import Services

router = APIRouter(prefix="/science/controls", route_class=PageRoute, dependencies=[Depends(same_origin)])


@router.get("", dependencies=[Depends(allow(Role.SCIENTIST, Role.MARKETER, Role.APPROVER, Role.AUDITOR))])
def show_controls(request: Request, services: ServicesOf, language: Language) -> Response:
    """Show what each part is worth where the campaign runs, else how to start it."""
    return _shown(request, services, language)


@router.post("", dependencies=[Depends(allow(Role.MARKETER))])
def draft(request: Request, services: ServicesOf, actor: Actor, language: Language) -> Response:
    """Draft the ready plan."""
    try:
        CampaignService(services, actor).draft(PLAN)
    except CampaignInvalid as error:
        return _shown(request, services, language, str(error))
    return RedirectResponse("/science/controls", HTTPStatus.SEE_OTHER)


@router.post("/{campaign_id}/start", dependencies=[Depends(allow(Role.APPROVER))])
def start(campaign_id: PathId, request: Request, services: ServicesOf, actor: Actor, language: Language) -> Response:
    """Approve the drafted plan and start it."""
    service = CampaignService(services, actor)
    try:
        service.approve(campaign_id)
        service.start(campaign_id)
    except Conflict as error:
        return _shown(request, services, language, str(error))
    return RedirectResponse("/science/controls", HTTPStatus.SEE_OTHER)


def worth_chart(found: list[Price], say: Say) -> Chart:
    """Return what each part earns a customer, with its interval."""
    return {
        "kind": "bars",
        "x": [say(f"part_{one.arbitration}") for one in found],
        "x_kind": "category",
        "x_name": say("part"),
        "y_name": say("price_axis"),
        "unit": "number",
        "zero": True,
        "series": [
            {
                "name": say("worth"),
                "y": [one.worth for one in found],
                "low": [one.low for one in found],
                "high": [one.high for one in found],
            }
        ],
        "description": say("price_description"),
    }


def _shown(request: Request, services: Services, language: str, refusal: str | None = None) -> Response:
    saved = find_controls(services)
    found, hidden = prices(services, saved, language) if saved and saved.epochs else ([], False)
    values: dict[str, Any] = {
        "campaign": saved,
        "prices": found,
        "is_hidden": hidden,
        "parts": PARTS,
        "refusal": refusal,
    }
    values["drawing"] = worth_chart([one for one in found if one.worth is not None], speaker(language))
    status = HTTPStatus.CONFLICT if refusal else HTTPStatus.OK
    return answer(request, "science_controls.html", values, status)
