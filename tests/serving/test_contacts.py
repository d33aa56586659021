"""Contacts over HTTP: a contact's life, and what the next decision knows."""

from typing import Any

import pytest
from fastapi.testclient import TestClient


def open_contact(api: TestClient, **changes: Any) -> dict[str, Any]:
    answer = api.post("/v1/contacts", json={"customer_id": "张伟-1", "channel": "phone", "agent_id": "a1", **changes})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def close(api: TestClient, opened: dict[str, Any], **how: Any) -> None:
    assert api.post(f"/v1/contacts/{opened['contact']['contact_id']}/close", json=how).status_code == 200


def offered(decision: dict[str, Any]) -> list[str]:
    return [offer["offer_id"] for offer in decision["offers"]]


def held_back(decision: dict[str, Any]) -> dict[str, str]:
    return {one["offer_id"]: one["code"] for one in decision["held_back"]}


def answer(api: TestClient, decision: dict[str, Any], offer_id: str, said: str, key: str = "k1", **more: Any) -> Any:
    body = {"decision_id": decision["decision_id"], "offer_id": offer_id, "answer": said, **more}
    return api.post("/v1/outcomes", json=body, headers={"Idempotency-Key": key})


def test_an_unknown_customer_gets_a_decision_as_a_prospect(api: TestClient) -> None:
    opened = open_contact(api)
    assert opened["customer"]["kind"] == "prospect"
    assert len(offered(opened["decision"])) == 3


def test_a_channel_may_be_called_as_other_desktops_call_it(api: TestClient) -> None:
    called = {name: open_contact(api, channel=name)["contact"]["channel"] for name in ("WeChat", "web", "voice")}
    assert called == {"WeChat": "wechat", "web": "web_chat", "voice": "phone"}


def test_an_empty_catalogue_gives_no_offer(empty_api: TestClient) -> None:
    decision = open_contact(empty_api)["decision"]
    assert (decision["no_offer"], decision["offers"]) == (True, [])


def test_an_intent_changes_the_order_of_the_next_decision(api: TestClient) -> None:
    opened = open_contact(api)
    last = offered(opened["decision"])[-1]
    event = {"type": "intent", "intent": last, "confidence": 0.9}
    again = api.post(f"/v1/contacts/{opened['contact']['contact_id']}/events", json=event).json()
    assert offered(again)[0] == last


