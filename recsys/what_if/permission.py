"""Permission for many customers at once: the checks of `recsys.ranking.eligibility`, in the same order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.domain.policy import Policy
from recsys.domain.protection import Purpose
from recsys.ranking.eligibility import ALLOWED, NUMBER, apply_volume_caps, general_codes
from recsys.what_if.audience import NEVER_ASKED, NO_COMPLAINT, Audience, Bools, Protection
from recsys.what_if.contact_limits import OfferPlaces, contact_limits
from recsys.what_if.rulebook import Rulebook

_MICROSECONDS_PER_DAY = 86_400_000_000
_LEVELS = 128
"""More than there are risk levels."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """(n, m) what stops each offer as a place in CODES, and (n,) how many sales the caps leave."""

    codes: NDArray[np.int8]
    sales_left: NDArray[np.int64]

    @property
    def allowed(self) -> Bools:
        """(n, m) which offers may be made."""
        return np.asarray(self.codes == ALLOWED)


def permit_many(audience: Audience, rulebook: Rulebook, rule_codes: NDArray[np.int8]) -> Permissions:
    """Return what stops each offer for each of the audience; `rule_codes` (n, m) is what the rules say."""
    table, sales = rulebook.catalogue.table, rulebook.catalogue.table.is_sale
    codes = codes_before_holdings(audience, rulebook)
    places = OfferPlaces(rulebook.columns_of(audience.offer_ids), rulebook.are_sales(audience.offer_ids))
    rows, offers = audience.history.held()
    columns = places.column[offers]
    stops = (columns >= 0) & (sales & ~table.is_repeatable)[columns]
    rows, columns = rows[stops], columns[stops]
    free = codes[rows, columns] == ALLOWED
    codes[rows[free], columns[free]] = NUMBER["already_holds"]
    _stop(codes, rule_codes)
    volume = np.zeros(len(table), dtype=np.int8)
    apply_volume_caps(audience.acceptances, rulebook.catalogue, volume)
    _stop(codes, volume)
    now, policy = audience.occasion.microseconds, rulebook.policy
    limits = contact_limits(audience.answers, len(audience), places, table, policy, now)
    _stop(codes, limits.codes)
    used_up = np.flatnonzero(limits.sales_left == 0)
    codes[used_up] = _first(codes[used_up], sales * np.int8(NUMBER["contact_cap"]))
    return Permissions(codes, limits.sales_left)


def codes_before_holdings(audience: Audience, rulebook: Rulebook) -> NDArray[np.int8]:
    """Return (n, m) what validity, channel, suppressions, consents and suitability stop.

    Few people differ in these: each combination is judged once for all offers, and everybody gets a copy of theirs.
    """
    table, policy, people, occasion = rulebook.catalogue.table, rulebook.policy, audience.protection, audience.occasion
    suppression = sales_suppressions(people, policy, occasion.microseconds).astype(np.int64)
    has_partner = granted(people.consents[Purpose.PARTNER], policy.unasked_partner)
    risk = people.risk_level.astype(np.int64)
    kinds, kind_of = np.unique((suppression * 2 + has_partner) * _LEVELS + risk, return_inverse=True)
    risk = (kinds % _LEVELS)[:, None]
    may_partner = (kinds // _LEVELS % 2 == 1)[:, None]
    stopped_by = (kinds // _LEVELS // 2).astype(np.int8)[:, None]
    codes = np.tile(general_codes(table, occasion.at.timestamp(), occasion.channel), (len(kinds), 1))
    _stop(codes, np.where(table.is_sale, stopped_by, np.int8(ALLOWED)))
    _stop(codes, np.where(~may_partner & table.is_partner, np.int8(NUMBER["no_partner_consent"]), np.int8(ALLOWED)))
    too_high = np.where(risk > 0, np.int8(NUMBER["risk_too_high"]), np.int8(NUMBER["risk_unknown"]))
    is_risky = table.is_sale & (table.risk_level > np.maximum(risk, 1))
    _stop(codes, np.where(is_risky, too_high, np.int8(ALLOWED)))
    return codes[kind_of]


def _first(codes: NDArray[np.int8], what: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.where(codes == ALLOWED, what, codes)


def _stop(codes: NDArray[np.int8], what: NDArray[np.int8]) -> None:
    """Write what stops an offer where nothing has so far."""
    np.copyto(codes, what, where=codes == ALLOWED)


def sales_suppressions(people: Protection, policy: Policy, now: int) -> NDArray[np.int8]:
    """Return (n,) the code of what forbids every sale in an inbound contact, 0 where nothing does."""
    checks = {
        **people.flags,
        "no_marketing_consent": ~granted(people.consents[Purpose.MARKETING], policy.unasked_marketing_inbound),
        "complaint_open": has_open_complaints(people, policy, now),
    }
    checks = dict(sorted(checks.items(), key=lambda check: NUMBER[check[0]]))
    numbers = [np.int8(NUMBER[code]) for code in checks]
    return np.select(list(checks.values()), numbers, np.int8(ALLOWED)).astype(np.int8)


def has_open_complaints(people: Protection, policy: Policy, now: int) -> Bools:
    """Return (n,) who has a complaint that is still open."""
    days = np.where(people.complaint_days < 0, policy.complaint_open_days, people.complaint_days)
    since = now - days * _MICROSECONDS_PER_DAY
    return np.asarray((people.complaint_at != NO_COMPLAINT) & (people.complaint_at > since))


def is_profiled(people: Protection, policy: Policy) -> Bools:
    """Return (n,) whose own history and features may shape the ranking."""
    return granted(people.consents[Purpose.PROFILING], policy.unasked_profiling)


def granted(consents: NDArray[np.int8], when_never_asked: bool) -> Bools:
    """Return (n,) which consents hold."""
    return np.asarray(np.where(consents == NEVER_ASKED, when_never_asked, consents == 1))
