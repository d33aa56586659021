"""The explanation of a stored decision: why, why not, and what would have been otherwise."""

from typing import Any

from recsys.catalogue import Catalogue
from recsys.counterfactuals import counterfactuals
from recsys.domain.errors import NotReplayable
from recsys.ranking.explanation import offer_title, say_counterfactual
from recsys.storage.event_log import EventLog
from serving.archive import Archive
from serving.basis import Basis
from serving.decisions.record import Record, situation_of
from serving.decisions.rendering import render


def basis_or_reason(record: Record, log: EventLog, archive: Archive) -> Basis | str:
    """Return what the record's decision was made with, or why that is not there any more."""
    try:
        return archive.basis_of(record, log)
    except NotReplayable as error:
        return str(error)


def explain(record: Record, basis: Basis | str, catalogue: Catalogue, language: str) -> dict[str, Any]:
    """Return the body of the explanation, of the shape of `ExplanationBody`.

    What would have been otherwise is tried out on what the decision was made with: some hundred decisions, for
    which no transaction should wait.
    """
    found, not_tried = [], basis if isinstance(basis, str) else None
    if not isinstance(basis, str):
        situation = situation_of(record)
        made = basis.decide(situation)
        found = counterfactuals(situation, made, basis.catalogue, basis.policy, basis.decide)
    told = [
        {
            "offer_id": one.offer_id,
            "title": offer_title(one.offer_id, catalogue, language),
            "change": one.change.kind,
            "value": one.change.value,
            "position": one.position,
            "text": say_counterfactual(one.change.kind, one.change.value, one.position, language),
        }
        for one in found
    ]
    return {**render(record, language, catalogue), "counterfactuals": told, "not_tried": not_tried}
