"""/v1/decisions: the stored record of a decision, why it is as it is, and the same decision made once more."""

from dataclasses import asdict

import orjson
from fastapi import APIRouter, Depends, Response

from serving.answers import json_response
from serving.decisions.explanation import basis_or_reason, explain
from serving.decisions.rendering import render
from serving.decisions.replay import replay
from serving.decisions.schemas import ExplanationBody, RecordBody, ReplayBody
from serving.dependencies import Language, Role, ServicesOf, allow

router = APIRouter(
    prefix="/v1/decisions", tags=["decisions"], dependencies=[Depends(allow(Role.AGENT, Role.AUDITOR, Role.SERVICE))]
)


@router.get("/{decision_id}", response_model=RecordBody)
def show_decision(decision_id: str, services: ServicesOf, language: Language) -> Response:
    """Return the decision with what it was made of; `nbo decisions show --json` gives it as it is stored."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
    made_of = {name: record[name] for name in ("signals", "inputs")}
    return json_response({**render(record, language, catalogue), **made_of})


@router.get("/{decision_id}/explanation", response_model=ExplanationBody)
def explain_decision(decision_id: str, services: ServicesOf, language: Language) -> Response:
    """Return why each offer ranks where it does or is held back, and what would have lifted it."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
        basis = basis_or_reason(record, log, services.archive)
    return json_response(explain(record, basis, catalogue, language))


@router.post("/{decision_id}/replay", response_model=ReplayBody)
def replay_decision(decision_id: str, services: ServicesOf) -> Response:
    """Make the decision once more with what it was made with and compare; 409 when something of it is gone."""
    with services.database.read() as log:
        stored = log.decision_text(decision_id)
        record = orjson.loads(stored)
        basis = services.archive.basis_of(record, log)
    result = replay(stored, basis)
    versions = {name: record[name] for name in ReplayBody.model_fields if name.endswith("_version")}
    differences = [asdict(one) for one in result.differences]
    return json_response(
        {"decision_id": decision_id, "identical": result.is_identical, "differences": differences, **versions}
    )