def test_an_accepted_offer_is_held_back_in_the_next_decision(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    assert answer(api, decision, "card", "accepted").status_code == 201
    assert held_back(open_contact(api)["decision"])["card"] == "already_holds"


def test_a_declined_offer_cools_off_on_every_channel(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    answer(api, decision, "card", "declined", reason="price")
    assert held_back(open_contact(api, channel="wechat")["decision"])["card"] == "cooling_off"


def test_an_answer_is_recorded_once_per_key(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    first, second = (answer(api, decision, "card", "later") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_the_same_key_with_another_body_is_refused(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    answer(api, decision, "card", "later")
    assert answer(api, decision, "card", "accepted").status_code == 422


def test_an_outcome_without_a_key_is_refused(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    body = {"decision_id": decision["decision_id"], "offer_id": "card", "answer": "later"}
    assert api.post("/v1/outcomes", json=body).status_code == 422


def test_an_unknown_offer_is_404_and_one_that_was_not_offered_409(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    other = next(iter(held_back(decision)))
    assert answer(api, decision, "nothing", "accepted").status_code == 404
    assert answer(api, decision, other, "accepted").json()["code"] == "not_offered"


def test_consent_withdrawn_during_the_contact_refuses_the_acceptance(api: TestClient) -> None:
    opened = open_contact(api)
    consent = {"purpose": "marketing", "granted": False}
    assert api.post("/v1/customers/张伟-1/consents", json=consent).status_code == 201
    refused = answer(api, opened["decision"], "card", "accepted")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_marketing_consent")


def test_a_customer_may_accept_what_they_first_put_off(api: TestClient) -> None:
    decision = open_contact(api)["decision"]
    answer(api, decision, "card", "later", key="k1")
    assert answer(api, decision, "card", "accepted", key="k2").status_code == 201


def test_a_waiting_contact_goes_to_the_quicker_agent(api: TestClient) -> None:
    contact_id = open_contact(api, agent_id=None)["contact"]["contact_id"]
    assert [one["contact"]["contact_id"] for one in api.get("/v1/contacts").json()] == [contact_id]
    assert api.post(f"/v1/contacts/{contact_id}/pickup", json={"agent_id": "a1"}).status_code == 200
    assert api.post(f"/v1/contacts/{contact_id}/pickup", json={"agent_id": "a2"}).status_code == 409
    assert api.get("/v1/contacts").json() == []


def test_a_hand_off_keeps_reason_intents_and_customer(api: TestClient) -> None:
    opened = open_contact(api, reason="fund")
    path = f"/v1/contacts/{opened['contact']['contact_id']}"
    handed = api.post(f"{path}/handoff", json={"agent_id": "a2", "channel": "wechat"}).json()
    assert (handed["contact"]["agent_id"], handed["contact"]["channel"]) == ("a2", "wechat")
    assert offered(handed["decision"])[0] == "fund"


def test_a_contact_that_continues_another_knows_its_reason(api: TestClient) -> None:
    first = open_contact(api, reason="fund")["contact"]["contact_id"]
    assert offered(open_contact(api, channel="app", continues=first)["decision"])[0] == "fund"
    other = api.post("/v1/contacts", json={"customer_id": "someone else", "channel": "app", "continues": first})
    assert other.status_code == 404


def test_a_closed_contact_takes_no_more_events(api: TestClient) -> None:
    opened = open_contact(api)
    path = f"/v1/contacts/{opened['contact']['contact_id']}"
    assert api.post(f"{path}/close", json={"csat": 5}).json()["contact"]["status"] == "closed"
    assert api.post(f"{path}/events", json={"type": "intent", "intent": "loan"}).status_code == 409


def test_a_complaint_puts_service_before_sales_until_it_is_closed_well(api: TestClient) -> None:
    opened = open_contact(api, reason="complaint")
    assert held_back(opened["decision"])["card"] == "complaint_open"
    assert held_back(open_contact(api)["decision"])["card"] == "complaint_open"
    api.post(f"/v1/contacts/{opened['contact']['contact_id']}/close", json={"csat": 5})
    assert "card" in offered(open_contact(api)["decision"])


def test_texts_follow_the_agents_language_and_the_talk_track_the_customers(api: TestClient) -> None:
    answer_in_chinese = api.post(
        "/v1/contacts", json={"customer_id": "c", "channel": "app"}, headers={"accept-language": "zh-CN,zh;q=0.9"}
    )
    titles = {offer["offer_id"]: offer["title"] for offer in answer_in_chinese.json()["decision"]["offers"]}
    assert titles["card"] == "信用卡"


def test_the_record_keeps_what_the_decision_was_made_from(api: TestClient) -> None:
    decision = open_contact(api, reason="loan", sentiment=-0.2)["decision"]
    record = api.get(f"/v1/decisions/{decision['decision_id']}").json()
    assert record["inputs"]["contact"]["sentiment"] == -0.2
    assert record["inputs"]["intents"] == [{"name": "loan", "confidence": 1.0}]
    assert record["catalogue_version"] == decision["catalogue_version"]


def test_a_catalogue_change_works_on_the_next_decision(api: TestClient) -> None:
    before = open_contact(api)["decision"]
    api.post("/v1/offers", json={"offer_id": "card", "title": "Card", "valid_to": "2020-01-01T00:00:00Z"})
    after = open_contact(api)["decision"]
    assert held_back(after)["card"] == "not_on_sale"
    assert before["catalogue_version"] != after["catalogue_version"]


def test_the_last_one_of_a_limited_offer_is_sold_once(api: TestClient) -> None:
    limited = {"offer_id": "card", "title_en": "Card", "family": "card", "total_cap": 1}
    assert api.post("/v1/offers", json=limited).status_code == 201
    first = open_contact(api, customer_id="c1", reason="card")["decision"]
    second = open_contact(api, customer_id="c2", reason="card")["decision"]
    assert answer(api, first, "card", "accepted", key="k1").status_code == 201
    assert answer(api, second, "card", "accepted", key="k2").json()["code"] == "sold_out"
    assert held_back(open_contact(api, customer_id="c3")["decision"])["card"] == "sold_out"


@pytest.mark.parametrize("agent_id", ["a1", "a2", None], ids=["same agent", "other agent", "nobody"])
def test_what_lies_on_the_table_of_another_open_contact_is_not_offered_twice(
    api: TestClient, agent_id: str | None
) -> None:
    first = open_contact(api, agent_id="a1")
    on_the_table = offered(first["decision"])
    second = open_contact(api, agent_id=agent_id, channel="app")
    assert {held_back(second["decision"])[one] for one in on_the_table} == {"offered_elsewhere"}
    close(api, first)
    note = {"type": "note", "text": "went on"}
    again = api.post(f"/v1/contacts/{second['contact']['contact_id']}/events", json=note).json()
    assert set(on_the_table) <= set(offered(again))


def test_what_must_be_said_is_said_in_the_customers_language(api: TestClient) -> None:
    both = {
        "offer_id": "loan",
        "title_en": "Loan",
        "family": "loan",
        "disclosure_en": "APR 9 %",
        "disclosure_zh": "年利率9%",
    }
    assert api.post("/v1/offers", json=both).status_code == 201
    for language, said in (("zh", "年利率9%"), ("en", "APR 9 %")):
        opened = api.post(
            "/v1/contacts",
            params={"lang": language},
            json={"customer_id": f"new-{language}", "channel": "phone", "reason": "loan"},
        )
        assert opened.json()["decision"]["offers"][0]["disclosure"] == said


def test_terms_stay_within_their_bounds(api: TestClient) -> None:
    bounded = {
        "offer_id": "loan",
        "title_en": "Loan",
        "family": "loan",
        "terms": {"limit": "held_count * 10"},
        "term_bounds": {"limit": [500, 900]},
    }
    assert api.post("/v1/offers", json=bounded).status_code == 201
    assert open_contact(api, reason="loan")["decision"]["offers"][0]["terms"] == {"limit": 500.0}


def test_a_table_is_remembered_however_many_contacts_follow(api: TestClient) -> None:
    on_the_table = offered(open_contact(api, agent_id="a1")["decision"])
    for _ in range(9):
        contact_id = open_contact(api, agent_id="a2")["contact"]["contact_id"]
        api.post(f"/v1/contacts/{contact_id}/close", json={})
    assert {held_back(open_contact(api, agent_id="a3")["decision"])[one] for one in on_the_table} == {
        "offered_elsewhere"
    }


def test_an_answer_stays_with_the_channel_it_was_given_on(api: TestClient) -> None:
    assert api.post("/v1/policy", json={"channel_cap": 1}).status_code == 201
    opened = open_contact(api)
    assert answer(api, opened["decision"], offered(opened["decision"])[0], "later").status_code == 201
    contact_id = opened["contact"]["contact_id"]
    moved = api.post(f"/v1/contacts/{contact_id}/handoff", json={"agent_id": "a1", "channel": "wechat"}).json()
    assert offered(moved["decision"])
    close(api, opened)
    assert held_back(open_contact(api)["decision"])["fund"] == "contact_cap"


@pytest.mark.parametrize(("word", "name"), [("Inbound", "inbound"), ("外呼", "outbound"), ("OUT", "outbound")])
def test_a_direction_is_known_by_its_words_over_http(api: TestClient, word: str, name: str) -> None:
    body = {"customer_id": "d1", "channel": "phone", "direction": word}
    assert api.post("/v1/contacts", json=body).json()["contact"]["direction"] == name
    assert api.post("/v1/contacts", json={**body, "direction": "sideways"}).status_code == 422
