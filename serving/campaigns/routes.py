"""/v1/campaigns: draft, preview, approve, start, pause, stop and ship A/B campaigns."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Response

from recsys.storage.campaign_log import SavedCampaign, SavedChange
from serving.addresses import PathId
from serving.answers import json_response
from serving.campaigns.agents import agents_of
from serving.campaigns.preview import preview
from serving.campaigns.results import picture, results
from serving.campaigns.schemas import (
    AgentList,
    CampaignBody,
    CampaignList,
    PreviewBody,
    PriceBody,
    Shipment,
    StandingControlsBody,
)
from serving.campaigns.segments import segments
from serving.campaigns.service import CampaignService
from serving.campaigns.standing_controls import PLAN, find_controls, prices
from serving.dependencies import Actor, Language, Role, ServicesOf, allow
from serving.idempotency import OnceOf

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

JsonObject = Annotated[dict[str, Any], Body()]
_readers = [Depends(allow(Role.MARKETER, Role.SCIENTIST, Role.APPROVER, Role.AUDITOR, Role.SERVICE))]
_marketers = [Depends(allow(Role.MARKETER, Role.SERVICE))]
_approvers = [Depends(allow(Role.APPROVER))]
_holders = [Depends(allow(Role.MARKETER, Role.APPROVER, Role.SERVICE))]


async def campaigns(services: ServicesOf, actor: Actor) -> CampaignService:
    """Return what this actor can do with campaigns."""
    return CampaignService(services, actor)


Campaigns = Annotated[CampaignService, Depends(campaigns)]


@router.get("", dependencies=_readers)
def list_campaigns(services: ServicesOf) -> CampaignList:
    """List every campaign, oldest first."""
    with services.database.read() as log:
        return CampaignList(campaigns=[_body(saved) for saved in log.campaigns()])


@router.post("", status_code=HTTPStatus.CREATED, dependencies=_marketers)
def draft_campaign(plan: JsonObject, service: Campaigns, once: OnceOf, response: Response) -> CampaignBody:
    """Save a plan as a draft; every field that cannot be used is named.

    Sent again under its Idempotency-Key, it answers 200 with the campaign that it drafted, as it stands now.
    """
    saved = service.draft(plan, once)
    response.status_code = once.status()
    return _body(saved)


@router.post("/preview", dependencies=_marketers)
def preview_campaign(plan: JsonObject, services: ServicesOf) -> PreviewBody:
    """Say what a plan would need and could show, and which campaigns it meets, without saving anything."""
    return preview(services, plan)


@router.get("/standing-controls", dependencies=_readers)
def show_standing_controls(services: ServicesOf, language: Language) -> StandingControlsBody:
    """Say what each part of the decision is worth by the campaign that leaves parts out; `plan` is how to begin it."""
    saved = find_controls(services)
    launched = saved if saved and saved.epochs else None
    found, is_hidden = prices(services, launched, language) if launched else ([], False)
    parts = [PriceBody(**asdict(one), reading=one.reading) for one in found]
    return StandingControlsBody(
        campaign=_body(saved) if saved else None, parts=parts, hidden=is_hidden, plan=dict(PLAN)
    )


@router.get("/{campaign_id}", dependencies=_readers)
def show_campaign(campaign_id: PathId, services: ServicesOf) -> CampaignBody:
    """Show a campaign with its epochs and its audit."""
    with services.database.read() as log:
        return _body(log.campaign(campaign_id), log.campaign_changes(campaign_id))


@router.patch("/{campaign_id}", dependencies=_marketers)
def change_campaign(campaign_id: PathId, fields: JsonObject, service: Campaigns, once: OnceOf) -> CampaignBody:
    """Change fields of a draft; of a launched campaign `weights` alone (and why: `reason`), as a new epoch."""
    return _body(service.change(campaign_id, fields, once))


@router.post("/{campaign_id}/approve", dependencies=_approvers)
def approve_campaign(campaign_id: PathId, service: Campaigns) -> CampaignBody:
    """Register the plan, which is fixed from here on; outside demo mode somebody other than its author does."""
    return _body(service.approve(campaign_id))


@router.post("/{campaign_id}/start", dependencies=_approvers)
def start_campaign(campaign_id: PathId, service: Campaigns) -> CampaignBody:
    """Start it, or go on after a pause; the next decision takes part."""
    return _body(service.start(campaign_id))


@router.post("/{campaign_id}/pause", dependencies=_holders)
def pause_campaign(campaign_id: PathId, service: Campaigns) -> CampaignBody:
    """Treat nobody and take nobody until it is started again."""
    return _body(service.pause(campaign_id))


@router.post("/{campaign_id}/stop", dependencies=_holders)
def stop_campaign(campaign_id: PathId, service: Campaigns) -> CampaignBody:
    """End it."""
    return _body(service.stop(campaign_id))


@router.post("/{campaign_id}/ship", dependencies=_approvers)
def ship_campaign(campaign_id: PathId, request: Shipment, service: Campaigns) -> CampaignBody:
    """End it and give everybody the offers and the arbitration of one arm."""
    return _body(service.ship(campaign_id, request.arm))


@router.get("/{campaign_id}/results", dependencies=_readers)
def campaign_results(campaign_id: PathId, services: ServicesOf, language: Language) -> Response:
    """Return split check, funnel, effects with intervals and the verdict; without effects while the check fails."""
    return json_response(results(services, campaign_id, language))


@router.get("/{campaign_id}/segments", dependencies=_readers)
def campaign_segments(campaign_id: PathId, by: Annotated[str, Query(max_length=200)], services: ServicesOf) -> Response:
    """Return the primary effect by the values of a customer column that is no number; exploratory."""
    return json_response(segments(services, campaign_id, by))


@router.get("/{campaign_id}/agents", dependencies=_readers)
def campaign_agents(campaign_id: PathId, services: ServicesOf) -> AgentList:
    """Return how many of each agent's customers of every arm were pitched to."""
    with services.database.read() as log:
        return agents_of(log, campaign_id)


@router.get("/{campaign_id}/effect.{kind}", dependencies=_readers, response_class=Response)
def campaign_picture(
    campaign_id: PathId,
    kind: Literal["svg", "png"],
    services: ServicesOf,
    language: Language,
    arm: str | None = None,
    theme: Literal["light", "dark"] = "light",
) -> Response:
    """Draw an arm's primary effect over time; 204 before any unit has matured, 409 while the split check fails."""
    drawn = picture(services, campaign_id, arm, (language, kind, theme))
    return Response(status_code=HTTPStatus.NO_CONTENT) if drawn is None else Response(drawn[0], media_type=drawn[1])


def _body(saved: SavedCampaign, changes: tuple[SavedChange, ...] | None = None) -> CampaignBody:
    values = asdict(saved) | {"name": saved.plan["name"]}
    del values["kept"]
    return CampaignBody.model_validate(
        {**values, "changes": None if changes is None else [asdict(change) for change in changes]}
    )
