"""/science/decisions: any decision found, explained and made once more."""

from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from recsys.domain.errors import DecisionNotFound, NotReplayable
from serving.addresses import IdBeginning, PathId, quoted
from serving.consoles.page import answer
from serving.consoles.safety import PageRoute, same_origin
from serving.decisions.rendering import rendered
from serving.decisions.schemas import DecisionSummaryBody, ExplanationBody, HeldBackBody, ReplayBody
from serving.decisions.stored import explained, listed, replayed
from serving.dependencies import Language, Role, ServicesOf, allow
from serving.wiring import Services

LISTED = 25
Search = Annotated[str, Query(max_length=200)]

router = APIRouter(
    prefix="/science/decisions",
    route_class=PageRoute,
    dependencies=[Depends(allow(Role.SCIENTIST, Role.AUDITOR)), Depends(same_origin)],
)


@router.get("")
def list_decisions(request: Request, services: ServicesOf, language: Language, q: IdBeginning = "") -> Response:
    """List the latest decisions, or those of the customer that is asked for; a decision's id leads to it."""
    if q and _is_decision(services, q):
        return RedirectResponse(f"/science/decisions/{quoted(q)}", HTTPStatus.SEE_OTHER)
    found = [DecisionSummaryBody(**one) for one in listed(services, language, q or None, LISTED)]
    return answer(request, "science_decisions.html", {"query": q, "found": found})


@router.get("/{decision_id}")
def show_decision(decision_id: PathId, request: Request, services: ServicesOf, language: Language) -> Response:
    """Show a decision in plain words: what was suggested and why, what was not and why, what would have changed it."""
    return _shown(request, services, decision_id, language)


@router.get("/{decision_id}/held-back")
def search_held_back(
    decision_id: PathId, request: Request, services: ServicesOf, language: Language, q: Search = ""
) -> Response:
    """Return why the offers whose name contains `q` were held back."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
    held_back = rendered(record, language, catalogue).held_back
    return answer(request, "_decision_held_back.html", _held_back(held_back, q))


@router.post("/{decision_id}/replay")
def replay_decision(decision_id: PathId, request: Request, services: ServicesOf, language: Language) -> Response:
    """Make the decision once more and say whether it comes out the same."""
    outcome: dict[str, object] = {"replay": None, "gone": None}
    status = HTTPStatus.OK
    try:
        outcome["replay"] = ReplayBody(**replayed(services, decision_id))
    except NotReplayable as error:
        outcome["gone"], status = str(error), HTTPStatus.CONFLICT
    if "hx-request" in request.headers:
        return answer(request, "_decision_replay.html", outcome, status)
    return _shown(request, services, decision_id, language, outcome, status)


def _shown(
    request: Request,
    services: Services,
    decision_id: str,
    language: str,
    outcome: dict[str, object] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    found = ExplanationBody.model_validate_json(orjson.dumps(explained(services, decision_id, language)))
    with services.database.read() as log:
        inputs = log.decision(decision_id)["inputs"]
        answers = log.outcomes_of_decision(decision_id)
    values = {"decision": found, "inputs": inputs, "answers": {one.offer_id: one.answer for one in answers}}
    values |= _held_back(found.held_back, "") | (outcome or {"replay": None, "gone": None})
    return answer(request, "science_decision.html", values, status)


def _held_back(held_back: list[HeldBackBody], query: str) -> dict[str, object]:
    wanted = query.casefold().strip()
    meant = [one for one in held_back if wanted in f"{one.title} {one.offer_id} {one.text}".casefold()]
    return {"held_back": meant, "query": wanted}


def _is_decision(services: Services, decision_id: str) -> bool:
    try:
        with services.database.read() as log:
            log.decision_text(decision_id)
    except DecisionNotFound:
        return False
    return True
