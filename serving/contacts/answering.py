"""What must hold before an answer is recorded: the offer was made, was not answered, is allowed and fits the caps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact
from recsys.domain.decision import Situation
from recsys.domain.errors import AlreadyAnswered, ContactClosed, DisclosureNotRead, OfferNotAllowed
from recsys.domain.offer import Offer
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.policy import Policy
from recsys.ranking.eligibility import permit
from recsys.storage.decision_log import GivenAnswer
from recsys.storage.event_log import EventLog
from serving.basis import Basis
from serving.contacts.schemas import AnswerRequest
from serving.decisions.record import Record, situation_of


def the_offer_made(offer_id: str, record: Record, catalogue: Catalogue) -> Mapping[str, Any]:
    """Return the offer as the decision made it; OfferNotAllowed, or OfferNotFound, for what it did not offer."""
    for offer in record["offers"]:
        if offer["offer_id"] == offer_id:
            made: Mapping[str, Any] = offer
            return made
    catalogue.offer(offer_id)
    raise OfferNotAllowed(offer_id, "not_offered")


def check_is_open(
    answer: Answer, given: Sequence[GivenAnswer], contact: Contact, policy: Policy, now: datetime
) -> GivenAnswer | None:
    """Return the "later" that an acceptance takes up, or None for a first answer in an open contact.

    Raises AlreadyAnswered where this offer of this decision has an answer that stays, ContactClosed for a first
    answer after the end. What was put off may be taken up for `later_accept_days`, the end of the contact or not.
    """
    if not given:
        if contact.closed_at is not None:
            raise ContactClosed(contact.contact_id)
        return None
    is_put_off = len(given) == 1 and given[0].answer is Answer.LATER
    if answer is not Answer.ACCEPTED or not is_put_off:
        raise AlreadyAnswered(given[-1].receipt)
    if now - given[0].recorded_at >= timedelta(days=policy.later_accept_days):
        raise AlreadyAnswered(given[-1].receipt)
    return given[0]


def check_acceptance(
    request: AnswerRequest,
    made: tuple[Record, Mapping[str, Any]],
    situation: Situation,
    basis: Basis,
) -> None:
    """Raise DisclosureNotRead or OfferNotAllowed unless the offer may be accepted now, as the record `made` it.

    `situation` is that of this moment without the conversation which the acceptance takes up.
    """
    (record, offer), offer_id = made, request.offer_id
    if any(offer["disclosure"].values()) and not request.disclosure_read:
        raise DisclosureNotRead(offer_id)
    check_is_first(offer_id, situation_of(record).answers, situation.answers)
    check_is_allowed(offer_id, situation, basis.catalogue, basis.policy)


def check_is_first(offer_id: str, then: Iterable[PastAnswer], now: Iterable[PastAnswer]) -> None:
    """Raise OfferNotAllowed where the customer accepted the offer after a decision, through whichever other one.

    The answers that the decision knew `then` count, not the time of day: so the order holds at the same moment, too.
    """

    def accepted(answers: Iterable[PastAnswer]) -> int:
        return sum(past.offer_id == offer_id and past.answer is Answer.ACCEPTED for past in answers)

    if accepted(now) > accepted(then):
        raise OfferNotAllowed(offer_id, "already_accepted")


def check_is_allowed(offer_id: str, situation: Situation, catalogue: Catalogue, policy: Policy) -> None:
    """Raise OfferNotAllowed unless permission allows the acceptance now, every cap and what others reserved included.

    Cool-offs are not asked: they say what may be offered, not what may be accepted once it was.
    """
    column = catalogue.table.column.get(offer_id)
    code = "not_on_sale" if column is None else permit(situation, catalogue, without_rests(policy)).code(column)
    if code is not None:
        raise OfferNotAllowed(offer_id, code)


def without_rests(policy: Policy) -> Policy:
    """Return the policy without any rest after an answer."""
    return replace(policy, declined_cool_off_days=0, later_cool_off_days=0, service_done_days=0)


def without(situation: Situation, put_off: GivenAnswer | None, offer_id: str) -> Situation:
    """Return the situation without the conversation in which the offer was put off."""
    if put_off is None:
        return situation
    past = next(
        place
        for place, one in enumerate(situation.answers)
        if (one.offer_id, one.answer, one.answered_at) == (offer_id, Answer.LATER, put_off.recorded_at)
    )
    return replace(situation, answers=situation.answers[:past] + situation.answers[past + 1 :])


def count_acceptance(log: EventLog, offer: Offer, now: datetime) -> None:
    """Count an acceptance; OfferNotAllowed, which takes everything back, where somebody else took the last one."""
    today, ever = log.count_acceptance(offer.offer_id, log.calendar.day_of(now))
    if offer.total_cap is not None and ever > offer.total_cap:
        raise OfferNotAllowed(offer.offer_id, "sold_out")
    if offer.daily_cap is not None and today > offer.daily_cap:
        raise OfferNotAllowed(offer.offer_id, "sold_out_today")
