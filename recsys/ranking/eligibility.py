"""Permission: which offers may be made to this customer now, and the code of what stops each other one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.catalogue.offer_table import OfferTable
from recsys.domain.contact import Direction
from recsys.domain.customer import AttributeValue
from recsys.domain.decision import Situation
from recsys.domain.interaction import held_offers
from recsys.domain.policy import Policy
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS
from recsys.ranking.contact_policy import contact_policy_state

ALLOWED = 0
_FIRST_FLAGS = tuple(name for name, flag in FLAGS.items() if flag.outranks_consent)
_OTHER_FLAGS = tuple(name for name, flag in FLAGS.items() if not flag.outranks_consent)
CODES = (
    "allowed", "not_on_sale", "wrong_channel", *_FIRST_FLAGS, "no_marketing_consent", "complaint_open",
    *_OTHER_FLAGS, "no_partner_consent", "risk_too_high", "risk_unknown", "already_holds",
    "not_eligible", "eligibility_unknown", "sold_out", "sold_out_today", "cooling_off", "asked_for_later",
    "just_done", "offer_cap", "family_cap", "offered_elsewhere", "contact_cap",
    "not_called_for", "below_threshold", "ranked_lower", "made_room", "withheld",
)  # fmt: skip
"""Why an offer is not on the list; the last five are no matter of permission but of rank."""
NUMBER = {code: number for number, code in enumerate(CODES)}


@dataclass(frozen=True, slots=True)
class Permission:
    """(m,) what stops each offer as a place in `CODES` (0: nothing does), and how many sales the caps leave.

    `unknown` is column → the names of the facts that an offer's rule lacks; `facts` is what rules were told.
    """

    codes: NDArray[np.int8]
    unknown: Mapping[int, str]
    sales_left: int
    facts: Mapping[str, AttributeValue]

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(m,) which offers may be made."""
        return np.asarray(self.codes == ALLOWED)

    def code(self, column: int) -> str | None:
        """Return the code of what stops the offer, or None."""
        number = int(self.codes[column])
        return None if number == ALLOWED else CODES[number]


def permit(situation: Situation, catalogue: Catalogue, policy: Policy) -> Permission:
    """Return which of the catalogue's offers are allowed, and the code of what stops every other one.

    The checks run from the general to the particular and the first that fails names the code: on sale,
    channel, suppressions and consents, suitability, holdings, eligibility rule, volume caps, contact policy.
    """
    table, moment = catalogue.table, situation.made_at.timestamp()
    held = held_offers(situation.history)
    facts = rule_facts(situation, catalogue, held)
    codes = general_codes(table, moment, str(situation.contact.channel))

    def stop(where: NDArray[np.bool_], code: str) -> None:
        codes[where & (codes == ALLOWED)] = NUMBER[code]

    suppressed = sales_suppression(situation, policy)
    if suppressed is not None:
        stop(table.is_sale, suppressed)
    else:
        if not _is_granted(situation.customer.consents.partner, policy.unasked_partner):
            stop(table.is_partner, "no_partner_consent")
        risk_level = situation.customer.risk_level
        stop(table.is_sale & (table.risk_level > (risk_level or 1)), "risk_too_high" if risk_level else "risk_unknown")
        holds = np.zeros(len(table), dtype=bool)
        holds[[table.column[offer_id] for offer_id in held if offer_id in table.column]] = True
        stop(holds & table.is_sale & ~table.is_repeatable, "already_holds")
    unknown = _apply_rules(catalogue, facts, codes)
    apply_volume_caps(situation.acceptances, catalogue, codes)
    state = contact_policy_state(situation, catalogue, policy)
    for column, code in state.blocked.items():
        if codes[column] == ALLOWED:
            codes[column] = NUMBER[code]
    if state.sales_left == 0:
        stop(table.is_sale, "contact_cap")
    return Permission(codes, unknown, state.sales_left, facts)


def general_codes(table: OfferTable, moment: float, channel: str) -> NDArray[np.int8]:
    """Return (m,) what stops each offer for everybody: at `moment` (seconds since 1970) and on this channel."""
    codes = np.zeros(len(table), dtype=np.int8)
    codes[~table.on_channel(channel)] = NUMBER["wrong_channel"]
    codes[(table.opens > moment) | (table.closes <= moment)] = NUMBER["not_on_sale"]
    return codes


