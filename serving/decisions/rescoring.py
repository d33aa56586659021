"""Scores again, with another relevance version, what was decided: from the inputs that the records hold."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from recsys.engine import DECLARED, NO_RELEVANCE
from recsys.models.bundle import Bundle
from recsys.ranking.appraisal import score_offers, take_in
from recsys.ranking.eligibility import permit
from recsys.storage.decision_log import AnsweredOffer
from recsys.storage.event_log import EventLog
from serving.archive import Archive
from serving.decisions.record import Record, situation_of


def rescored(
    answered: Iterable[AnsweredOffer], bundle: Bundle, archive: Archive, log: EventLog
) -> Iterator[AnsweredOffer]:
    """Yield the answers as if `bundle` had ranked the offers; what else was logged stays as it was.

    Raises `NotReplayable` where a catalogue or policy of a decision is gone.
    """
    latest: tuple[str, dict[str, Any]] | None = None  # the answers to one decision often come one after the other
    for one in answered:
        record = one.record
        if record["model_version"] == bundle.version or not record["offers"]:
            yield one
            continue
        if latest is None or latest[0] != record["decision_id"]:
            latest = record["decision_id"], _scored_by(bundle, record, archive, log)
        yield replace(one, record=latest[1])


def _scored_by(bundle: Bundle, record: Record, archive: Archive, log: EventLog) -> dict[str, Any]:
    rules_only = {"model_version": NO_RELEVANCE, "propensity_version": DECLARED, "evidence_version": None}
    basis = archive.basis_of({**record, **rules_only}, log)
    situation = situation_of(record)
    known = take_in(situation, permit(situation, basis.catalogue, basis.policy), basis.catalogue)
    offer_ids = tuple(offer["offer_id"] for offer in record["offers"])
    scores = score_offers(bundle, known, offer_ids)
    offers = [
        {**offer, "signals": {**offer["signals"], "relevance": float(score)}} if offer.get("signals") else offer
        for offer, score in zip(record["offers"], scores, strict=True)
    ]
    return {**record, "offers": offers, "model_version": bundle.version}
