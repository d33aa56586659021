"""Stored decisions as the API and the console read them: the latest, one explained, one made again."""

from dataclasses import asdict
from typing import Any

import orjson

from serving.decisions.explanation import basis_or_reason, explain
from serving.decisions.replay import replay
from serving.decisions.schemas import ReplayBody
from serving.wiring import Services

MOST_LISTED = 100


def listed(services: Services, language: str, customer_id: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest decisions, of everybody or of one customer, each of the shape of `DecisionSummaryBody`."""
    with services.database.read() as log:
        records = log.latest_decisions(limit, customer_id)
    return [
        {
            "decision_id": record["decision_id"],
            "customer_id": record["customer_id"],
            "made_at": record["made_at"],
            "offers": [offer["title"]["zh" if language == "zh" else "en"] for offer in record["offers"]],
            "model_version": record["model_version"],
            "propensity_version": record["propensity_version"],
            "degraded": bool(record["degraded_reasons"]),
        }
        for record in records
    ]


def explained(services: Services, decision_id: str, language: str) -> dict[str, Any]:
    """Return a decision with why and why not, of the shape of `ExplanationBody`; raises `DecisionNotFound`."""
    with services.database.read() as log:
        record, catalogue = log.decision(decision_id), services.catalogue.current(log)
        basis = basis_or_reason(record, log, services.archive)
    return explain(record, basis, catalogue, language)


def replayed(services: Services, decision_id: str) -> dict[str, Any]:
    """Make a decision once more with what it was made with and compare, of the shape of `ReplayBody`.

    Raises `DecisionNotFound`, and `NotReplayable` when something of it is gone.
    """
    with services.database.read() as log:
        stored = log.decision_text(decision_id)
        record = orjson.loads(stored)
        basis = services.archive.basis_of(record, log)
    result = replay(stored, basis)
    versions = {name: record[name] for name in ReplayBody.model_fields if name.endswith("_version")}
    differences = [asdict(one) for one in result.differences]
    return {"decision_id": decision_id, "identical": result.is_identical, "differences": differences, **versions}
