"""/marketing/campaigns/new and …/edit: the five steps from an empty form to a campaign that can be launched."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from experiments.campaign import Status
from recsys.storage.campaign_log import SavedCampaign
from serving.addresses import PathId, quoted
from serving.campaigns.service import CampaignService
from serving.consoles.page import answer
from serving.consoles.plan_form import STEPS, Posted, empty_goal
from serving.consoles.safety import PageRoute, same_origin
from serving.consoles.wizard import Draft, Wizard
from serving.consoles.wording import speaker
from serving.dependencies import Actor, Language, Role, ServicesOf, allow, person

router = APIRouter(
    prefix="/marketing/campaigns",
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.MARKETER)), Depends(same_origin)],
)

Step = Literal["goal", "audience", "arms", "power", "launch"]


async def posted_form(request: Request) -> Posted:
    """Return every field of the form that was posted with its values."""
    form = await request.form()
    return {name: [str(value) for value in form.getlist(name)] for name in form}


async def wizard(request: Request, services: ServicesOf, actor: Actor, language: Language) -> Wizard:
    """Return the wizard for this person."""
    roles = (await person(request)).roles
    return Wizard(services, CampaignService(services, actor), roles, language, speaker(language))


PostedForm = Annotated[Posted, Depends(posted_form)]
ForDraft = Annotated[Wizard, Depends(wizard)]


@router.get("/new")
def begin(request: Request, wizard: ForDraft) -> Response:
    """Show the first step, empty."""
    return _page(request, wizard, "goal", Draft(empty_goal(), {}, {}), None)


@router.post("/new")
def create(request: Request, wizard: ForDraft, posted: PostedForm) -> Response:
    """Save a draft from the first step and go on; show the step as typed where that is all that is wanted."""
    if posted.get("do"):
        return _page(request, wizard, "goal", wizard.typed("goal", posted, None), None)
    saved, draft = wizard.create(posted)
    if saved is None:
        return _page(request, wizard, "goal", draft, None)
    return _to_step(saved, posted, "goal")


@router.get("/{campaign_id}/edit")
def edit(request: Request, campaign_id: PathId, wizard: ForDraft, step: Step = "goal") -> Response:
    """Show a step of a draft; the campaign itself where its plan is fixed."""
    saved = _saved(wizard, campaign_id)
    if saved.status != Status.DRAFT:
        return RedirectResponse(_address(saved), HTTPStatus.SEE_OTHER)
    return _page(request, wizard, step, wizard.opened(step, saved), saved)


@router.post("/{campaign_id}/edit")
def save(request: Request, campaign_id: PathId, wizard: ForDraft, posted: PostedForm, step: Step = "goal") -> Response:
    """Save a step and go on, or change the form as one of its buttons asks."""
    saved = _saved(wizard, campaign_id)
    if saved.status != Status.DRAFT:
        return RedirectResponse(_address(saved), HTTPStatus.SEE_OTHER)
    if posted.get("do"):
        return _page(request, wizard, step, wizard.typed(step, posted, saved), saved)
    draft = wizard.save(step, posted, saved)
    if draft.problems:
        return _page(request, wizard, step, draft, saved)
    return _to_step(saved, posted, step)


def _page(request: Request, wizard: Wizard, step: str, draft: Draft, saved: SavedCampaign | None) -> Response:
    values = {**wizard.shown(step, draft, saved), "host": str(request.base_url).rstrip("/")}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if draft.problems else HTTPStatus.OK
    return answer(request, "campaign_wizard.html", values, status)


def _to_step(saved: SavedCampaign, posted: Posted, step: str) -> Response:
    """Go to the step that the pressed button names, else to the next one; to the campaign's page to leave."""
    following = STEPS[min(STEPS.index(step) + 1, len(STEPS) - 1)]
    wanted = next(iter(posted.get("go", ())), following)
    if wanted == "leave":
        return RedirectResponse("/marketing", HTTPStatus.SEE_OTHER)
    place = wanted if wanted in STEPS else following
    return RedirectResponse(f"{_address(saved)}/edit?step={place}", HTTPStatus.SEE_OTHER)


def _saved(wizard: Wizard, campaign_id: str) -> SavedCampaign:
    with wizard.services.database.read() as log:
        return log.campaign(campaign_id)


def _address(saved: SavedCampaign) -> str:
    return f"/marketing/campaigns/{quoted(saved.campaign_id)}"
