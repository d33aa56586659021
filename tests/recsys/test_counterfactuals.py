"""What would have lifted an offer: every statement is tried out, and none bends a protection."""

from datetime import timedelta

import numpy as np
import pytest

from recsys.catalogue import Catalogue
from recsys.counterfactuals import Counterfactual, changed, counterfactuals
from recsys.domain.contact import Intent
from recsys.domain.customer import Consents
from recsys.domain.decision import Decision, Situation
from recsys.domain.offer import OfferKind
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.engine import decide
from tests.builders import NOW, FakeModel, a_catalogue, a_contact, a_customer, a_past_answer, a_situation, an_offer

POLICY = Policy(exploration_share=0.0)
SMALL = a_catalogue(
    an_offer("card", family="card"),
    an_offer("loan", family="loan", channels=frozenset({"branch"})),
    an_offer("home", family="mortgage", intents=frozenset({"moving"})),
    an_offer("trip", family="travel", kind=OfferKind.PARTNER),
    an_offer("fix", kind=OfferKind.SERVICE, intents=frozenset({"card_declined"})),
    an_offer("risky", family="fund", risk_level=5, margin=900.0),
)


def found(situation: Situation, catalogue: Catalogue = SMALL, model: FakeModel | None = None) -> list[Counterfactual]:
    def again(other: Situation) -> Decision:
        return decide(other, catalogue, model, POLICY)

    return counterfactuals(situation, again(situation), catalogue, POLICY, again)


def changes(situation: Situation, offer_id: str) -> list[tuple[str, str, int]]:
    return [(one.change.kind, one.change.value, one.position) for one in found(situation) if one.offer_id == offer_id]


def test_a_need_would_bring_its_offer_to_the_top() -> None:
    assert changes(a_situation(), "home") == [("asked_about", "mortgage", 1)]
    assert changes(a_situation(), "fix") == [("asked_about", "card_declined", 1)]


def test_consent_channel_and_a_settled_complaint_are_named() -> None:
    assert changes(a_situation(), "trip")[0][0] == "partner_consent"
    assert changes(a_situation(), "loan")[0][:2] == ("channel", "branch")
    complaining = a_situation(contact=a_contact(reason="complaint"))
    assert changes(complaining, "card")[0] == ("complaint_settled", "", 1)
    refuses = a_situation(customer=a_customer(consents=Consents(marketing=False)))
    assert changes(refuses, "card")[0] == ("marketing_consent", "", 1)


def test_a_resting_offer_names_the_moment_it_may_be_made_again() -> None:
    situation = a_situation(answers=(a_past_answer("card", Answer.DECLINED, days_ago=10),))
    moment = (NOW + timedelta(days=20)).isoformat()
    assert ("from", moment) in [change[:2] for change in changes(situation, "card")]


def test_no_protection_is_bent() -> None:
    assert changes(a_situation(customer=a_customer(risk_level=1)), "risky") == []
    assert found(a_situation(customer=a_customer(vulnerable=True))) == [
        one for one in found(a_situation(customer=a_customer(vulnerable=True))) if one.offer_id == "fix"
    ]


@pytest.mark.parametrize("situations", [60, pytest.param(1_000, marks=pytest.mark.slow)])
def test_every_counterfactual_run_again_does_what_it_says(situations: int) -> None:
    rng = np.random.default_rng(3)
    catalogue, checked = _a_random_catalogue(rng), 0
    for number in range(situations):
        model = FakeModel({offer.offer_id: float(rng.normal()) for offer in catalogue.offers})
        situation = _a_random_situation(number, rng)
        before = {offer.offer_id: offer.position for offer in decide(situation, catalogue, model, POLICY).offers}
        for one in found(situation, catalogue, model):
            after = {
                o.offer_id: o.position for o in decide(changed(situation, one.change), catalogue, model, POLICY).offers
            }
            assert after[one.offer_id] == one.position < before.get(one.offer_id, 99)
            checked += 1
    assert checked > situations


def _a_random_catalogue(rng: np.random.Generator) -> Catalogue:
    channels = [frozenset(), frozenset({"phone"}), frozenset({"branch", "app"})]
    kinds = [OfferKind.PRODUCT, OfferKind.PRODUCT, OfferKind.PARTNER, OfferKind.SERVICE]
    return a_catalogue(
        *(
            an_offer(
                f"o{number}",
                family=f"f{number % 5}",
                kind=kinds[int(rng.integers(4))],
                margin=float(rng.integers(20, 300)),
                channels=channels[int(rng.integers(3))],
                intents=frozenset({f"need{rng.integers(6)}"}),
            )
            for number in range(25)
        )
    )


def _a_random_situation(number: int, rng: np.random.Generator) -> Situation:
    answers = [
        a_past_answer(f"o{rng.integers(25)}", list(Answer)[int(rng.integers(4))], days_ago=float(rng.integers(1, 200)))
        for _ in range(int(rng.integers(4)))
    ]
    consents = Consents(*((True, False, None)[place] for place in rng.integers(3, size=3)))
    reason = str(rng.choice(["complaint", "need1", "other"]))
    return a_situation(
        customer=a_customer(consents=consents),
        contact=a_contact(contact_id=f"k{number}", reason=reason, sentiment=float(rng.uniform(-1, 1))),
        intents=(Intent(reason),),
        answers=tuple(sorted(answers, key=lambda past: past.answered_at)),
    )
