"""What the agent's page tells of a card before any answer: seen and mentioned, in this contact only."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.wiring import Services
from tests.serving.consoles.test_pages import HERE, a_contact


def exposures(api: TestClient, decision_id: str) -> set[tuple[str, str]]:
    services: Services = api.app.state.services  # type: ignore[attr-defined]
    with services.database.read() as log:
        return set(log.exposures_of(decision_id))


def decision_of(api: TestClient, contact_id: str) -> str:
    return str(api.get(f"/v1/contacts/{contact_id}").json()["decision"]["decision_id"])


def tell(api: TestClient, contact_id: str, decision_id: str, **more: str) -> Any:
    form = {"decision_id": decision_id, "offer_id": "card", "stage": "seen", **more}
    return api.post(f"/agent/contacts/{contact_id}/exposures", data=form, headers=HERE)


def test_told_twice_it_is_recorded_once_and_deciding_records_nothing(api: TestClient) -> None:
    contact_id = a_contact(api)
    decision_id = decision_of(api, contact_id)
    assert exposures(api, decision_id) == set()
    assert [tell(api, contact_id, decision_id).status_code for _ in range(2)] == [204, 204]
    assert exposures(api, decision_id) == {("card", "seen")}


def test_a_decision_of_another_contact_is_not_found(api: TestClient) -> None:
    elsewhere = decision_of(api, a_contact(api))
    contact_id = a_contact(api)
    assert tell(api, contact_id, elsewhere).status_code == 404
    form = {"decision_id": elsewhere, "offer_id": "card", "answer": "later"}
    assert api.post(f"/agent/contacts/{contact_id}/answers", data=form, headers=HERE).status_code == 409
    assert exposures(api, elsewhere) == set()


@pytest.mark.parametrize("wrong", [{"stage": "answered"}, {"offer_id": ""}])
def test_a_stage_or_offer_that_cannot_be_is_refused(wrong: dict[str, str], api: TestClient) -> None:
    contact_id = a_contact(api)
    assert tell(api, contact_id, decision_of(api, contact_id), **wrong).status_code == 422


@pytest.mark.parametrize(
    ("answer", "told"),
    [("later", {("card", "pitched")}), ("declined", {("card", "pitched")}), ("not_pitched", set())],
)
def test_an_answer_tells_that_the_offer_was_pitched(answer: str, told: set[tuple[str, str]], api: TestClient) -> None:
    decision_id = decision_of(api, a_contact(api))
    outcome = {"decision_id": decision_id, "offer_id": "card", "answer": answer}
    assert api.post("/v1/outcomes", json=outcome, headers={"Idempotency-Key": "k"}).status_code == 201
    assert exposures(api, decision_id) == told


def test_a_mention_is_remembered_through_the_contact(api: TestClient) -> None:
    contact_id = a_contact(api)
    assert 'aria-pressed="true"' not in api.get(f"/agent/contacts/{contact_id}").text
    tell(api, contact_id, decision_of(api, contact_id), stage="pitched")
    api.post(f"/v1/contacts/{contact_id}/events", json={"type": "intent", "intent": "card"})
    assert api.get(f"/agent/contacts/{contact_id}").text.count('aria-pressed="true"') == 1
