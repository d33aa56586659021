"""What must hold before an answer is recorded: the offer was made, was not answered, is allowed and fits the caps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from recsys.catalogue import Catalogue
from recsys.domain.contact import Contact
from recsys.domain.decision import Situation
from recsys.domain.errors import AlreadyAnswered, ContactClosed, DisclosureNotRead, OfferNotAllowed
from recsys.domain.offer import Offer
from recsys.domain.outcome import PITCHED, Answer, PastAnswer
from recsys.domain.policy import Policy
from recsys.ranking.contact_policy import CONTACT_POLICY_CODES
from recsys.ranking.eligibility import permit
from recsys.storage.decision_log import GivenAnswer, OpenList
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
        raise AlreadyAnswered(given[0].receipt)
    if now - given[0].recorded_at >= timedelta(days=policy.later_accept_days):
        raise AlreadyAnswered(given[0].receipt)
    return given[0]


def check_acceptance(
    request: AnswerRequest,
    made: tuple[Record, Mapping[str, Any]],
    situation: Situation,
    basis: Basis,
    reserved: Sequence[OpenList],
) -> None:
    """Raise DisclosureNotRead or OfferNotAllowed unless the offer may be accepted now, as the record `made` it.

    `situation` is that of this moment without the conversation which the acceptance takes up; `reserved` are the
    lists of the customer's other open contacts.
    """
    (record, offer), offer_id = made, request.offer_id
    if any(offer["disclosure"].values()) and not request.disclosure_read:
        raise DisclosureNotRead(offer_id)
    check_is_first(offer_id, situation_of(record).answers, situation.answers)
    check_is_allowed(offer_id, situation, basis.catalogue, basis.policy)
    check_caps(offer_id, situation, reserved, basis.catalogue, basis.policy)


def check_is_first(offer_id: str, then: Iterable[PastAnswer], now: Iterable[PastAnswer]) -> None:
    """Raise OfferNotAllowed where the customer accepted the offer after a decision, through whichever other one.

    The answers that the decision knew `then` count, not the time of day: so the order holds at the same moment, too.
    """

    def accepted(answers: Iterable[PastAnswer]) -> int:
        return sum(past.offer_id == offer_id and past.answer is Answer.ACCEPTED for past in answers)

    if accepted(now) > accepted(then):
        raise OfferNotAllowed(offer_id, "already_accepted")


def check_is_allowed(offer_id: str, situation: Situation, catalogue: Catalogue, policy: Policy) -> None:
    """Raise OfferNotAllowed unless permission allows the acceptance now.

    Cool-offs are not asked: they say what may be offered, not what may be accepted once it was.
    """
    column = catalogue.table.column.get(offer_id)
    code = "not_on_sale" if column is None else permit(situation, catalogue, policy).code(column)
    if code is not None and code not in CONTACT_POLICY_CODES:
        raise OfferNotAllowed(offer_id, code)


def check_caps(
    offer_id: str, situation: Situation, reserved: Sequence[OpenList], catalogue: Catalogue, policy: Policy
) -> None:
    """Raise OfferNotAllowed where this sale would be one more than a cap leaves beside what others have reserved."""
    if not catalogue.is_sale(offer_id):
        return
    now, channel, column = situation.made_at, str(situation.contact.channel), catalogue.table.column
    family = catalogue.table.family
    sales = [past for past in situation.answers if past.answer in PITCHED and catalogue.is_sale(past.offer_id)]
    held = [(one, lists.channel) for lists in reserved for one in lists.offer_ids if catalogue.is_sale(one)]

    def heard(days: int) -> list[tuple[str, str | None]]:
        return [(past.offer_id, past.channel) for past in sales if now - past.answered_at < timedelta(days=days)] + held

    if any(one == offer_id for one, _ in held):
        raise OfferNotAllowed(offer_id, "offered_elsewhere")
    if sum(one == offer_id for one, _ in heard(policy.offer_cap_days)) >= policy.offer_cap:
        raise OfferNotAllowed(offer_id, "offer_cap")
    known = [family[column[one]] for one, _ in heard(policy.family_cap_days) if one in column]
    if known.count(family[column[offer_id]]) >= policy.family_cap:
        raise OfferNotAllowed(offer_id, "family_cap")
    here = sum(where == channel for _, where in heard(policy.channel_cap_days))
    if len(heard(policy.sales_cap_days)) >= policy.sales_cap or here >= policy.channel_cap:
        raise OfferNotAllowed(offer_id, "contact_cap")


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
    today, ever = log.count_acceptance(offer.offer_id, now.astimezone(UTC).date())
    if offer.total_cap is not None and ever > offer.total_cap:
        raise OfferNotAllowed(offer.offer_id, "sold_out")
    if offer.daily_cap is not None and today > offer.daily_cap:
        raise OfferNotAllowed(offer.offer_id, "sold_out_today")
