"""/marketing/campaigns/{id}/results: what a campaign has shown, and how to pause, start, stop or ship it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from experiments.plan_document import stored_plan
from recsys.domain.errors import (
    CampaignsOverlap,
    CampaignStatusRefused,
    InvalidInput,
    ModelVersionNotFound,
    NboError,
    NeedsSecondPerson,
)
from recsys.storage.campaign_log import SavedCampaign, SavedChange
from serving.addresses import PathId, quoted
from serving.campaigns.agents import agents_of
from serving.campaigns.results import results
from serving.campaigns.segments import segment_columns, segments
from serving.campaigns.service import CampaignService
from serving.consoles import result_charts, result_log, result_view
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.wording import speaker
from serving.dependencies import Actor, Language, Role, ServicesOf, allow
from serving.errors import status_of
from serving.wiring import Services

NOTICES = {"start": "notice_start", "pause": "notice_pause", "stop": "notice_stop", "ship": "notice_ship"}
REFUSALS: dict[type[NboError], str] = {
    NeedsSecondPerson: "refused_second_person",
    CampaignsOverlap: "refused_overlap",
    CampaignStatusRefused: "refused_status",
    ModelVersionNotFound: "refused_model",
    InvalidInput: "refused_treatment",
}

router = APIRouter(
    prefix="/marketing/campaigns/{campaign_id}/results", route_class=PageRoute, dependencies=[Depends(same_origin)]
)
_readers = [Depends(allow(Role.MARKETER, Role.SCIENTIST, Role.APPROVER, Role.AUDITOR))]
_holders = [Depends(allow(Role.MARKETER, Role.APPROVER))]
_approvers = [Depends(allow(Role.APPROVER))]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """What every route of the page works with: the campaign, its reader and their language."""

    campaign_id: str
    request: Request
    services: Services
    language: str

    def show(
        self,
        template: str,
        by: str | None = None,
        notice: str | None = None,
        problem: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        """Return the page or its changing part."""
        with self.services.database.read() as log:
            saved, changes = log.campaign(self.campaign_id), log.campaign_changes(self.campaign_id)
        values = {"notice": notice, "problem": problem, "address": self.address, **self._of(saved, changes)}
        if saved.epochs:
            values |= self._results(saved)
            values["segments"] = self.segments(by) if template == "result.html" and values["is_shown"] else None
        return answer(self.request, template, values, status)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"/marketing/campaigns/{quoted(self.campaign_id)}/results"

    def segments(self, by: str | None) -> dict[str, Any]:
        """Return the effect by segment, by the first usable column where none is asked for."""
        with self.services.database.read() as log:
            columns = segment_columns(log)
        return segments(self.services, self.campaign_id, by if by in columns else next(iter(columns)))

    def words(self) -> result_view.Words:
        """Return the texts in the reader's language."""
        return result_view.Words(self.language, speaker(self.language))

    def _of(self, saved: SavedCampaign, changes: tuple[SavedChange, ...]) -> dict[str, Any]:
        return {
            "campaign": saved,
            "plan": stored_plan(saved.plan),
            "changes": changes,
            "actions": result_view.actions_of(saved.status) if saved.epochs else [],
            "words": self.words(),
            "view": result_view,
            "drawn": result_charts,
            "log": result_log,
            "results": None,
            "is_shown": False,
        }

    def _results(self, saved: SavedCampaign) -> dict[str, Any]:
        found = results(self.services, saved.campaign_id, self.language)
        with self.services.database.read() as log:
            agents = agents_of(log, saved.campaign_id).agents
        return {
            "results": found,
            "agents": agents,
            "is_shown": found["hidden_because"] is None,
            "as_of": datetime.fromisoformat(found["as_of"]),
            "today": self.services.database.calendar.day_of(self.services.clock()),
        }


async def result_page(campaign_id: PathId, request: Request, services: ServicesOf, language: Language) -> ResultPage:
    """Return the page of this campaign for this reader."""
    return ResultPage(campaign_id, request, services, language)


Results = Annotated[ResultPage, Depends(result_page)]
By = Annotated[str | None, Query(max_length=200)]


@router.get("", dependencies=_readers)
def show_results(page: Results, by: By = None, done: str = "") -> Response:
    """Show verdict, health, figures, the effect over time, segments, agents and the log of one campaign."""
    return page.show("result.html", by, NOTICES.get(done))


@router.get("/live", dependencies=_readers)
def refresh_results(page: Results) -> Response:
    """Return the changing part of the page as it stands now; segments, which cost a look at every unit, stay."""
    return page.show("_result.html")


@router.get("/segments", dependencies=_readers)
def show_segments(page: Results, by: By = None) -> Response:
    """Return the effect by the values of another column."""
    values = {"segments": page.segments(by), "words": page.words(), "view": result_view, "address": page.address}
    return answer(page.request, "_result_segments.html", values)


@router.post("/pause", dependencies=_holders)
def pause(page: Results, actor: Actor) -> Response:
    """Pause the campaign and go back to its page."""
    return _change(page, "pause", lambda: CampaignService(page.services, actor).pause(page.campaign_id))


@router.post("/stop", dependencies=_holders)
def stop(page: Results, actor: Actor) -> Response:
    """End the campaign and go back to its page."""
    return _change(page, "stop", lambda: CampaignService(page.services, actor).stop(page.campaign_id))


@router.post("/start", dependencies=_approvers)
def start(page: Results, actor: Actor) -> Response:
    """Let the campaign go on and go back to its page."""
    return _change(page, "start", lambda: CampaignService(page.services, actor).start(page.campaign_id))


@router.post("/ship", dependencies=_approvers)
def ship(page: Results, actor: Actor, arm: Annotated[str, Form(max_length=200)] = "") -> Response:
    """End the campaign, give everybody the arm's treatment and go back to its page."""
    return _change(page, "ship", lambda: CampaignService(page.services, actor).ship(page.campaign_id, arm))


def _change(page: ResultPage, done: str, change: Callable[[], object]) -> Response:
    """Change the campaign; where that is refused, show the page with the reason and nothing changed."""
    try:
        change()
    except tuple(REFUSALS) as error:
        say = speaker(page.language)
        key = next(REFUSALS[kind] for kind in REFUSALS if isinstance(error, kind))
        return page.show("result.html", problem=say(key), status=status_of(type(error)))
    return RedirectResponse(f"{page.address}?done={done}", HTTPStatus.SEE_OTHER)
