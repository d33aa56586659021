"""/v1/decisions: the stored record of a decision, why it is as it is, and the same decision made once more."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from serving.addresses import PathId, QueryId
from serving.answers import json_response
from serving.decisions.rendering import render
from serving.decisions.schemas import DecisionListBody, ExplanationBody, RecordBody, ReplayBody
from serving.decisions.stored import MOST_LISTED, explained, listed, replayed
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])

_readers = [Depends(allow(Role.AGENT, Role.SCIENTIST, Role.AUDITOR, Role.SERVICE))]
_everybodys = [Depends(allow(Role.SCIENTIST, Role.AUDITOR, Role.SERVICE))]
"""Who may look at decisions about anybody; an agent asks for those of a contact."""


@router.get("", response_model=DecisionListBody, dependencies=_everybodys)
def list_decisions(
    services: ServicesOf,
    language: Language,
    customer_id: QueryId | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
) -> Response:
    """List the newest decisions, of everybody or of one customer."""
    return json_response({"decisions": listed(services, language, customer_id, limit)})


@router.get("/{decision_id}", response_model=RecordBody, dependencies=_readers)
def show_decision(decision_id: PathId, services: ServicesOf, language: Language) -> Response:
    """Return the decision with what it was made of; `nbo decisions show --json` gives it as it is stored."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
    made_of = {name: record[name] for name in ("signals", "inputs")}
    return json_response({**render(record, language, catalogue), **made_of})


@router.get("/{decision_id}/explanation", response_model=ExplanationBody, dependencies=_readers)
def explain_decision(decision_id: PathId, services: ServicesOf, language: Language) -> Response:
    """Return why each offer ranks where it does or is held back, and what would have lifted it."""
    return json_response(explained(services, decision_id, language))


@router.post("/{decision_id}/replay", response_model=ReplayBody, dependencies=_readers)
def replay_decision(decision_id: PathId, services: ServicesOf) -> Response:
    """Make the decision once more with what it was made with and compare; 409 when something of it is gone."""
    return json_response(replayed(services, decision_id))
