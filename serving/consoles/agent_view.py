"""What the agent's page shows of a contact: cards, mood, held-back summary and recent history, ready to print."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recsys.domain.contact import ContactEventType
from recsys.domain.offer import OfferKind
from recsys.domain.protection import FLAGS
from serving.contacts.schemas import ContactBody, ContactEventBody, ContactView, CustomerBody
from serving.decisions.schemas import DecisionBody, HeldBackBody, OfferBody, ReasonBody

CARDS = 3
USUAL_KIND = OfferKind.PRODUCT
"""What a card does not say."""
REASONS = 3
FAINT = 0.05
WHY_NOT_ROWS = 8
STALE_SECONDS = 36 * 3600.0
SERVICE_ORIENTED = ("complaint_open", *FLAGS, "no_marketing_consent", "contact_cap")
SAME_FOR_ALL = frozenset({"offer_base", "offer_expected", "good_mood", "bad_mood", "recent_declines"})
DECLINE_REASONS = ("price", "has_elsewhere", "no_need", "bad_time", "no_trust")


@dataclass(frozen=True, slots=True)
class Mood:
    """The sentiment of the contact: wording keys of its level and trend, and the points of its line."""

    level: str
    trend: str
    points: str


@dataclass(frozen=True, slots=True)
class HeldBackGroup:
    """Offers held back for the same reason."""

    code: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class RecentEntry:
    """One line of the customer's recent history: a contact on its channel, or an answer, which has none."""

    at: datetime
    channel: str | None
    title: str
    detail: str | None
    csat: int | None = None


def sequence(view: ContactView) -> int:
    """Return the newest sequence number that this view shows; the stream goes on after it."""
    decided = view.decision.sequence if view.decision else 0
    return max([decided, *(one.sequence for one in view.events)])


def is_sale(kind: str) -> bool:
    """Return whether an offer of this kind sells something; one of a kind that is no longer there counts as a sale."""
    return next((one.is_sale for one in OfferKind if one == kind), True)


def fit(propensity: float) -> str:
    """Return the band of a probability of acceptance: strong, good or fair."""
    return "strong" if propensity >= 0.25 else "good" if propensity >= 0.10 else "fair"


def plain_reasons(offer: OfferBody) -> list[ReasonBody]:
    """Return the reasons worth an agent's glance: at most three that speak for this offer, strongest first.

    The general "fits what was chosen so far" is left out where a particular earlier choice is named. That an
    offer is there as a trial is always told, last.
    """
    speaking = [one for one in offer.reasons if one.contribution >= FAINT and one.code not in SAME_FOR_ALL]
    if any(one.code == "chosen_with" for one in speaking):
        speaking = [one for one in speaking if one.code != "relevance"]
    trial = [one for one in offer.reasons if one.code == "explored"]
    return sorted(speaking, key=lambda one: -one.contribution)[:REASONS] + trial


def mood(view: ContactView) -> Mood:
    """Return the mood of the contact from its last known sentiment and how it moved."""
    heard = [one.sentiment for one in view.events if one.sentiment is not None]
    latest = view.contact.sentiment if view.contact.sentiment is not None else (heard[-1] if heard else None)
    if latest is None:
        return Mood("mood_unknown", "steady", "")
    levels = ((-0.4, "mood_angry"), (-0.1, "mood_low"), (0.15, "mood_even"), (0.5, "mood_good"))
    level = next((key for limit, key in levels if latest < limit), "mood_glad")
    change = latest - heard[0] if len(heard) > 1 else 0.0
    trend = "rising" if change > 0.15 else "falling" if change < -0.15 else "steady"
    return Mood(level, trend, _line(heard[-12:]) if len(heard) > 1 else "")


def heard_intents(events: Sequence[ContactEventBody]) -> list[str]:
    """Return the intents heard in this contact, the newest first, each once."""
    return list(dict.fromkeys(one.intent for one in reversed(events) if one.intent))


def earlier_agents(view: ContactView) -> list[str]:
    """Return who held this contact, or the one it continues, before its present agent, the latest first."""
    agents = [one.agent_id for one in view.customer.contacts if one.contact_id == view.contact.continues]
    agents += [one.agent_id for one in view.events]
    return list(dict.fromkeys(one for one in reversed(agents) if one and one != view.contact.agent_id))


def handover_note(view: ContactView) -> str | None:
    """Return what whoever handed the contact over wanted the present agent to know."""
    return next((one.text for one in reversed(view.events) if one.type == ContactEventType.HANDOFF), None)


def last_contact(view: ContactView) -> ContactBody | None:
    """Return the contact before this one: the one it continues, else the latest that has ended."""
    earlier = [one for one in view.customer.contacts if one.contact_id != view.contact.contact_id and one.closed_at]
    return next((one for one in earlier if one.contact_id == view.contact.continues), earlier[0] if earlier else None)


def held_back_groups(decision: DecisionBody) -> list[HeldBackGroup]:
    """Return the held-back offers counted by reason, the most frequent first."""
    counts = Counter(one.code for one in decision.held_back)
    texts = {one.code: one.text for one in decision.held_back}
    return [HeldBackGroup(code, texts[code], count) for code, count in counts.most_common()]


def sales_stop(decision: DecisionBody) -> HeldBackGroup | None:
    """Return the reason that stops all sales to this customer now, if there is one."""
    return next((group for group in held_back_groups(decision) if group.code in SERVICE_ORIENTED), None)


def why_not(decision: DecisionBody, query: str) -> tuple[list[OfferBody], list[HeldBackBody], int]:
    """Return the suggested and the held-back offers whose title or id contains `query`, and how many more are held."""
    wanted = query.casefold().strip()

    def is_meant(one: OfferBody | HeldBackBody) -> bool:
        return wanted in one.title.casefold() or wanted in one.offer_id.casefold()

    held_back = [one for one in decision.held_back if is_meant(one)]
    suggested = [one for one in decision.offers if is_meant(one)]
    return suggested, held_back[:WHY_NOT_ROWS], max(len(held_back) - WHY_NOT_ROWS, 0)


def recent(customer: CustomerBody, contact_id: str, limit: int = 6) -> list[RecentEntry]:
    """Return earlier contacts and answers over all channels, newest first."""
    contacts = [
        RecentEntry(one.opened_at, one.channel, one.reason or "", None, one.csat)
        for one in customer.contacts
        if one.contact_id != contact_id
    ]
    answers = [RecentEntry(one.answered_at, None, one.title, one.answer) for one in customer.answers]
    return sorted(contacts + answers, key=lambda one: one.at, reverse=True)[:limit]


def degraded_words(decision: DecisionBody) -> list[str]:
    """Return the wording keys of the parts a degraded decision had to do without."""
    keys = ("degraded_no_model" if "model" in reason else "degraded_features" for reason in decision.degraded_reasons)
    return list(dict.fromkeys(keys))


def _line(values: Sequence[float]) -> str:
    step = 60 / (len(values) - 1)
    return " ".join(f"{2 + place * step:.1f},{9 - 7 * value:.1f}" for place, value in enumerate(values))
