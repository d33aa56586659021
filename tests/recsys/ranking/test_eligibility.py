"""Permission: each rule that can hold an offer back, and the code it leaves."""

from datetime import timedelta

import pytest

from recsys.domain.contact import Direction, Intent
from recsys.domain.customer import Consents
from recsys.domain.decision import Situation
from recsys.domain.interaction import InteractionKind
from recsys.domain.offer import Offer, OfferKind
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.ranking.eligibility import permit
from tests.builders import (
    NOW,
    a_catalogue,
    a_contact,
    a_customer,
    a_past_answer,
    a_situation,
    an_interaction,
    an_offer,
)

OUTBOUND = a_contact(direction=Direction.OUTBOUND)
HELD = (an_interaction("card"),)


def code_of(situation: Situation, offer: Offer, policy: Policy | None = None) -> str | None:
    allowed, held_back = permit(situation, a_catalogue(offer), policy or Policy())
    assert len(allowed) + len(held_back) == 1
    return held_back[0].code if held_back else None


@pytest.mark.parametrize(
    ("situation", "offer", "code"),
    [
        (a_situation(), an_offer(), None),
        (a_situation(), an_offer(valid_from=NOW + timedelta(seconds=1)), "not_on_sale"),
        (a_situation(), an_offer(valid_from=NOW), None),
        (a_situation(), an_offer(valid_to=NOW), "not_on_sale"),
        (a_situation(), an_offer(channels=frozenset({"app"})), "wrong_channel"),
        (a_situation(), an_offer(channels=frozenset({"phone"})), None),
        (a_situation(customer=a_customer(do_not_contact=True)), an_offer(), "do_not_contact"),
        (a_situation(customer=a_customer(vulnerable=True)), an_offer(), "vulnerable"),
        (a_situation(customer=a_customer(arrears=True)), an_offer(), "arrears"),
        (a_situation(customer=a_customer(consents=Consents(marketing=False))), an_offer(), "no_marketing_consent"),
        (a_situation(contact=OUTBOUND), an_offer(), "no_marketing_consent"),
        (a_situation(contact=OUTBOUND, customer=a_customer(consents=Consents(marketing=True))), an_offer(), None),
        (a_situation(), an_offer(kind=OfferKind.PARTNER), "no_partner_consent"),
        (a_situation(customer=a_customer(consents=Consents(partner=True))), an_offer(kind=OfferKind.PARTNER), None),
        (a_situation(contact=a_contact(reason="complaint")), an_offer(), "complaint_open"),
        (a_situation(intents=(Intent("complaint"),)), an_offer(), "complaint_open"),
        (a_situation(open_complaint_since=NOW - timedelta(days=13)), an_offer(), "complaint_open"),
        (a_situation(open_complaint_since=NOW - timedelta(days=15)), an_offer(), None),
        (a_situation(), an_offer(risk_level=3), "risk_unknown"),
        (a_situation(customer=a_customer(risk_level=2)), an_offer(risk_level=3), "risk_too_high"),
        (a_situation(customer=a_customer(risk_level=3)), an_offer(risk_level=3), None),
        (a_situation(history=HELD), an_offer(), "already_holds"),
        (a_situation(history=HELD), an_offer(repeatable=True), None),
        (a_situation(history=(*HELD, an_interaction("card", InteractionKind.CANCELLED, 10))), an_offer(), None),
        (a_situation(), an_offer(eligibility="age >= 18"), "eligibility_unknown"),
        (a_situation(customer=a_customer(attributes={"age": 17.0})), an_offer(eligibility="age >= 18"), "not_eligible"),
        (a_situation(customer=a_customer(attributes={"age": 18.0})), an_offer(eligibility="age >= 18"), None),
        (a_situation(answers=(a_past_answer("card", Answer.DECLINED, 29),)), an_offer(), "cooling_off"),
        (a_situation(answers=(a_past_answer("card", Answer.DECLINED, 31),)), an_offer(), None),
        (a_situation(answers=(a_past_answer("card", Answer.LATER, 6),)), an_offer(), "asked_for_later"),
        (a_situation(answers=(a_past_answer("card", Answer.NOT_PITCHED, 1),)), an_offer(), None),
    ],
)
def test_the_first_check_that_fails_names_the_code(situation: Situation, offer: Offer, code: str | None) -> None:
    assert code_of(situation, offer) == code


@pytest.mark.parametrize(
    "customer",
    [
        a_customer(do_not_contact=True),
        a_customer(vulnerable=True),
        a_customer(arrears=True),
        a_customer(consents=Consents(marketing=False, partner=False)),
    ],
)
def test_a_service_action_needs_no_consent_and_knows_no_suppression(customer: object) -> None:
    assert code_of(a_situation(customer=customer), an_offer(kind=OfferKind.SERVICE)) is None


def test_the_cap_counts_what_was_pitched_in_the_window_and_not_service() -> None:
    catalogue = a_catalogue(an_offer("card"), an_offer("fix", kind=OfferKind.SERVICE), an_offer("loan"))
    pitched = [a_past_answer("loan", Answer.DECLINED, days_ago=29)] * 5
    below = a_situation(
        answers=(*pitched, a_past_answer("fix", Answer.ACCEPTED, 0.5), a_past_answer("loan", Answer.LATER, 31))
    )
    at_cap = a_situation(answers=(*pitched, a_past_answer("gone", Answer.ACCEPTED, days_ago=2)))
    allowed_below, _ = permit(below, catalogue, Policy(sales_cap=6))
    allowed_at_cap, held_back = permit(at_cap, catalogue, Policy(sales_cap=6))
    assert [offer.offer_id for offer in allowed_below] == ["card"]
    assert ("card", "contact_cap") in {(one.offer_id, one.code) for one in held_back}
    assert [offer.offer_id for offer in allowed_at_cap] == ["fix"]


def test_an_unknown_attribute_is_named() -> None:
    _, held_back = permit(a_situation(), a_catalogue(an_offer(eligibility="age >= 18")), Policy())
    assert held_back[0].facts == {"names": "age"}
