"""/v1/decisions: the stored record of a decision, and why it is as it is."""

from typing import Any

from fastapi import APIRouter, Depends

from serving.decisions.record import render
from serving.decisions.schemas import DecisionBody
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(
    prefix="/v1/decisions", tags=["decisions"], dependencies=[Depends(allow(Role.AGENT, Role.AUDITOR, Role.SERVICE))]
)


@router.get("/{decision_id}")
def show_decision(decision_id: str, services: ServicesOf) -> dict[str, Any]:
    """Return the record exactly as it was stored, inputs included."""
    with services.database.read() as log:
        return log.decision(decision_id)


@router.get("/{decision_id}/explanation")
def explain_decision(decision_id: str, services: ServicesOf, language: Language) -> DecisionBody:
    """Return why each shown offer ranks where it does, and why each other one is held back."""
    with services.database.read() as log:
        return render(log.decision(decision_id), language, services.catalogue.current(log))
