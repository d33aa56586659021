"""An answer over HTTP is given once, to an open contact, and a must-say text is read first; retries double nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from recsys.domain.outcome import Answer
from recsys.domain.policy import Policy, parse_policy
from recsys.storage import schema
from tests.builders import NOW
from tests.serving.test_campaign_decisions import services_of
from tests.serving.test_campaign_results import PLAN
from tests.serving.test_contacts import answer, close, held_back, offered, open_contact

ANSWERS = [one.value for one in Answer]


@pytest.fixture
def later(api: TestClient) -> Callable[[float], None]:
    """Lets days pass."""

    def pass_days(days: float) -> None:
        now: datetime = services_of(api).clock() + timedelta(days=days)
        api.app.state.services = replace(services_of(api), clock=lambda: now)  # type: ignore[attr-defined]

    api.app.state.services = replace(services_of(api), clock=lambda: NOW)  # type: ignore[attr-defined]
    return pass_days


def counts(api: TestClient) -> dict[str, int]:
    with services_of(api).database.read() as log:
        found = log.counts()
    del found["idempotent_requests"]
    return found


@pytest.mark.parametrize(("first", "second"), [*permutations(ANSWERS, 2), *zip(ANSWERS, ANSWERS, strict=True)])
def test_an_offer_of_a_decision_is_answered_once_but_what_was_put_off_may_be_accepted(
    api: TestClient, first: str, second: str
) -> None:
    decision = open_contact(api)["decision"]
    given = answer(api, decision, "card", first, key="k1")
    before = counts(api)
    again = answer(api, decision, "card", second, key="k2")
    if (first, second) == ("later", "accepted"):
        assert again.status_code == 201
        third = answer(api, decision, "card", "accepted", key="k3")
        assert (third.status_code, third.json()["first"]) == (409, again.json())
    else:
        problem = again.json()
        assert (again.status_code, problem["type"]) == (409, "urn:nbo:problem:already-answered")
        assert problem["first"] == given.json()
        assert counts(api) == before


def test_five_refusals_of_one_offer_stop_no_other_sale(api: TestClient) -> None:
    opened = open_contact(api)
    for number in range(5):
        answer(api, opened["decision"], "card", "declined", key=f"k{number}")
    close(api, opened)
    assert len(offered(open_contact(api)["decision"])) > 1


@pytest.mark.parametrize(("days", "status"), [(13.9, 201), (14, 409)])
def test_what_was_put_off_may_be_accepted_for_some_days_also_after_the_contact(
    api: TestClient, later: Any, days: float, status: int
) -> None:
    opened = open_contact(api)
    answer(api, opened["decision"], "card", "later", key="k1")
    close(api, opened)
    later(days)
    assert answer(api, opened["decision"], "card", "accepted", key="k2").status_code == status


def test_putting_off_and_taking_up_is_one_conversation(api: TestClient, later: Any) -> None:
    assert api.post("/v1/policy", json={"sales_cap": 2, "offer_cap": 1}).status_code == 201
    opened = open_contact(api)
    answer(api, opened["decision"], "card", "later", key="k1")
    assert answer(api, opened["decision"], "card", "accepted", key="k2").status_code == 201
    close(api, opened)
    later(1)
    shown = open_contact(api)
    assert [one["answer"] for one in shown["customer"]["answers"]] == ["accepted"]
    assert len(offered(shown["decision"])) == 1


@pytest.mark.parametrize("said", ANSWERS)
def test_nothing_is_answered_after_the_contact_closed(api: TestClient, said: str) -> None:
    opened = open_contact(api)
    close(api, opened)
    before = counts(api)
    refused = answer(api, opened["decision"], "card", said)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:nbo:problem:contact-closed")
    assert counts(api) == before


def test_an_answer_sent_again_after_the_contact_closed_gets_its_receipt(api: TestClient) -> None:
    opened = open_contact(api)
    first = answer(api, opened["decision"], "card", "accepted")
    close(api, opened)
    again = answer(api, opened["decision"], "card", "accepted")
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_offer_is_accepted_when_its_must_say_text_was_read_out(api: TestClient, language: str) -> None:
    told = {"offer_id": "loan", "title_en": "Loan", "family": "loan", f"disclosure_{language}": "9 %"}
    assert api.post("/v1/offers", json=told).status_code == 201
    decision = open_contact(api)["decision"]
    refused = answer(api, decision, "loan", "accepted", key="k1")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:nbo:problem:disclosure-not-read")
    assert answer(api, decision, "loan", "accepted", key="k2", disclosure_read=True).status_code == 201


def test_a_must_say_text_that_left_the_catalogue_meanwhile_is_read_out_all_the_same(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    assert api.post("/v1/offers", json={"offer_id": "loan", "title_en": "Loan", "family": "loan"}).status_code == 201
    assert answer(api, decision, "loan", "accepted").json()["type"] == "urn:nbo:problem:disclosure-not-read"


def test_an_exposure_after_the_end_changes_nothing(api: TestClient) -> None:
    opened = open_contact(api)
    close(api, opened)
    before = counts(api)
    exposure = {"decision_id": opened["decision"]["decision_id"], "offer_id": "card", "stage": "seen"}
    assert api.post("/v1/exposures", json=exposure).status_code == 204
    assert counts(api) == before


CREATING: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "contact": ("/v1/contacts", {"customer_id": "new", "channel": "phone"}, {"customer_id": "new", "channel": "app"}),
    "event": ("/v1/contacts/{contact}/events", {"type": "note", "text": "a"}, {"type": "note", "text": "b"}),
    "pick-up": ("/v1/contacts/{waiting}/pickup", {"agent_id": "a1"}, {"agent_id": "a1", "note": "b"}),
    "hand-off": ("/v1/contacts/{contact}/handoff", {"agent_id": "a2"}, {"agent_id": "a3"}),
    "consent": (
        "/v1/customers/张伟-1/consents",
        {"purpose": "marketing", "granted": True},
        {"purpose": "marketing", "granted": False},
    ),
    "offers": ("/v1/offers", {"offer_id": "x", "title_en": "X"}, {"offer_id": "y", "title_en": "Y"}),
    "policy": ("/v1/policy", {"sales_cap": 4}, {"sales_cap": 5}),
    "campaign": ("/v1/campaigns", PLAN, {**PLAN, "name": "Other"}),
}
"""What makes rows → its address, a body, and another body."""


@pytest.fixture
def addresses(api: TestClient) -> dict[str, str]:
    contact, waiting = open_contact(api), open_contact(api, agent_id=None)
    return {"contact": contact["contact"]["contact_id"], "waiting": waiting["contact"]["contact_id"]}


def named(result: dict[str, Any]) -> Any:
    """Return what names the result of a request that creates."""
    ids = ("decision_id", "campaign_id", "catalogue_version", "policy_version", "customer_id", "contact")
    found = next(result[name] for name in ids if name in result)
    return found["contact_id"] if isinstance(found, dict) else found


@pytest.mark.parametrize("name", CREATING)
def test_a_request_that_is_sent_again_under_its_key_makes_nothing_twice(
    api: TestClient, addresses: dict[str, str], name: str
) -> None:
    path, body, other = CREATING[name]
    address, key = path.format(**addresses), {"Idempotency-Key": "k"}
    first = api.post(address, json=body, headers=key)
    before = counts(api)
    again = api.post(address, json=dict(reversed(body.items())), headers=key)
    assert (again.status_code, named(again.json())) == (200, named(first.json())), again.text
    assert api.post(address, json=other, headers=key).status_code == 422
    assert counts(api) == before
    assert api.post(address, json=body, headers={"Idempotency-Key": "k2"}).status_code == first.status_code


def test_a_policy_that_is_sent_again_late_does_not_come_back(api: TestClient) -> None:
    for sales_cap, key in ((4, "k1"), (5, "k2"), (4, "k1")):
        api.post("/v1/policy", json={"sales_cap": sales_cap}, headers={"Idempotency-Key": key})
    assert api.get("/v1/policy").json()["numbers"]["sales_cap"] == 5


def test_new_weights_that_are_sent_again_open_one_epoch(api: TestClient) -> None:
    campaign = api.post("/v1/campaigns", json=PLAN).json()["campaign_id"]
    for action in ("approve", "start"):
        assert api.post(f"/v1/campaigns/{campaign}/{action}").status_code == 200
    weights, key = {"weights": {"control": 3, "new": 1}}, {"Idempotency-Key": "k"}
    found = [api.patch(f"/v1/campaigns/{campaign}", json=weights, headers=key).json() for _ in range(2)]
    assert [len(one["epochs"]) for one in found] == [2, 2]


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"customer_id": "\\ud800", "channel": "phone"}', b"[" * 9000, b""])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_body_that_cannot_be_used_is_refused_under_a_key_too(api: TestClient, body: bytes, kind: str) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": kind}
    assert api.post("/v1/contacts", content=body, headers=headers).status_code in (400, 422)


def test_a_key_is_of_one_route(api: TestClient, addresses: dict[str, str]) -> None:
    for name in ("contact", "event", "consent", "offers", "policy"):
        path, body, _ = CREATING[name]
        made = api.post(path.format(**addresses), json=body, headers={"Idempotency-Key": "k"})
        assert made.status_code in (200, 201), name


@pytest.mark.parametrize("kind", ["declined", "holding", "cancelled"])
def test_what_an_import_dates_in_the_future_counts_from_then_on(api: TestClient, later: Any, kind: str) -> None:
    close(api, open_contact(api))
    event = {"customer_id": "张伟-1", "offer_id": "card", "weight": 1.0, "channel": "phone"}
    with services_of(api).database.transaction() as log:
        held = [{**event, "kind": "holding", "occurred_at": NOW - timedelta(days=9)}] if kind == "cancelled" else []
        rows = [*held, {**event, "kind": kind, "occurred_at": NOW + timedelta(days=1)}]
        log._connection.execute(insert(schema.interactions), rows)
    seen = []
    for days in (0, 1):
        later(days)
        opened = open_contact(api)
        close(api, opened)
        seen.append((held_back(opened["decision"]).get("card"), len(opened["customer"]["answers"])))
    holds = ("already_holds", 0)
    then = {"declined": ("cooling_off", 1), "holding": holds, "cancelled": (None, 0)}[kind]
    assert seen == [holds if kind == "cancelled" else (None, 0), then]


def test_the_days_to_take_up_an_offer_are_a_later_number_of_the_policy() -> None:
    assert Policy(later_accept_days=14).version == "p-10cb5a2841a6"
    assert parse_policy({"later_accept_days": 3}).version != Policy().version
