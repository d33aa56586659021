"""Permission: which offers may be made to this customer now, and the code of what stops each other one."""

from collections.abc import Callable
from datetime import datetime

from recsys.catalogue import Catalogue
from recsys.domain.contact import Direction
from recsys.domain.customer import AttributeValue
from recsys.domain.decision import HeldBack, Situation
from recsys.domain.interaction import held_offers
from recsys.domain.offer import Offer, OfferKind
from recsys.domain.policy import Policy
from recsys.ranking.contact_policy import contact_policy_blocks, is_sales_cap_reached


def permit(situation: Situation, catalogue: Catalogue, policy: Policy) -> tuple[list[Offer], list[HeldBack]]:
    """Return the offers that are allowed, in catalogue order, and every other one with its reason code.

    The checks run from the general to the particular and the first that fails names the code:
    on sale, channel, suppressions and consents, suitability, holdings, eligibility rule, contact policy.
    """
    facts = rule_facts(situation, catalogue)
    held = held_offers(situation.history)
    suppressed = sales_suppression(situation, policy)
    partner_refused = not _is_granted(situation.customer.consents.partner, policy.unasked_partner)
    blocks = contact_policy_blocks(situation, catalogue, policy)
    capped = is_sales_cap_reached(situation, catalogue, policy)
    risk_level = situation.customer.risk_level or 1
    channel, now = situation.contact.channel, situation.made_at

    allowed: list[Offer] = []
    held_back: list[HeldBack] = []
    for offer in catalogue.offers:
        code = _sale_block(offer, channel, now)
        if code is None and offer.kind is not OfferKind.SERVICE:
            if suppressed is not None:
                code = suppressed
            elif partner_refused and offer.kind is OfferKind.PARTNER:
                code = "no_partner_consent"
            elif offer.risk_level > risk_level:
                code = "risk_too_high" if situation.customer.risk_level else "risk_unknown"
            elif not offer.repeatable and offer.offer_id in held:
                code = "already_holds"
        unknown: tuple[str, ...] = ()
        if code is None:
            code, unknown = _rule_block(catalogue, offer.offer_id, facts)
        if code is None:
            code = blocks.get(offer.offer_id) or ("contact_cap" if capped and offer.is_sale else None)
        if code is None:
            allowed.append(offer)
        else:
            held_back.append(HeldBack(offer.offer_id, code, {"names": ", ".join(unknown)} if unknown else {}))
    return allowed, held_back


def rule_facts(situation: Situation, catalogue: Catalogue) -> dict[str, AttributeValue]:
    """Return what a rule may name: the customer's attributes and the built-in facts of this contact."""
    customer, contact = situation.customer, situation.contact
    return {
        **customer.attributes,
        "kind": customer.kind.value,
        "language": customer.language,
        "segment": customer.segment,
        "risk_level": customer.risk_level,
        "vulnerable": customer.vulnerable,
        "arrears": customer.arrears,
        "do_not_contact": customer.do_not_contact,
        "channel": str(contact.channel),
        "direction": str(contact.direction),
        "sentiment": contact.sentiment,
        "held_count": float(sum(catalogue.is_sale(offer_id) for offer_id in held_offers(situation.history))),
    }


def sales_suppression(situation: Situation, policy: Policy) -> str | None:
    """Return the code of what forbids every sale to this customer now, or None."""
    customer = situation.customer
    inbound = situation.contact.direction == Direction.INBOUND
    unasked = policy.unasked_marketing_inbound if inbound else policy.unasked_marketing_outbound
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("do_not_contact", lambda: customer.do_not_contact),
        ("no_marketing_consent", lambda: not _is_granted(customer.consents.marketing, unasked)),
        ("complaint_open", lambda: has_open_complaint(situation, policy)),
        ("vulnerable", lambda: customer.vulnerable),
        ("arrears", lambda: customer.arrears),
    )
    return next((code for code, is_blocked in checks if is_blocked()), None)


def has_open_complaint(situation: Situation, policy: Policy) -> bool:
    """Return whether a complaint, this contact's reason included, is still open."""
    if situation.contact.reason == "complaint" or any(intent.name == "complaint" for intent in situation.intents):
        return True
    since = situation.open_complaint_since
    return since is not None and (situation.made_at - since).days < policy.complaint_open_days


def is_profiled(situation: Situation, policy: Policy) -> bool:
    """Return whether the customer's own history and features may shape the ranking."""
    return _is_granted(situation.customer.consents.profiling, policy.unasked_profiling)


def _is_granted(consent: bool | None, when_never_asked: bool) -> bool:
    return when_never_asked if consent is None else consent


def _sale_block(offer: Offer, channel: str, now: datetime) -> str | None:
    if (offer.valid_from is not None and now < offer.valid_from) or (
        offer.valid_to is not None and now >= offer.valid_to
    ):
        return "not_on_sale"
    if offer.channels and channel not in offer.channels:
        return "wrong_channel"
    return None


def _rule_block(
    catalogue: Catalogue, offer_id: str, facts: dict[str, AttributeValue]
) -> tuple[str | None, tuple[str, ...]]:
    rule = catalogue.eligibility(offer_id)
    if rule is None:
        return None, ()
    verdict = rule.evaluate(facts)
    if verdict is True:
        return None, ()
    if verdict is None:
        return "eligibility_unknown", rule.unknown(facts)
    return "not_eligible", ()
