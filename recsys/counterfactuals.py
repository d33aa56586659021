"""Counterfactuals: what would have brought an offer onto the list, each found by deciding again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from recsys.catalogue import Catalogue
from recsys.domain.contact import Intent
from recsys.domain.decision import Decision, Situation
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.domain.vocabulary import COMPLAINT
from recsys.ranking.contact_policy import cool_off_days

Decide = Callable[[Situation], Decision]
_MOST_RUNS = 200
_RESTING = ("cooling_off", "asked_for_later")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that could have been otherwise: its kind and, as text, what it would have been."""

    kind: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What the change does to an offer: `position` is its place on the list that was then decided."""

    offer_id: str
    change: Change
    position: int = field(compare=False)


def counterfactuals(
    situation: Situation, decision: Decision, catalogue: Catalogue, policy: Policy, decide: Decide
) -> list[Counterfactual]:
    """Return, for every offer that one change brings to the top or onto the list, the change that lifts it most.

    `decide` makes the decision of a changed situation; `decision` is the one that was made of this. Every
    statement is the outcome of such a run, and of no more than 200 runs. Nothing is suggested that would
    bend a protection: no other risk level, flag or eligibility.
    """
    places = {offer.offer_id: offer.position for offer in decision.offers}
    best: dict[str, Counterfactual] = {}
    for number, change in enumerate(possible_changes(situation, decision, catalogue, policy)):
        if number == _MOST_RUNS:
            break
        for offer in decide(changed(situation, change)).offers:
            offer_id, position = offer.offer_id, offer.position
            is_higher = position < places.get(offer_id, 10**6)
            if is_higher and (offer_id not in best or position < best[offer_id].position):
                best[offer_id] = Counterfactual(offer_id, change, position)
    return sorted(best.values(), key=lambda one: (one.position, one.offer_id))


def possible_changes(
    situation: Situation, decision: Decision, catalogue: Catalogue, policy: Policy
) -> Iterator[Change]:
    """Yield what could be otherwise in this contact: consents, a settled complaint, needs, channel, a later day."""
    held_back = decision.held_back
    if "no_marketing_consent" in held_back:
        yield Change("marketing_consent")
    if "no_partner_consent" in held_back:
        yield Change("partner_consent")
    if "complaint_open" in held_back:
        yield Change("complaint_settled")
    heard = {intent.name for intent in situation.intents}
    needs = {intent for offer in catalogue.offers for intent in offer.intents} | set(catalogue.table.of_family)
    yield from (Change("asked_about", need) for need in sorted(needs - heard - {COMPLAINT}))
    if "wrong_channel" in held_back:
        channels = {
            channel for offer_id in held_back["wrong_channel"] for channel in catalogue.offer(offer_id).channels
        }
        yield from (Change("channel", channel) for channel in sorted(channels))
    resting = {offer_id for code in _RESTING for offer_id in held_back.get(code, ())}
    yield from (Change("from", moment.isoformat()) for moment in sorted(_rests_end(situation, resting, policy)))


def _rests_end(situation: Situation, resting: set[str], policy: Policy) -> set[datetime]:
    """Return the moments at which the resting offers may be made again."""
    ends: dict[str, datetime] = {}
    declines: dict[str, int] = {}
    for past in situation.answers:
        if past.answer is Answer.DECLINED:
            declines[past.offer_id] = declines.get(past.offer_id, 0) + 1
            ends[past.offer_id] = past.answered_at + timedelta(days=cool_off_days(declines[past.offer_id], policy))
        elif past.answer is Answer.LATER:
            later = past.answered_at + timedelta(days=policy.later_cool_off_days)
            ends[past.offer_id] = max(later, ends.get(past.offer_id, later))
        elif past.answer is Answer.ACCEPTED:
            declines.pop(past.offer_id, None)
    return {end for offer_id, end in ends.items() if offer_id in resting and end > situation.made_at}


def changed(situation: Situation, change: Change) -> Situation:
    """Return the situation with this one thing otherwise."""
    customer, contact = situation.customer, situation.contact
    if change.kind in ("marketing_consent", "partner_consent"):
        purpose = change.kind.removesuffix("_consent")
        return replace(situation, customer=replace(customer, consents=replace(customer.consents, **{purpose: True})))
    if change.kind == "complaint_settled":
        intents = tuple(intent for intent in situation.intents if intent.name != COMPLAINT)
        quiet = replace(contact, sentiment=max(contact.sentiment or 0.0, 0.0))
        return replace(situation, intents=intents, contact=quiet, is_complaint=False, open_complaint_since=None)
    if change.kind == "asked_about":
        return replace(situation, intents=(*situation.intents, Intent(change.value)))
    if change.kind == "channel":
        return replace(situation, contact=replace(contact, channel=change.value))
    return replace(situation, made_at=datetime.fromisoformat(change.value))
