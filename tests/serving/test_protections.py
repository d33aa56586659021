"""Flags and consents over HTTP: who said what and why is kept, and the next decision knows it."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.domain.clock import system_clock
from recsys.domain.protection import DELIVERED_FLAGS, FLAGS, UNREADABLE, Purpose, Statement

CUSTOMER = "/v1/customers/c1"


@pytest.fixture
def known(api: TestClient) -> TestClient:
    """A service that knows the customer c1."""
    assert api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone"}).status_code == 201
    return api


def sales(api: TestClient) -> list[str]:
    """Return the sales that a new contact's decision offers."""
    opened = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone"}).json()
    assert api.post(f"/v1/contacts/{opened['contact']['contact_id']}/close", json={}).status_code == 200
    return [offer["offer_id"] for offer in opened["decision"]["offers"] if offer["offer_id"] != "fix"]


def ledger(api: TestClient) -> list[dict[str, Any]]:
    return list(api.get(f"{CUSTOMER}/protections").json()["statements"])


@pytest.mark.parametrize("flag", DELIVERED_FLAGS)
def test_a_flag_stops_the_next_decisions_sales_until_it_is_ended(flag: str, known: TestClient) -> None:
    assert sales(known)
    told = known.post(f"{CUSTOMER}/flags", json={"flag": flag, "value": True}, headers={"nbo-actor": "li"})
    assert (told.status_code, told.json()[flag], sales(known)) == (201, True, [])
    ended = known.post(f"{CUSTOMER}/flags", json={"flag": flag, "value": False, "why": " by letter "})
    assert (ended.status_code, ended.json()[flag]) == (201, False)
    assert sales(known)
    assert [(one["subject"], one["value"], one["why"], one["in_force"]) for one in ledger(known)] == [
        (flag, False, "by letter", True),
        (flag, True, None, False),
    ]
    assert [(one["actor"], one["source"]) for one in ledger(known)] == [("demo", "api"), ("li", "api")]


@pytest.mark.parametrize("subject", [UNREADABLE, f"{UNREADABLE}/consent_marketing"])
def test_a_protection_that_could_not_be_read_is_ended_with_a_reason_alone(subject: str, known: TestClient) -> None:
    with known.app.state.services.database.transaction() as log:  # type: ignore[attr-defined]
        log.add_statement("c1", Statement(subject, True, None, system_clock(), "customers.csv"))
    assert (known.get(CUSTOMER).json()[UNREADABLE], sales(known)) == (True, [])
    refused = known.post(f"{CUSTOMER}/flags", json={"flag": UNREADABLE, "value": False})
    assert (refused.status_code, sales(known)) == (422, [])
    assert "why" in refused.json()["errors"][0]["reason"]
    ended = known.post(f"{CUSTOMER}/flags", json={"flag": UNREADABLE, "value": False, "why": "looked up on paper"})
    assert (ended.status_code, ended.json()[UNREADABLE]) == (201, False)
    assert sales(known)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"flag": "no_calls", "value": True}, ", ".join(FLAGS)),
        ({"flag": "vulnerable", "value": "yes"}, "boolean"),
        ({"flag": "vulnerable", "value": 1}, "boolean"),
        ({"flag": "vulnerable", "value": None}, "boolean"),
        ({"flag": "vulnerable"}, "required"),
        ({"flag": "vulnerable", "value": False}, "why"),
        ({"flag": "vulnerable", "value": False, "why": "  "}, "why"),
        ({"flag": "vulnerable", "value": True, "why": "x" * 1001}, "1000"),
        ({"flag": UNREADABLE, "value": True, "why": "?"}, "only be ended"),
        ({"flag": "vulnerable", "value": True, "reason": "?"}, "not known"),
    ],
)
def test_a_flag_that_is_not_said_clearly_is_refused_and_nothing_is_kept(
    body: dict[str, Any], says: str, known: TestClient
) -> None:
    refused = known.post(f"{CUSTOMER}/flags", json=body)
    assert refused.status_code == 422
    assert says in refused.json()["errors"][0]["reason"]
    assert ledger(known) == []


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_consent_is_kept_with_who_said_it_and_why(purpose: str, known: TestClient) -> None:
    body = {"purpose": purpose, "granted": False, "why": "said so on the phone"}
    assert known.post(f"{CUSTOMER}/consents", json=body, headers={"nbo-actor": "wang"}).status_code == 201
    assert [(one["subject"], one["value"], one["actor"], one["why"]) for one in ledger(known)] == [
        (purpose, False, "wang", "said so on the phone")
    ]
    assert known.post(f"{CUSTOMER}/consents", json={**body, "granted": "no"}).status_code == 422


def test_the_ledger_of_nobody_is_not_found(api: TestClient) -> None:
    assert api.get("/v1/customers/none/protections").status_code == 404
    assert api.post("/v1/customers/none/flags", json={"flag": "vulnerable", "value": True}).status_code == 404


def test_the_command_shows_the_ledger_and_what_is_in_force(
    known: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from serving.cli.record_commands import show_customer

    known.post(f"{CUSTOMER}/flags", json={"flag": "vulnerable", "value": True, "why": "a carer calls"})
    known.post(f"{CUSTOMER}/flags", json={"flag": "vulnerable", "value": False, "why": "it was her brother"})
    known.post(f"{CUSTOMER}/flags", json={"flag": "do_not_contact", "value": True})
    settings = known.app.state.services.settings  # type: ignore[attr-defined]
    monkeypatch.setattr("serving.cli.record_commands.current_settings", lambda: settings)
    show_customer("c1")
    lines = capsys.readouterr().out.splitlines()
    assert "flags      do_not_contact" in lines
    ledger_lines = [line.split()[:3] for line in lines[lines.index("ledger     newest first; * in force") + 1 :]]
    assert ledger_lines == [
        ["*", "do_not_contact", "yes"],
        ["*", "vulnerable", "no"],
        ["vulnerable", "yes", "since"],
    ]
    assert any("a carer calls" in line for line in lines)
