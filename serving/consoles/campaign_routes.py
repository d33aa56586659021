"""/marketing: every campaign with its state and health, one campaign's plan and audit, and what moves it on."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import (
    CampaignInvalid,
    CampaignsOverlap,
    CampaignStatusRefused,
    ModelVersionNotFound,
    NboError,
    NeedsSecondPerson,
)
from serving.addresses import PathId, quoted
from serving.consoles import campaign_view, metric_words
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.wizard import Draft, Wizard
from serving.consoles.wizard_routes import ForDraft
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(prefix="/marketing", route_class=PageRoute, dependencies=[Depends(same_origin)])

_readers = [Depends(allow(Role.MARKETER, Role.SCIENTIST, Role.APPROVER, Role.AUDITOR))]
_approvers = [Depends(allow(Role.APPROVER))]
_holders = [Depends(allow(Role.MARKETER, Role.APPROVER))]
NOTICES = frozenset({"approved", "started", "paused", "stopped"})
REFUSALS: dict[type[NboError], str] = {
    NeedsSecondPerson: "refused_second_person",
    CampaignsOverlap: "refused_overlap",
    CampaignStatusRefused: "refused_status",
    ModelVersionNotFound: "refused_model",
    CampaignInvalid: "refused_plan",
}


@dataclass(frozen=True, slots=True)
class Hand:
    """One person at one campaign."""

    request: Request
    campaign_id: str
    wizard: Wizard

    def does(self, *steps: str, back: str = "") -> Response:
        """Move the campaign on, and show it or the list; why not, where it cannot go there."""
        service = self.wizard.service
        moves = {"approve": service.approve, "start": service.start, "pause": service.pause, "stop": service.stop}
        try:
            for step in steps:
                moves[step](self.campaign_id)
        except tuple(REFUSALS) as error:
            return self.page(refusal=REFUSALS[type(error)], status=HTTPStatus.CONFLICT)
        said = {"approve": "approved", "start": "started", "pause": "paused", "stop": "stopped"}[steps[-1]]
        place = "/marketing" if back else f"/marketing/campaigns/{quoted(self.campaign_id)}"
        return RedirectResponse(f"{place}?notice={said}", HTTPStatus.SEE_OTHER)

    def page(
        self, *, notice: str | None = None, refusal: str | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> Response:
        """Return the campaign's page."""
        with self.wizard.services.database.read() as log:
            saved, changes = log.campaign(self.campaign_id), log.campaign_changes(self.campaign_id)
        values = self.wizard.shown("launch", Draft({}, {}, {}), saved)
        values |= {"audit": campaign_view.audit(changes), "campaign_view": campaign_view}
        values |= {"host": str(self.request.base_url).rstrip("/")}
        return answer(self.request, "campaign.html", {**values, "notice": notice, "refusal": refusal}, status)


async def hand(request: Request, campaign_id: PathId, wizard: ForDraft) -> Hand:
    """Return this person's hand at the campaign."""
    return Hand(request, campaign_id, wizard)


AtHand = Annotated[Hand, Depends(hand)]
Back = Annotated[Literal["", "list"], Form()]


@router.get("", dependencies=_readers)
def show_campaigns(request: Request, wizard: ForDraft, notice: str | None = None) -> Response:
    """List every campaign by where it stands; each row asks for its health by itself."""
    with wizard.services.database.read() as log:
        groups = campaign_view.grouped(log.campaigns())
    values: dict[str, Any] = {"groups": groups, "campaign_view": campaign_view, "metric_words": metric_words}
    values |= {**wizard.may, "notice": notice if notice in NOTICES else None}
    return answer(request, "campaigns.html", values)


@router.get("/campaigns/{campaign_id}/health", dependencies=_readers)
def show_health(request: Request, campaign_id: PathId, services: ServicesOf, language: Language) -> Response:
    """Return the health of one campaign as the list shows it."""
    return answer(request, "_campaign_health.html", {"health": campaign_view.health(services, campaign_id, language)})


@router.get("/campaigns/{campaign_id}", dependencies=_readers)
def show_campaign(at: AtHand, notice: str | None = None) -> Response:
    """Show a campaign before its launch; one that was launched is shown by its results."""
    with at.wizard.services.database.read() as log:
        is_launched = bool(log.campaign(at.campaign_id).epochs)
    if is_launched:
        return RedirectResponse(f"/marketing/campaigns/{quoted(at.campaign_id)}/results", HTTPStatus.SEE_OTHER)
    return at.page(notice=notice if notice in NOTICES else None)


@router.post("/campaigns/{campaign_id}/approve", dependencies=_approvers)
def approve(at: AtHand) -> Response:
    """Register the plan, which is fixed from here on."""
    return at.does("approve")


@router.post("/campaigns/{campaign_id}/launch", dependencies=_approvers)
def launch(at: AtHand) -> Response:
    """Approve and start at once."""
    return at.does("approve", "start")


@router.post("/campaigns/{campaign_id}/start", dependencies=_approvers)
def start(at: AtHand, back: Back = "") -> Response:
    """Let it take customers, for the first time or after a pause."""
    return at.does("start", back=back)


@router.post("/campaigns/{campaign_id}/pause", dependencies=_holders)
def pause(at: AtHand, back: Back = "") -> Response:
    """Treat nobody and take nobody until it is started again."""
    return at.does("pause", back=back)


@router.post("/campaigns/{campaign_id}/stop", dependencies=_holders)
def stop(at: AtHand, back: Back = "") -> Response:
    """End it."""
    return at.does("stop", back=back)
