"""Contact policy: cool-offs after an answer and the cap on sales conversations in a rolling window."""

from datetime import timedelta

from recsys.catalogue import Catalogue
from recsys.domain.decision import Situation
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy

CONTACT_POLICY_CODES = frozenset({"cooling_off", "asked_for_later", "just_done", "contact_cap"})
"""They forbid offering, not accepting what was offered."""

PITCHED = frozenset({Answer.ACCEPTED, Answer.DECLINED, Answer.LATER})


def contact_policy_blocks(situation: Situation, catalogue: Catalogue, policy: Policy) -> dict[str, str]:
    """Return the held-back code of each offer that an earlier answer rules out for now."""
    blocks: dict[str, str] = {}
    for past in situation.answers:
        age = situation.made_at - past.answered_at
        if past.answer is Answer.DECLINED and age < timedelta(days=policy.declined_cool_off_days):
            blocks[past.offer_id] = "cooling_off"
        elif past.answer is Answer.LATER and age < timedelta(days=policy.later_cool_off_days):
            blocks[past.offer_id] = "asked_for_later"
        elif (
            past.answer is Answer.ACCEPTED
            and age < timedelta(days=policy.service_done_days)
            and not catalogue.is_sale(past.offer_id)
        ):
            blocks[past.offer_id] = "just_done"
    return blocks


def is_sales_cap_reached(situation: Situation, catalogue: Catalogue, policy: Policy) -> bool:
    """Return whether the customer has heard as many sales offers in the window as the policy allows."""
    window = timedelta(days=policy.sales_cap_days)
    pitched = sum(
        past.answer in PITCHED and situation.made_at - past.answered_at < window and catalogue.is_sale(past.offer_id)
        for past in situation.answers
    )
    return pitched >= policy.sales_cap
