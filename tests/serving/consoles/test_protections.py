"""What protects a customer on the agent's page: seen with who said it, set and ended with a reason, at once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, UNREADABLE, Purpose, Statement
from serving.consoles.protection_form import CHOICES

HERE = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)


def a_contact(api: TestClient, customer_id: str = "c1") -> str:
    opened = api.post("/v1/contacts", json={"customer_id": customer_id, "channel": "phone"}).json()
    return str(opened["contact"]["contact_id"])


def state(api: TestClient, statement: Statement, customer_id: str = "c1") -> None:
    with api.app.state.services.database.transaction(customer_id) as log:  # type: ignore[attr-defined]
        log.set_protection(customer_id, statement.subject.partition("/")[0], statement)


def unread(api: TestClient, why: str, row: str, customer_id: str = "c1") -> None:
    with api.app.state.services.database.transaction(customer_id) as log:  # type: ignore[attr-defined]
        said = Statement(f"{UNREADABLE}/{row}", True, None, LONG_AGO, "customers.csv", None, why)
        log.add_statement(customer_id, said)


def send(api: TestClient, contact_id: str, **form: Any) -> Any:
    return api.post(f"/agent/contacts/{contact_id}/protections", data=form, headers={**HERE, "nbo-actor": "anna"})


def decision(api: TestClient, contact_id: str) -> dict[str, Any]:
    view = api.get(f"/v1/contacts/{contact_id}").json()
    found: dict[str, Any] = view["decision"] | {"customer": view["customer"], "events": view["events"]}
    return found


@pytest.mark.parametrize("flag", DELIVERED_FLAGS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_flag_that_holds_is_shown_with_who_said_it_since_when_and_why(
    flag: str, language: str, api: TestClient
) -> None:
    contact_id = a_contact(api)
    state(api, Statement(flag, True, LONG_AGO, LONG_AGO, "api", "bo", "said so on the phone"))
    page = api.get(f"/agent/contacts/{contact_id}?lang={language}").text
    shown = page.partition(f'id="flag-{flag}"')[2].partition("</div>\n</div>")[0]
    assert FLAGS[flag].label[language == "zh"] in shown
    assert [one for one in ("2026-01-05", "bo", "said so on the phone") if one not in shown] == []


@pytest.mark.parametrize("flag", DELIVERED_FLAGS)
def test_a_flag_that_an_agent_sets_takes_every_sale_off_the_list_at_once_and_ending_it_brings_them_back(
    flag: str, api: TestClient
) -> None:
    contact_id = a_contact(api)
    before = decision(api, contact_id)
    assert before["offers"]
    assert send(api, contact_id, statement=f"{flag} true", why="told me so").status_code == 200
    during = decision(api, contact_id)
    assert during["customer"][flag] is True
    assert [one for one in during["offers"] if one["kind"] != "service"] == []
    assert during["sequence"] > before["sequence"]
    assert during["events"][-1]["type"] == "protection"
    assert send(api, contact_id, statement=f"{flag} false", why="took it back").status_code == 200
    assert [one["offer_id"] for one in decision(api, contact_id)["offers"]] == [
        one["offer_id"] for one in before["offers"]
    ]


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("value", [True, False])
def test_a_consent_is_given_and_refused_with_who_and_why_in_the_ledger(
    purpose: Purpose, value: bool, api: TestClient
) -> None:
    contact_id = a_contact(api)
    assert send(api, contact_id, statement=f"{purpose} {str(value).lower()}", why="asked").status_code == 200
    assert decision(api, contact_id)["customer"]["consents"][purpose] is value
    with api.app.state.services.database.read() as log:  # type: ignore[attr-defined]
        said = log.statements("c1")[-1]
    assert (said.subject, said.value, said.actor, said.why, said.source) == (purpose, value, "anna", "asked", "agent")
    assert said.as_of is not None


def test_what_one_agent_sets_is_decided_anew_in_every_open_contact_of_the_customer(api: TestClient) -> None:
    first, second, others = a_contact(api), a_contact(api), a_contact(api, "c2")
    untouched = decision(api, others)["decision_id"]
    assert decision(api, second)["offers"]
    send(api, first, statement="do_not_contact true", why="asked")
    assert [one for one in decision(api, second)["offers"] if one["kind"] != "service"] == []
    assert decision(api, others)["decision_id"] == untouched


def test_what_could_not_be_read_stands_first_with_each_reason_and_its_source(api: TestClient) -> None:
    contact_id = a_contact(api)
    unread(api, "consent_marketing: “mabye”", "1")
    unread(api, "arrears: “??”", "2")
    page = api.get(f"/agent/contacts/{contact_id}").text
    shown = page.partition('id="flag-protection_unreadable"')[2].partition("</div>\n</div>")[0]
    assert [one for one in ("mabye", "??", "customers.csv", 'data-open="checked"') if one not in shown] == []


@pytest.mark.parametrize("holds", [(), *((subject,) for subject, _ in CHOICES), tuple(one for one, _ in CHOICES)])
def test_a_check_ends_whatever_was_unreadable_and_sets_what_was_found(holds: tuple[str, ...], api: TestClient) -> None:
    contact_id = a_contact(api)
    unread(api, "one", "1")
    unread(api, "two", "2")
    api.post(f"/v1/contacts/{contact_id}/events", json={"type": "note", "text": "decide"})
    assert decision(api, contact_id)["customer"][UNREADABLE] is True
    found = "something" if holds else "nothing"
    assert send(api, contact_id, found=found, holds=list(holds), why="looked it up").status_code == 200
    after = decision(api, contact_id)
    assert after["customer"][UNREADABLE] is False
    assert {name for name in DELIVERED_FLAGS if after["customer"][name]} == set(holds) & set(DELIVERED_FLAGS)
    assert {name for name, value in after["customer"]["consents"].items() if value is False} == set(holds) & {*Purpose}
    assert any(one["kind"] != "service" for one in after["offers"]) is not bool(
        {*DELIVERED_FLAGS, "marketing"} & {*holds}
    )


@pytest.mark.parametrize(
    "form",
    [
        {"statement": "do_not_contact true"},
        {"statement": "do_not_contact true", "why": "  "},
        {"statement": "do_not_contact true", "why": "​　"},
        {"statement": "do_not_contact true", "why": "x" * 501},
        {"statement": "do_not_contact", "why": "x"},
        {"statement": "do_not_contact maybe", "why": "x"},
        {"statement": f"{UNREADABLE} false", "why": "x"},
        {"statement": "nothing true", "why": "x"},
        {"statement": "", "why": "x"},
        {"found": "something", "why": "x"},
        {"found": "nothing", "holds": ["arrears"], "why": "x"},
        {"found": "something", "holds": ["nonsense"], "why": "x"},
        {"found": "nothing", "why": ""},
        {"found": "maybe", "why": "x"},
    ],
)
def test_a_form_without_a_choice_or_a_reason_changes_nothing_and_says_what_is_missing(
    form: dict[str, Any], api: TestClient
) -> None:
    contact_id = a_contact(api)
    before = decision(api, contact_id)["decision_id"]
    answer = send(api, contact_id, **form)
    assert answer.status_code == 422
    assert "notice-bad" in answer.text
    assert decision(api, contact_id)["decision_id"] == before
    with api.app.state.services.database.read() as log:  # type: ignore[attr-defined]
        assert log.statements("c1") == ()
