"""Contacts of one customer side by side, whoever holds them: together they keep a cap; a retry makes nothing twice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from recsys.catalogue import build_catalogue, offer_to_dict
from recsys.domain.errors import ContactClosed, IdempotencyKeyReused, OfferNotAllowed
from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy
from recsys.rules import BUILT_IN
from recsys.storage.idempotency_log import IdempotentRequest
from serving.contacts import answering, situation
from serving.contacts.schemas import AnswerRequest, CloseContact, HandOff, NewContactEvent, OpenContact
from serving.contacts.service import ContactService
from serving.idempotency import Once
from tests.builders import NOW, an_offer
from tests.serving.permission_storm import MovingClock, Unheard, services_of

HOLDERS = {"a1": "phone", "a2": "phone", None: "phone", "": "app"}
"""Who may hold the second contact, and where: the same agent, another one, nobody yet, nobody at all."""
NOTE = NewContactEvent(type="note", text="went on")


class Centre:
    """A service with five offers of five families and no chance, over a clock that a test may move."""

    def __init__(self, url: str, folder: Path, **policy: Any) -> None:
        self.clock = MovingClock()
        self.services = services_of(url, folder, self.clock)
        self.contacts = ContactService(self.services, Unheard())
        self._keys = iter(range(10**9))
        self.set_policy(**policy)

    def set_policy(self, **policy: Any) -> None:
        offers = [an_offer(name, family=name, repeatable=True) for name in ("card", "loan", "fund", "home", "save")]
        catalogue = build_catalogue(offers, BUILT_IN)
        with self.services.database.transaction() as log:
            saved = [offer_to_dict(offer) for offer in catalogue.offers]
            log.save_catalogue(catalogue.version, saved, catalogue.rule_types, NOW)
            log.save_policy(Policy(exploration_share=0.0, **policy), NOW)

    def open(self, customer_id: str = "c1", agent_id: str | None = "a1", channel: str = "phone", **more: Any) -> Any:
        request = OpenContact(customer_id=customer_id, agent_id=agent_id or None, channel=channel, **more)
        return self.contacts.open(request, "en")

    def note(self, opened: Any) -> Any:
        return self.contacts.add_event(opened["contact"]["contact_id"], NOTE, "en")["decision"]

    def answer(self, decision: Any, offer_id: str, answer: Answer = Answer.ACCEPTED) -> None:
        request = AnswerRequest(decision_id=decision["decision_id"], offer_id=offer_id, answer=answer)
        self.contacts.answer(request, f"key-{next(self._keys)}")

    def sold(self) -> Counter[str]:
        """Return how many sales each customer accepted."""
        with self.services.database.read() as log:
            found = (log.outcomes_of(customer_id, 1000) for customer_id in log.customers_starting_with("", 10_000))
            return Counter(one.customer_id for outcomes in found for one in outcomes if one.answer is Answer.ACCEPTED)


@pytest.fixture
def centre(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Centre]]:
    """Returns a service with a policy, on each database."""
    opened: list[Centre] = []

    def open_centre(**policy: Any) -> Centre:
        opened.append(Centre(database_url, tmp_path, **policy))
        return opened[-1]

    yield open_centre
    for one in opened:
        one.services.database.close()


def titles(decision: Any) -> list[str]:
    return [offer["offer_id"] for offer in decision["offers"]]


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """Do all of it in threads that begin together; returns what each returned or raised."""
    barrier = threading.Barrier(len(work))

    def begin(one: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return one()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return [begun.result() for begun in [pool.submit(begin, one) for one in work]]


def sell_in_pairs(centre: Centre, pairs: int) -> Counter[str]:
    """Open two contacts of a customer at once and accept whatever their lists have at once, customer by customer."""
    holders = list(product(HOLDERS.items(), repeat=2))
    for number in range(pairs):
        both = holders[number % len(holders)]
        opened = at_once(*(partial(centre.open, f"c{number}", agent_id, channel) for agent_id, channel in both))

        def accept_all(contact: Any) -> None:
            for offer_id in titles(contact["decision"]):
                with suppress(OfferNotAllowed):
                    centre.answer(contact["decision"], offer_id)

        at_once(*(partial(accept_all, contact) for contact in opened))
    return centre.sold()


@pytest.mark.parametrize("pairs", [32, pytest.param(1_000, marks=pytest.mark.slow)])
def test_two_contacts_opened_and_answered_at_once_sell_as_much_as_one_may(
    centre: Callable[..., Centre], pairs: int
) -> None:
    sold = sell_in_pairs(centre(sales_cap=1), pairs)
    assert (len(sold), set(sold.values())) == (pairs, {1})


def test_the_pairs_find_lists_that_are_neither_reserved_nor_checked(
    centre: Callable[..., Centre], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(situation, "_offered_elsewhere", lambda *_: {})
    for check in ("check_is_allowed", "check_is_first"):
        monkeypatch.setattr(answering, check, lambda *_: None)
    assert max(sell_in_pairs(centre(sales_cap=1), 4).values()) > 1


@pytest.mark.parametrize(("agent_id", "channel"), HOLDERS.items())
def test_what_is_on_an_open_list_can_be_accepted_and_nothing_beside_it(
    centre: Callable[..., Centre], agent_id: str | None, channel: str
) -> None:
    bank = centre(sales_cap=2, list_length=2)
    first = bank.open()
    assert titles(bank.open(agent_id=agent_id, channel=channel)["decision"]) == []
    for offer_id in titles(first["decision"]):
        bank.answer(first["decision"], offer_id)
    assert bank.sold() == {"c1": 2}


def test_a_list_is_reserved_for_so_many_hours_after_it_was_made(centre: Callable[..., Centre]) -> None:
    bank = centre(sales_cap=1, elsewhere_hours=2)
    first = bank.open()
    bank.clock.move(timedelta(hours=1))
    again = bank.note(first)
    bank.clock.move(timedelta(hours=2) - timedelta(seconds=1))
    assert titles(bank.open()["decision"]) == []
    bank.clock.move(timedelta(seconds=2))
    late = bank.open()
    assert len(titles(late["decision"])) == 1
    with pytest.raises(OfferNotAllowed, match=r"offered_elsewhere|contact_cap"):
        bank.answer(again, titles(again)[0])
    bank.answer(late["decision"], titles(late["decision"])[0])
    assert bank.sold() == {"c1": 1}


def test_a_contact_that_closes_lets_go_of_its_list(centre: Callable[..., Centre]) -> None:
    bank = centre(sales_cap=1)
    first = bank.open()
    bank.contacts.close(first["contact"]["contact_id"], CloseContact(), "en")
    assert len(titles(bank.open()["decision"])) == 1
    with pytest.raises(ContactClosed):
        bank.answer(first["decision"], titles(first["decision"])[0])


def test_a_contact_that_goes_on_in_another_one_is_over(centre: Callable[..., Centre]) -> None:
    bank = centre(sales_cap=1)
    first = bank.open(reason="loan")
    second = bank.open(channel="app", continues=first["contact"]["contact_id"])
    assert titles(second["decision"]) == titles(first["decision"]) == ["loan"]
    earlier = bank.contacts.view(first["contact"]["contact_id"], "en")
    last = earlier["events"][-1]
    assert (last["type"], last["text"]) == ("continued", second["contact"]["contact_id"])
    with pytest.raises(ContactClosed):
        bank.answer(first["decision"], "loan")


def test_a_complaint_that_is_settled_where_it_went_on_stops_no_more_sales(centre: Callable[..., Centre]) -> None:
    bank = centre()
    first = bank.open(reason="complaint")
    second = bank.open(channel="app", continues=first["contact"]["contact_id"])
    bank.contacts.close(second["contact"]["contact_id"], CloseContact(csat=5), "en")
    assert titles(bank.open()["decision"])


def test_an_offer_is_accepted_once_through_all_decisions_that_did_not_know_of_it(
    centre: Callable[..., Centre],
) -> None:
    bank = centre()
    opened = bank.open(reason="card")
    again = bank.note(opened)
    bank.answer(opened["decision"], "card")
    with pytest.raises(OfferNotAllowed, match="already_accepted"):
        bank.answer(again, "card")
    bank.answer(bank.note(opened), "card")
    assert bank.sold() == {"c1": 2}


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"sales_cap": 1}, "contact_cap"),
        ({"channel_cap": 1}, "contact_cap"),
        ({"offer_cap": 1}, "offer_cap"),
        ({"family_cap": 1}, "family_cap"),
    ],
)
def test_an_acceptance_through_an_older_list_keeps_every_cap(
    centre: Callable[..., Centre], policy: dict[str, int], code: str
) -> None:
    bank = centre()
    opened = bank.open(reason="card")
    bank.answer(bank.note(opened), "card", Answer.DECLINED)
    bank.set_policy(**policy)
    with pytest.raises(OfferNotAllowed, match=code):
        bank.answer(opened["decision"], "card")


def test_a_refusal_of_what_was_offered_before_makes_room_on_other_lists(centre: Callable[..., Centre]) -> None:
    bank = centre(sales_cap=1)
    first = bank.open(reason="card")
    bank.clock.move(timedelta(hours=3))
    second = bank.open(reason="loan")
    assert titles(second["decision"]) == ["loan"]
    bank.answer(first["decision"], "card", Answer.DECLINED)
    remade = bank.contacts.view(second["contact"]["contact_id"], "en")["decision"]
    assert titles(remade) == []


def test_a_list_that_moves_to_another_channel_keeps_its_caps(centre: Callable[..., Centre]) -> None:
    bank = centre(channel_cap=1, sales_cap=6)
    bank.open(channel="phone")
    second = bank.open(channel="app")
    bank.contacts.hand_off(second["contact"]["contact_id"], HandOff(agent_id="a2", channel="phone"), "en")
    moved = bank.contacts.view(second["contact"]["contact_id"], "en")["decision"]
    assert titles(moved) == []


def test_requests_with_one_key_at_one_moment_open_one_contact(centre: Callable[..., Centre]) -> None:
    bank = centre()
    for number in range(10):
        request = OpenContact(customer_id=f"c{number}", channel="phone")
        named = IdempotentRequest("anna", "open", f"key-{number}", "digest")
        opened = at_once(*(partial(bank.contacts.open, request, "en", Once(named)) for _ in range(4)))
        assert len({one["contact"]["contact_id"] for one in opened}) == 1
    with bank.services.database.read() as log:
        assert log.counts()["contacts"] == log.counts()["decisions"] == 10


def test_one_key_for_two_customers_at_one_moment_opens_one_contact(centre: Callable[..., Centre]) -> None:
    bank = centre()
    for number in range(10):
        found = at_once(
            *(
                partial(
                    bank.contacts.open,
                    OpenContact(customer_id=f"{name}{number}", channel="phone"),
                    "en",
                    Once(IdempotentRequest("anna", "open", f"key-{number}", name)),
                )
                for name in "ab"
            )
        )
        assert [type(one) for one in found].count(IdempotencyKeyReused) == 1
    with bank.services.database.read() as log:
        assert log.counts()["contacts"] == 10


def test_a_request_that_fails_may_be_sent_again(centre: Callable[..., Centre]) -> None:
    bank = centre()
    opened = bank.open()
    named = IdempotentRequest("anna", "events", "key", "digest")
    bank.contacts.close(opened["contact"]["contact_id"], CloseContact(), "en")
    for _ in range(2):
        with pytest.raises(ContactClosed):
            bank.contacts.add_event(opened["contact"]["contact_id"], NOTE, "en", Once(named))
