"""Permission: which offers may be made to each of n customers now, and the code of what stops each other one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.catalogue import Catalogue
from recsys.catalogue.offer_table import OfferTable
from recsys.domain.contact import Direction
from recsys.domain.policy import Policy
from recsys.domain.protection import Purpose
from recsys.ranking.codes import ALLOWED, NUMBER, SUPPRESSIONS, Codes, stop, stop_pairs, stop_where
from recsys.ranking.contact_policy import stop_by_contact_policy
from recsys.ranking.people import (
    AS_THE_POLICY_SAYS,
    MICROSECONDS_PER_DAY,
    NO_COMPLAINT,
    Bools,
    Microseconds,
    Occasion,
    People,
    Protection,
)

_FOR_EVER = 100_000_000
"""Days: nothing is older, and the microseconds of it are a number that an array holds."""
_GRANTED = {unasked: np.array([False, True, unasked]) for unasked in (False, True)}
"""Whether a consent of 0, 1 or NEVER_ASKED, which is the last place, holds."""
Judge = Callable[[Codes], Codes]
"""(n, m) what has stopped each offer so far → (n, m) what its eligibility rule says, at least where nothing has."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """(n, m) what stops each offer as a place in CODES and which are `allowed`, (n,) how many sales the caps leave.

    `has_complaint` (n,) is whether a complaint is open, this contact included.
    """

    codes: Codes
    allowed: Bools
    sales_left: NDArray[np.int64]
    has_complaint: Bools


def permit_all(people: People, catalogue: Catalogue, policy: Policy, judge: Judge) -> Permissions:
    """Return which of the catalogue's offers are allowed, and the code of what stops every other one.

    The checks run from the general to the particular and the first that fails names the code: on sale,
    channel, suppressions and consents, suitability, holdings, eligibility rule, volume caps, contact policy.
    """
    table = catalogue.table
    has_complaint = has_open_complaint(people.protection, policy, people.occasion)
    codes = protect(people, has_complaint, table, policy)
    if len(people.held.rows):
        stops = table.is_sold_once[people.held.offers]
        stop_pairs(codes, people.held.rows[stops], people.held.offers[stops], NUMBER["already_holds"])
    stop(codes, judge(codes))
    if table.capped:
        stop(codes, volume_codes(people.acceptances, catalogue))
    sales_left = stop_by_contact_policy(codes, people, table, policy)
    return Permissions(codes, np.asarray(codes == ALLOWED), sales_left, has_complaint)


def protect(people: People, has_complaint: Bools, table: OfferTable, policy: Policy) -> Codes:
    """Return (n, m) what validity, channel, suppressions, consents and suitability stop.

    Few people differ in these: each combination is judged once for all offers, and everybody gets a copy of theirs.
    """
    protection, occasion = people.protection, people.occasion
    inbound = occasion.direction == Direction.INBOUND
    unasked = policy.unasked_marketing_inbound if inbound else policy.unasked_marketing_outbound
    no_consent = ~granted(protection.consents[Purpose.MARKETING], unasked)
    suppressions = {**protection.flags, "no_marketing_consent": no_consent, "complaint_open": has_complaint}
    has_partner = granted(protection.consents[Purpose.PARTNER], policy.unasked_partner)
    columns = (protection.risk_level, has_partner, *(suppressions[code] for code in SUPPRESSIONS))
    kinds: dict[tuple[int, ...], int] = {}
    kind_of = [kinds.setdefault(kind, len(kinds)) for kind in zip(*(one.tolist() for one in columns), strict=True)]
    codes = np.empty((len(kinds), len(table)), dtype=np.int8)
    codes[:] = general_codes(table, occasion)
    for of_kind, (risk_level, may_partner, *suppressed) in zip(codes, kinds, strict=True):
        code = next((code for code, holds in zip(SUPPRESSIONS, suppressed, strict=True) if holds), None)
        if code is not None:
            stop_where(of_kind, table.is_sale, code)
            continue
        if not may_partner:
            stop_where(of_kind, table.is_partner, "no_partner_consent")
        is_risky = table.is_sale & (table.risk_level > (risk_level or 1))
        stop_where(of_kind, is_risky, "risk_too_high" if risk_level else "risk_unknown")
    return codes if len(codes) == len(people) else codes[kind_of]


def general_codes(table: OfferTable, occasion: Occasion) -> NDArray[np.int8]:
    """Return (m,) what stops each offer for everybody: at this moment and on this channel."""
    moment = occasion.at.timestamp()
    codes = np.zeros(len(table), dtype=np.int8)
    np.putmask(codes, ~table.on_channel(occasion.channel), NUMBER["wrong_channel"])
    np.putmask(codes, (table.opens > moment) | (table.closes <= moment), NUMBER["not_on_sale"])
    return codes


def volume_codes(acceptances: Mapping[str, tuple[int, int]], catalogue: Catalogue) -> NDArray[np.int8]:
    """Return (m,) which offers are sold out: those of which `acceptances` (today, ever) leave none."""
    codes = np.zeros(len(catalogue.table), dtype=np.int8)
    for column in catalogue.table.capped:
        offer = catalogue.offers[column]
        today, ever = acceptances.get(offer.offer_id, (0, 0))
        if offer.total_cap is not None and ever >= offer.total_cap:
            codes[column] = NUMBER["sold_out"]
        elif offer.daily_cap is not None and today >= offer.daily_cap:
            codes[column] = NUMBER["sold_out_today"]
    return codes


def has_open_complaint(protection: Protection, policy: Policy, occasion: Occasion) -> Bools:
    """Return (n,) whether a complaint, this contact included, is still open."""
    if not (protection.complaint_at > NO_COMPLAINT).any():
        return protection.is_complaint
    ends = complaint_ends(protection.complaint_at, protection.complaint_days, policy)
    return np.asarray(protection.is_complaint | (ends > occasion.microseconds))


def complaint_ends(began: Microseconds | int, days: NDArray[np.int64] | int, policy: Policy) -> Microseconds:
    """Return until when a complaint that `began` then counts, by its own `days` or as the policy says."""
    lasting = np.where(np.equal(days, AS_THE_POLICY_SAYS), policy.complaint_open_days, days)
    return np.asarray(began + np.minimum(lasting, _FOR_EVER) * MICROSECONDS_PER_DAY)


def is_profiled(protection: Protection, policy: Policy) -> Bools:
    """Return (n,) whose own history and features may shape the ranking."""
    return granted(protection.consents[Purpose.PROFILING], policy.unasked_profiling)


def granted(consents: NDArray[np.int8], when_never_asked: bool) -> Bools:
    """Return (n,) which consents hold."""
    return _GRANTED[when_never_asked][consents]