def _apply_rules(catalogue: Catalogue, facts: Mapping[str, AttributeValue], codes: NDArray[np.int8]) -> dict[int, str]:
    """Judge the rules of the offers still allowed, each distinct rule once; returns what the unknown ones lack."""
    table = catalogue.table
    open_ = np.flatnonzero((codes == ALLOWED) & (table.rule >= 0))
    numbers = table.rule[open_]
    verdicts = np.zeros(len(table.rules), dtype=np.int8)
    lacking: dict[int, str] = {}
    for number in np.flatnonzero(np.bincount(numbers)).tolist():
        rule = table.rules[number]
        verdict = rule.evaluate(facts)
        if verdict is not True:
            verdicts[number] = NUMBER["not_eligible" if verdict is False else "eligibility_unknown"]
            if verdict is None:
                lacking[number] = ", ".join(rule.unknown(facts))
    codes[open_] = verdicts[numbers]
    unsure = open_[np.isin(numbers, list(lacking))] if lacking else open_[:0]
    return {column: lacking[int(table.rule[column])] for column in unsure.tolist()}


def apply_volume_caps(
    acceptances: Mapping[str, tuple[int, int]], catalogue: Catalogue, codes: NDArray[np.int8]
) -> None:
    """Stop the offers still allowed in `codes` (m,) of which `acceptances` (today, ever) leave none."""
    for column in catalogue.table.capped:
        offer = catalogue.offers[column]
        today, ever = acceptances.get(offer.offer_id, (0, 0))
        if codes[column] == ALLOWED and offer.total_cap is not None and ever >= offer.total_cap:
            codes[column] = NUMBER["sold_out"]
        elif codes[column] == ALLOWED and offer.daily_cap is not None and today >= offer.daily_cap:
            codes[column] = NUMBER["sold_out_today"]


def rule_facts(situation: Situation, catalogue: Catalogue, held: frozenset[str]) -> dict[str, AttributeValue]:
    """Return what a rule may name: the customer's attributes and the built-in facts of this contact."""
    customer, contact = situation.customer, situation.contact
    return {
        **customer.attributes,
        "kind": customer.kind.value,
        "language": customer.language,
        "segment": customer.segment,
        "risk_level": customer.risk_level,
        **{flag: flag in customer.flags for flag in DELIVERED_FLAGS},
        "channel": str(contact.channel),
        "direction": str(contact.direction),
        "sentiment": contact.sentiment,
        "held_count": float(sum(map(catalogue.is_sale, held))),
    }


def sales_suppression(situation: Situation, policy: Policy) -> str | None:
    """Return the code of what forbids every sale to this customer now, or None."""
    customer = situation.customer
    inbound = situation.contact.direction == Direction.INBOUND
    unasked = policy.unasked_marketing_inbound if inbound else policy.unasked_marketing_outbound
    checks: dict[str, Callable[[], bool]] = {
        "no_marketing_consent": lambda: not _is_granted(customer.consents.marketing, unasked),
        "complaint_open": lambda: has_open_complaint(situation, policy),
    }
    order = (*_FIRST_FLAGS, *checks, *_OTHER_FLAGS)
    return next((code for code in order if (checks[code]() if code in checks else code in customer.flags)), None)


def has_open_complaint(situation: Situation, policy: Policy) -> bool:
    """Return whether a complaint, this contact's reason included, is still open."""
    if situation.is_complaint:
        return True
    since, own_days = situation.open_complaint_since, situation.complaint_days
    days = policy.complaint_open_days if own_days is None else own_days
    return since is not None and (situation.made_at - since).days < days


def is_profiled(situation: Situation, policy: Policy) -> bool:
    """Return whether the customer's own history and features may shape the ranking."""
    return _is_granted(situation.customer.consents.profiling, policy.unasked_profiling)


def is_upset(situation: Situation, policy: Policy) -> bool:
    """Return whether service must come before sales: an open complaint or a bad mood."""
    sentiment = situation.contact.sentiment
    return has_open_complaint(situation, policy) or (sentiment is not None and sentiment < policy.upset_below)


def _is_granted(consent: bool | None, when_never_asked: bool) -> bool:
    return when_never_asked if consent is None else consent
