"""Contact policy: cool-offs after an answer, and caps on sales conversations in rolling windows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from recsys.catalogue import Catalogue
from recsys.domain.decision import Situation
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.policy import Policy
from recsys.domain.vocabulary import UNKNOWN_CHANNEL

CONTACT_POLICY_CODES = frozenset(
    {"cooling_off", "asked_for_later", "just_done", "offer_cap", "family_cap", "contact_cap", "offered_elsewhere"}
)
"""They forbid offering, not accepting what was offered."""

PITCHED = frozenset({Answer.ACCEPTED, Answer.DECLINED, Answer.LATER})


@dataclass(frozen=True, slots=True)
class ContactPolicyState:
    """What earlier answers leave: column → code of each offer they rule out for now, and how many sales may follow."""

    blocked: Mapping[int, str]
    sales_left: int


def contact_policy_state(situation: Situation, catalogue: Catalogue, policy: Policy) -> ContactPolicyState:
    """Return what the customer's answers, and their other live contacts, rule out now.

    A sale on the list of another live contact counts as made, so that two channels together keep every cap.
    """
    table, now = catalogue.table, situation.made_at
    sales = [past for past in situation.answers if past.answer in PITCHED and catalogue.is_sale(past.offer_id)]
    elsewhere = [offer_id for offer_id in situation.offered_elsewhere if catalogue.is_sale(offer_id)]
    blocked = {table.column[offer_id]: "offered_elsewhere" for offer_id in elsewhere if offer_id in table.column}
    families = Counter(
        int(table.family[table.column[past.offer_id]])
        for past in _within(sales, policy.family_cap_days, now)
        if past.offer_id in table.column
    )
    families.update(int(table.family[table.column[one]]) for one in elsewhere if one in table.column)
    if families and max(families.values()) >= policy.family_cap:
        full = {family for family, count in families.items() if count >= policy.family_cap}
        columns = np.flatnonzero(table.is_sale & np.isin(table.family, list(full))).tolist()
        blocked |= dict.fromkeys(columns, "family_cap")
    pitched = Counter(past.offer_id for past in _within(sales, policy.offer_cap_days, now))
    for offer_id, count in pitched.items():
        if count >= policy.offer_cap and offer_id in table.column:
            blocked[table.column[offer_id]] = "offer_cap"
    for offer_id, code in _cooling(situation, catalogue, policy).items():
        if offer_id in table.column:
            blocked[table.column[offer_id]] = code
    here = (str(situation.contact.channel), UNKNOWN_CHANNEL)
    on_channel = sum(past.channel in here for past in _within(sales, policy.channel_cap_days, now))
    overall = len(_within(sales, policy.sales_cap_days, now))
    left = min(policy.sales_cap - overall, policy.channel_cap - on_channel) - len(elsewhere)
    if 0 in (policy.offer_cap, policy.family_cap):
        left = 0
    return ContactPolicyState(blocked, max(left, 0))


def _within(answers: list[PastAnswer], days: int, now: datetime) -> list[PastAnswer]:
    return [past for past in answers if now - past.answered_at < timedelta(days=days)]


def _cooling(situation: Situation, catalogue: Catalogue, policy: Policy) -> dict[str, str]:
    """Return the code of each offer whose latest answers still cool off."""
    found: dict[str, str] = {}
    declines: Counter[str] = Counter()
    for past in situation.answers:
        age = situation.made_at - past.answered_at
        if past.answer is Answer.DECLINED:
            declines[past.offer_id] += 1
            if age < timedelta(days=cool_off_days(declines[past.offer_id], policy)):
                found[past.offer_id] = "cooling_off"
        elif past.answer is Answer.ACCEPTED:
            del declines[past.offer_id]
            found.pop(past.offer_id, None)
            if age < timedelta(days=policy.service_done_days) and not catalogue.is_sale(past.offer_id):
                found[past.offer_id] = "just_done"
        elif past.answer is Answer.LATER and age < timedelta(days=policy.later_cool_off_days):
            found[past.offer_id] = "asked_for_later"
    return found


def cool_off_days(declines: int, policy: Policy) -> int:
    """Return how long an offer rests after it was declined `declines` times in a row: twice as long each time."""
    doubled = policy.declined_cool_off_days << min(declines - 1, 30)
    return min(doubled, max(policy.declined_cool_off_most_days, policy.declined_cool_off_days))
