"""Permission in the plainest words, by no product code: one customer and one offer at a time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from recsys.domain.contact import Direction
from recsys.domain.decision import Situation
from recsys.domain.interaction import InteractionKind
from recsys.domain.offer import Offer, OfferKind
from recsys.domain.outcome import Answer, PastAnswer
from recsys.domain.policy import Policy

Verdict = Callable[[Offer], bool | None]
"""What an offer's rule says of the customer; None: it cannot be judged."""
DAY = timedelta(days=1)


class Plain:
    """What one customer may be offered in a situation, out of these offers."""

    def __init__(self, situation: Situation, offers: Sequence[Offer], policy: Policy, verdict: Verdict) -> None:
        self.situation, self.policy, self.verdict = situation, policy, verdict
        self.offers: Mapping[str, Offer] = {offer.offer_id: offer for offer in offers}

    def code(self, offer: Offer) -> str | None:
        """Return what stops the offer, or None: the first check that fails."""
        checks = (
            self.anybody,
            self.suppressed,
            self.unsuitable,
            self.rule,
            self.sold_out,
            self.resting,
            self.too_often,
        )
        for check in checks:
            code = check(offer)
            if code is not None:
                return code
        return None

    def anybody(self, offer: Offer) -> str | None:
        """Validity and channel."""
        now = self.situation.made_at
        if (offer.valid_from is not None and now < offer.valid_from) or (offer.valid_to and now >= offer.valid_to):
            return "not_on_sale"
        if offer.channels and self.situation.contact.channel not in offer.channels:
            return "wrong_channel"
        return None

    def suppressed(self, offer: Offer) -> str | None:
        """What forbids every sale; service actions stay."""
        customer = self.situation.customer
        if offer.kind == OfferKind.SERVICE:
            return None
        for flag in ("do_not_contact", "protection_unreadable"):
            if flag in customer.flags:
                return flag
        unasked = self.policy.unasked_marketing_outbound
        if self.situation.contact.direction == Direction.INBOUND:
            unasked = self.policy.unasked_marketing_inbound
        if customer.consents.marketing is False or (customer.consents.marketing is None and not unasked):
            return "no_marketing_consent"
        if self.has_complaint():
            return "complaint_open"
        for flag in ("vulnerable", "arrears"):
            if flag in customer.flags:
                return flag
        return None

    def has_complaint(self) -> bool:
        """Whether this contact is a complaint, or an earlier one counts still: whole days are counted."""
        if self.situation.is_complaint:
            return True
        days, since = self.policy.complaint_open_days, self.situation.open_complaint_since
        if self.situation.complaint_days is not None:
            days = self.situation.complaint_days
        return since is not None and (self.situation.made_at - since).days < days

    def unsuitable(self, offer: Offer) -> str | None:
        """A partner's offer needs its consent, a risky one somebody who may have it, and nobody needs it twice."""
        customer = self.situation.customer
        if offer.kind == OfferKind.SERVICE:
            return None
        given = customer.consents.partner
        if offer.kind == OfferKind.PARTNER and (given is False or (given is None and not self.policy.unasked_partner)):
            return "no_partner_consent"
        if customer.risk_level is None and offer.risk_level > 1:
            return "risk_unknown"
        if customer.risk_level is not None and offer.risk_level > customer.risk_level:
            return "risk_too_high"
        holds = False
        for event in self.situation.history:
            if event.offer_id == offer.offer_id and event.kind in (InteractionKind.HOLDING, InteractionKind.ACCEPTED):
                holds = True
            if event.offer_id == offer.offer_id and event.kind == InteractionKind.CANCELLED:
                holds = False
        return "already_holds" if holds and not offer.repeatable else None

    def rule(self, offer: Offer) -> str | None:
        """The eligibility rule."""
        verdict = self.verdict(offer)
        if verdict is None:
            return "eligibility_unknown"
        return None if verdict else "not_eligible"

    def sold_out(self, offer: Offer) -> str | None:
        """Acceptances by everybody."""
        today, ever = self.situation.acceptances.get(offer.offer_id, (0, 0))
        if offer.total_cap is not None and ever >= offer.total_cap:
            return "sold_out"
        return "sold_out_today" if offer.daily_cap is not None and today >= offer.daily_cap else None

    def resting(self, offer: Offer) -> str | None:
        """Cool-offs: a decline rests twice as long each time in a row, an acceptance ends the row."""
        code, in_a_row = None, 0
        for past in self.situation.answers:
            if past.offer_id != offer.offer_id:
                continue
            age = self.situation.made_at - past.answered_at
            if past.answer == Answer.ACCEPTED:
                code, in_a_row = None, 0
                if offer.kind == OfferKind.SERVICE and age < self.policy.service_done_days * DAY:
                    code = "just_done"
            if past.answer == Answer.LATER and age < self.policy.later_cool_off_days * DAY:
                code = "asked_for_later"
            if past.answer == Answer.DECLINED:
                in_a_row += 1
                days = self.policy.declined_cool_off_days
                for _ in range(in_a_row - 1):
                    days = min(2 * days, max(days, self.policy.declined_cool_off_most_days))
                if age < days * DAY:
                    code = "cooling_off"
        return code

    def heard(self, days: int) -> list[PastAnswer]:
        """The sales that the customer heard of in the last days; what has left the catalogue was one."""
        found = []
        for past in self.situation.answers:
            is_sale = past.offer_id not in self.offers or self.offers[past.offer_id].kind != OfferKind.SERVICE
            is_young = self.situation.made_at - past.answered_at < days * DAY
            if is_sale and is_young and past.answer != Answer.NOT_PITCHED:
                found.append(past)
        return found

    def elsewhere(self) -> list[str]:
        """The sales on the list of another live contact."""
        gone_or_sale = (self.offers.get(one) for one in sorted(self.situation.offered_elsewhere))
        named = zip(sorted(self.situation.offered_elsewhere), gone_or_sale, strict=True)
        return [offer_id for offer_id, offer in named if offer is None or offer.kind != OfferKind.SERVICE]

    def family(self, offer_id: str) -> str | None:
        """The family of an offer in the catalogue; one without is a family of its own."""
        offer = self.offers.get(offer_id)
        return None if offer is None else offer.family or f"only {offer_id}"

    def too_often(self, offer: Offer) -> str | None:
        """The caps on sales, and what is offered elsewhere."""
        if offer.kind == OfferKind.SERVICE:
            return None
        policy = self.policy
        times = [past.offer_id for past in self.heard(policy.offer_cap_days)].count(offer.offer_id)
        if times and times >= policy.offer_cap:
            return "offer_cap"
        known = [past.offer_id for past in self.heard(policy.family_cap_days)] + self.elsewhere()
        times = [self.family(one) for one in known].count(self.family(offer.offer_id))
        if times and times >= policy.family_cap:
            return "family_cap"
        if offer.offer_id in self.elsewhere():
            return "offered_elsewhere"
        return "contact_cap" if self.sales_left() == 0 else None

    def sales_left(self) -> int:
        """How many sales the tightest cap leaves; a cap of nothing leaves none."""
        policy = self.policy
        if policy.offer_cap == 0 or policy.family_cap == 0:
            return 0
        channel = self.situation.contact.channel
        here = [past for past in self.heard(policy.channel_cap_days) if past.channel in (channel, "?")]
        overall = policy.sales_cap - len(self.heard(policy.sales_cap_days)) - len(self.elsewhere())
        on = self.situation.elsewhere_channels
        elsewhere = [one for one in self.elsewhere() if on.get(one, channel) in (channel, "?")]
        return max(min(overall, policy.channel_cap - len(here) - len(elsewhere)), 0)


def is_adult(age: object, years: int) -> bool | None:
    """What "age >= years" says; None where the age is not known."""
    return None if age is None else float(str(age)) >= years


def moments_around(now: datetime, days: int) -> list[datetime]:
    """Just inside a window of days that ends now, at its edge, and just outside."""
    return [now - days * DAY + timedelta(microseconds=one) for one in (1, 0, -1)]
