"""The explanation of a stored decision: why, why not, and what would have been otherwise."""

from typing import Any

from recsys.catalogue import Catalogue
from recsys.counterfactuals import counterfactuals
from recsys.domain.errors import NotReplayable
from recsys.ranking.explanation import offer_title, say_counterfactual
from recsys.storage.event_log import EventLog
from serving.archive import Archive
from serving.decisions.record import Record, situation_of
from serving.decisions.rendering import render


def explain(record: Record, log: EventLog, archive: Archive, catalogue: Catalogue, language: str) -> dict[str, Any]:
    """Return the body of the explanation, of the shape of `ExplanationBody`.

    What would have been otherwise is tried out on what the decision was made with.
    """
    body, not_tried = render(record, language, catalogue), None
    found = []
    try:
        basis, situation = archive.basis_of(record, log), situation_of(record)
        made = basis.decide(situation)
        found = counterfactuals(situation, made, basis.catalogue, basis.policy, basis.decide)
    except NotReplayable as error:
        not_tried = str(error)
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
    return {**body, "counterfactuals": told, "not_tried": not_tried}
