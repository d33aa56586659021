"""Permission: each rule that can hold an offer back, and the code it leaves."""

from datetime import timedelta

import pytest

from recsys.catalogue import Catalogue
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
    return permit(situation, a_catalogue(offer), policy or Policy()).code(0)


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


def allowed(situation: Situation, catalogue: Catalogue, policy: Policy) -> list[str]:
    return list(catalogue.table.ids[permit(situation, catalogue, policy).allowed])


def test_the_cap_counts_what_was_pitched_in_the_window_and_not_service() -> None:
    catalogue = a_catalogue(an_offer("card"), an_offer("fix", kind=OfferKind.SERVICE), an_offer("loan"))
    pitched = [a_past_answer("loan", Answer.DECLINED, days_ago=29)] * 5
    below = a_situation(
        answers=(*pitched, a_past_answer("fix", Answer.ACCEPTED, 0.5), a_past_answer("loan", Answer.LATER, 31))
    )
    at_cap = a_situation(answers=(*pitched, a_past_answer("gone", Answer.ACCEPTED, days_ago=2)))
    policy = Policy(sales_cap=6)
    assert allowed(below, catalogue, policy) == ["card"]
    assert permit(at_cap, catalogue, policy).code(0) == "contact_cap"
    assert allowed(at_cap, catalogue, policy) == ["fix"]


def test_no_more_sales_are_left_than_the_tightest_cap_says() -> None:
    answers = (a_past_answer("gone", Answer.DECLINED, 2, channel="phone"), a_past_answer("away", Answer.LATER, 3))
    catalogue = a_catalogue(an_offer())
    assert permit(a_situation(answers=answers), catalogue, Policy(sales_cap=6, channel_cap=5)).sales_left == 4
    assert permit(a_situation(answers=answers), catalogue, Policy(sales_cap=6, channel_cap=2)).sales_left == 1


@pytest.mark.parametrize(("declines", "rests_days"), [(1, 30), (2, 60), (3, 120), (4, 240), (5, 240)])
def test_the_rest_after_a_decline_doubles_each_time(declines: int, rests_days: int) -> None:
    def code(days_ago: int) -> str | None:
        answers = [a_past_answer("card", Answer.DECLINED, days_ago)] * declines
        return code_of(
            a_situation(answers=tuple(answers)), an_offer(), Policy(offer_cap=99, family_cap=99, sales_cap=99)
        )

    assert code(rests_days - 1) == "cooling_off"
    assert code(rests_days + 1) is None


def test_an_acceptance_ends_the_row_of_declines() -> None:
    answers = [a_past_answer("card", answer, days) for answer, days in ((Answer.DECLINED, 90), (Answer.ACCEPTED, 80))]
    again = (*answers, a_past_answer("card", Answer.DECLINED, 40))
    assert code_of(a_situation(answers=again), an_offer(), Policy(offer_cap=99)) is None


def test_an_offer_and_its_family_are_not_heard_of_too_often() -> None:
    heard = [a_past_answer("card", Answer.LATER, days_ago=20), a_past_answer("card", Answer.LATER, days_ago=10)]
    assert code_of(a_situation(answers=tuple(heard)), an_offer()) == "offer_cap"
    catalogue = a_catalogue(an_offer("card", family="cards"), an_offer("gold", family="cards"), an_offer("loan"))
    situation = a_situation(answers=tuple(heard))
    assert permit(situation, catalogue, Policy(family_cap=2)).code(1) == "family_cap"
    assert allowed(situation, catalogue, Policy(family_cap=3)) == ["gold", "loan"]


def test_what_lies_on_another_live_contacts_table_counts_as_offered() -> None:
    situation = a_situation(offered_elsewhere=frozenset({"card"}))
    permission = permit(situation, a_catalogue(an_offer("card"), an_offer("loan")), Policy(sales_cap=2))
    assert (permission.code(0), permission.code(1), permission.sales_left) == ("offered_elsewhere", None, 1)


@pytest.mark.parametrize(
    ("acceptances", "code"), [((0, 9), None), ((0, 10), "sold_out"), ((2, 9), "sold_out_today"), ((1, 9), None)]
)
def test_a_limited_offer_runs_out(acceptances: tuple[int, int], code: str | None) -> None:
    assert code_of(a_situation(acceptances={"card": acceptances}), an_offer(total_cap=10, daily_cap=2)) == code


def test_an_unknown_attribute_is_named() -> None:
    permission = permit(a_situation(), a_catalogue(an_offer(eligibility="age >= 18")), Policy())
    assert permission.unknown == {0: "age"}
