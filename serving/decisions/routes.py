"""/v1/decisions: the stored record of a decision, and why it is as it is."""

from fastapi import APIRouter, Depends, Response

from serving.answers import json_response
from serving.decisions.rendering import render
from serving.decisions.schemas import DecisionBody, RecordBody
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(
    prefix="/v1/decisions", tags=["decisions"], dependencies=[Depends(allow(Role.AGENT, Role.AUDITOR, Role.SERVICE))]
)


@router.get("/{decision_id}", response_model=RecordBody)
def show_decision(decision_id: str, services: ServicesOf, language: Language) -> Response:
    """Return the decision with what it was made of; `nbo decisions show --json` gives it as it is stored."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
    return json_response(
        {**render(record, language, catalogue), "signals": record["signals"], "inputs": record["inputs"]}
    )


@router.get("/{decision_id}/explanation", response_model=DecisionBody)
def explain_decision(decision_id: str, services: ServicesOf, language: Language) -> Response:
    """Return why each shown offer ranks where it does, and why each other one is held back."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
    return json_response(render(record, language, catalogue))
