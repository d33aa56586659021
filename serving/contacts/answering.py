"""What must hold before an answer is recorded: the offer was made, is still allowed, and is not used up."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from recsys.catalogue import Catalogue
from recsys.domain.decision import Situation
from recsys.domain.errors import OfferNotAllowed
from recsys.domain.offer import Offer
from recsys.domain.outcome import Answer, Outcome
from recsys.domain.policy import Policy
from recsys.ranking.contact_policy import CONTACT_POLICY_CODES
from recsys.ranking.eligibility import permit
from recsys.storage.event_log import EventLog
from serving.decisions.record import Record


def the_offer_made(offer_id: str, record: Record, catalogue: Catalogue) -> Mapping[str, Any]:
    """Return the offer as the decision made it; OfferNotAllowed, or OfferNotFound, for what it did not offer."""
    for offer in record["offers"]:
        if offer["offer_id"] == offer_id:
            made: Mapping[str, Any] = offer
            return made
    catalogue.offer(offer_id)
    raise OfferNotAllowed(offer_id, "not_offered")


def check_is_first(offer_id: str, outcomes: Iterable[Outcome]) -> None:
    """Raise OfferNotAllowed for a second acceptance of what one decision offered."""
    if any(one.offer_id == offer_id and one.answer is Answer.ACCEPTED for one in outcomes):
        raise OfferNotAllowed(offer_id, "already_accepted")


def check_is_allowed(offer_id: str, situation: Situation, catalogue: Catalogue, policy: Policy) -> None:
    """Raise OfferNotAllowed unless permission allows the acceptance now.

    Contact policy is not asked: it says what may be offered, not what may be accepted once it was.
    """
    column = catalogue.table.column.get(offer_id)
    code = "not_on_sale" if column is None else permit(situation, catalogue, policy).code(column)
    if code is not None and code not in CONTACT_POLICY_CODES:
        raise OfferNotAllowed(offer_id, code)


def count_acceptance(log: EventLog, offer: Offer, now: datetime) -> None:
    """Count an acceptance; OfferNotAllowed, which takes everything back, where somebody else took the last one."""
    today, ever = log.count_acceptance(offer.offer_id, log.calendar.day_of(now))
    if offer.total_cap is not None and ever > offer.total_cap:
        raise OfferNotAllowed(offer.offer_id, "sold_out")
    if offer.daily_cap is not None and today > offer.daily_cap:
        raise OfferNotAllowed(offer.offer_id, "sold_out_today")
