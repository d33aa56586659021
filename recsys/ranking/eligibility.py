"""One customer's permission: the situation as one row of what permission is told, and the rules judged one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.catalogue.offer_table import OfferTable
from recsys.domain.customer import AttributeValue
from recsys.domain.decision import Situation
from recsys.domain.interaction import held_offers
from recsys.domain.policy import Policy
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, Purpose
from recsys.domain.vocabulary import UNKNOWN_CHANNEL
from recsys.ranking.codes import ALLOWED, CODES, NUMBER, Codes
from recsys.ranking.people import (
    ANSWERS,
    AS_THE_POLICY_SAYS,
    NEVER_ASKED,
    NO_COMPLAINT,
    NO_PAIRS,
    AnswerColumns,
    Occasion,
    Pairs,
    People,
    Protection,
    microseconds,
)
from recsys.ranking.permission import Permissions, is_profiled, permit_all

_FLAG = {is_set: np.array([is_set]) for is_set in (False, True)}
_CONSENT = {given: np.array([NEVER_ASKED if given is None else given], dtype=np.int8) for given in (None, False, True)}
_NUMBER_OF = {answer: number for number, answer in enumerate(ANSWERS)}
_NO_ANSWERS = AnswerColumns(*NO_PAIRS, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8), np.zeros(0, dtype=bool))


@dataclass(frozen=True, slots=True)
class Permission:
    """What one customer may be offered, as the only row of `row`, and whether they let their data shape the ranking.

    `unknown` is column → the names of the facts that an offer's rule lacks; `facts` is what rules were told.
    """

    row: Permissions
    is_profiled: bool
    unknown: Mapping[int, str]
    facts: Mapping[str, AttributeValue]

    @property
    def codes(self) -> NDArray[np.int8]:
        """(m,) what stops each offer as a place in `CODES`; 0: nothing does."""
        return np.asarray(self.row.codes[0])

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(m,) which offers may be made."""
        return np.asarray(self.row.allowed[0])

    @property
    def sales_left(self) -> int:
        """How many sales the caps leave."""
        return int(self.row.sales_left[0])

    @property
    def has_complaint(self) -> bool:
        """Whether a complaint is open, this contact included."""
        return bool(self.row.has_complaint[0])

    def code(self, column: int) -> str | None:
        """Return the code of what stops the offer, or None."""
        number = int(self.row.codes[0, column])
        return None if number == ALLOWED else CODES[number]


def permit(situation: Situation, catalogue: Catalogue, policy: Policy) -> Permission:
    """Return which of the catalogue's offers are allowed, and the code of what stops every other one."""
    held = held_offers(situation.history)
    facts = rule_facts(situation, catalogue, held)
    people, lacking = people_of(situation, held, catalogue.table), dict[int, str]()

    def judge(codes: Codes) -> Codes:
        return _apply_rules(catalogue.table, facts, codes[0], lacking, frozenset(situation.unread))[None]

    row = permit_all(people, catalogue, policy, judge)
    return Permission(row, bool(is_profiled(people.protection, policy)[0]), lacking, facts)


def people_of(situation: Situation, held: frozenset[str], table: OfferTable) -> People:
    """Return the one row that the situation is, with the offers that are `held`."""
    customer, contact, consents = situation.customer, situation.contact, situation.customer.consents
    since, days = situation.open_complaint_since, situation.complaint_days
    return People(
        Occasion(situation.made_at, str(contact.channel), contact.direction),
        Protection(
            np.array([customer.risk_level or 0], dtype=np.int8),
            {name: _FLAG[name in customer.flags] for name in FLAGS},
            {
                Purpose.MARKETING: _CONSENT[consents.marketing],
                Purpose.PROFILING: _CONSENT[consents.profiling],
                Purpose.PARTNER: _CONSENT[consents.partner],
            },
            np.array([NO_COMPLAINT if since is None else microseconds(since)]),
            np.array([AS_THE_POLICY_SAYS if days is None else days]),
            _FLAG[situation.is_complaint],
        ),
        _pairs(held, table),
        _answers(situation, table),
        _pairs(situation.offered_elsewhere, table),
        _is_here(situation),
        situation.acceptances,
    )


def _is_here(situation: Situation) -> NDArray[np.bool_]:
    """Return of each offer on another contact's list, in their order, whether it is so on this contact's channel."""
    here, channels = str(situation.contact.channel), situation.elsewhere_channels
    counts = (here, UNKNOWN_CHANNEL)
    return np.array([channels.get(one, here) in counts for one in situation.offered_elsewhere], dtype=bool)


def _pairs(offer_ids: frozenset[str], table: OfferTable) -> Pairs:
    if not offer_ids:
        return NO_PAIRS
    return Pairs(np.zeros(len(offer_ids), dtype=np.intp), table.columns_of(offer_ids))


def _answers(situation: Situation, table: OfferTable) -> AnswerColumns:
    if not situation.answers:
        return _NO_ANSWERS
    answers = sorted(situation.answers, key=attrgetter("offer_id"))
    here = (str(situation.contact.channel), UNKNOWN_CHANNEL)
    return AnswerColumns(
        np.zeros(len(answers), dtype=np.intp),
        table.columns_of([past.offer_id for past in answers]),
        np.array([microseconds(past.answered_at) for past in answers]),
        np.array([_NUMBER_OF[past.answer] for past in answers], dtype=np.int8),
        np.array([past.channel in here for past in answers]),
    )


def _apply_rules(
    table: OfferTable,
    facts: Mapping[str, AttributeValue],
    so_far: NDArray[np.int8],
    lacking: dict[int, str],
    unread: frozenset[str],
) -> NDArray[np.int8]:
    """Return (m,) what the rules of the offers still allowed say, each distinct rule judged once.

    Writes into `lacking`, by column, the facts that an offer's rule lacks. A rule that names a feature which could not
    be read is not judged, so that no `IS NULL` of it opens an offer.
    """
    codes = np.zeros(len(table), dtype=np.int8)
    open_ = np.asarray((so_far == ALLOWED) & table.has_rule).nonzero()[0]
    numbers = table.rule[open_]
    verdicts = np.zeros(len(table.rules), dtype=np.int8)
    for number in np.bincount(numbers).nonzero()[0].tolist():
        rule = table.rules[number]
        verdict = rule.evaluate(facts) if unread.isdisjoint(rule.names) else None
        if verdict is not True:
            verdicts[number] = NUMBER["not_eligible" if verdict is False else "eligibility_unknown"]
    codes[open_] = verdicts[numbers]
    names: dict[int, str] = {}
    for column in (codes == NUMBER["eligibility_unknown"]).nonzero()[0].tolist():
        number = int(table.rule[column])
        if number not in names:
            names[number] = ", ".join(table.rules[number].unknown(facts))
        lacking[column] = names[number]
    return codes


def rule_facts(situation: Situation, catalogue: Catalogue, held: frozenset[str]) -> dict[str, AttributeValue]:
    """Return what a rule may name: the customer's attributes, the bank's own features, and this contact's facts."""
    customer, contact = situation.customer, situation.contact
    return {
        **customer.attributes,
        **situation.own,
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
