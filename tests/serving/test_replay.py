"""Replay: what was decided yesterday is decided again from its record, whatever was changed since."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient

from recsys.domain.customer import Consents, Customer
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import save_bundle
from recsys.models.families import create_model
from serving.contacts.schemas import AnswerRequest, NewContactEvent, OpenContact
from serving.contacts.service import ContactService
from serving.decisions.replay import replay
from serving.wiring import Services

OFFERS = [
    {
        "offer_id": f"o{number}",
        "title": f"Offer {number}",
        "kind": "service" if number % 10 == 9 else "partner" if number % 7 == 3 else "product",
        "family": f"family{number % 6}",
        "margin": 40 + 7 * number,
        "risk_level": 1 + number % 3,
        "intents": ["moving", "travel"] if number % 4 == 0 else ["complaint"],
        "eligibility": f"age >= {18 + number} AND segment IN ('mass', 'private')" if number % 3 else None,
        "terms": {"limit": "age * 1000"},
        "term_bounds": {"limit": [20_000, 60_000]},
        "daily_cap": 3 if number % 5 == 0 else None,
    }
    for number in range(30)
]
CUSTOMERS = 40


def services_of(api: TestClient) -> Services:
    services: Services = api.app.state.services  # type: ignore[attr-defined]
    return services


@pytest.fixture
def bank(empty_api: TestClient) -> TestClient:
    """A service with rules, caps, bounds, consents and history, and the first of two models."""
    services = services_of(empty_api)
    rng = np.random.default_rng(5)
    with services.database.transaction() as log:
        log.set_attribute_types({"age": "number"})
        for number in range(CUSTOMERS):
            consents = Consents(*((True, True, False, None)[place] for place in rng.integers(4, size=3)))
            person = Customer(
                f"c{number}",
                segment=str(rng.choice(["mass", "private"])),
                risk_level=int(rng.integers(1, 4)),
                attributes={"age": float(rng.integers(18, 80))},
                consents=consents,
            )
            log.add_customer(person, services.clock())
    assert empty_api.post("/v1/offers", json={"offers": OFFERS}).status_code == 201
    assert empty_api.post("/v1/policy", json={"exploration_share": 0.3, "sales_cap": 60}).status_code == 201
    serve_a_model(services, "item_item", 1)
    return empty_api


def serve_a_model(services: Services, family: str, seed: int) -> str:
    """Train on made-up holdings, put the bundle where downloads are kept and in service; return its version."""
    rng = np.random.default_rng(seed)
    pairs = [(f"c{customer}", f"o{rng.integers(30)}") for customer in range(CUSTOMERS) for _ in range(4)]
    world = build_matrix([customer for customer, _ in pairs], [offer for _, offer in pairs])
    model = create_model(family, {"factors": 4} if family == "als" else {}).fit(world, rng=rng)
    version = save_bundle(services.settings.bundles / "new", model, world, rng).version
    (services.settings.bundles / "new").rename(services.settings.bundles / version)
    services.champion._serve(version)
    return version


def live_a_day(api: TestClient, contacts: int, seed: int) -> None:
    """Open contacts of many kinds; listen, answer and close most of them."""
    services, rng = services_of(api), np.random.default_rng(seed)
    desk = ContactService(services, api.app.state.live_hub)  # type: ignore[attr-defined]
    for number in range(contacts):
        opened = desk.open(a_contact(rng), "en")
        contact_id, decision = opened["contact"]["contact_id"], opened["decision"]
        if rng.random() < 0.5:
            heard = NewContactEvent(
                type="intent", intent=str(rng.choice(["moving", "family2", "travel"])), confidence=0.8
            )
            decision = desk.add_event(contact_id, heard, "zh")["decision"]
        for offer in decision["offers"][:1]:
            answer = rng.choice(["accepted", "declined", "later", "not_pitched"])
            said = AnswerRequest(decision_id=decision["decision_id"], offer_id=offer["offer_id"], answer=answer)
            desk.answer(said, f"{seed}-{number}")


def a_contact(rng: np.random.Generator) -> OpenContact:
    mood = None if rng.random() < 0.3 else round(float(rng.uniform(-1, 1)), 2)
    return OpenContact(
        customer_id=f"c{rng.integers(CUSTOMERS)}",
        channel=str(rng.choice(["phone", "app", "wechat"])),
        direction="outbound" if rng.random() < 0.1 else "inbound",
        agent_id=f"a{rng.integers(5)}",
        reason=str(rng.choice(["moving", "travel", "complaint", "other"])),
        sentiment=mood,
    )


def replayed(services: Services) -> tuple[int, list[Any]]:
    """Return how many decisions there are, and those that come out otherwise."""
    different, count = [], 0
    with services.database.read() as log:
        for text in log.decision_texts():
            basis = services.archive.basis_of(orjson.loads(text), log)
            result = replay(text, basis)
            count += 1
            if not result.is_identical:
                different.append(result)
    return count, different


def changed_everything(api: TestClient) -> None:
    """Promote another model, reprice and withdraw offers, tighten the policy, change what an attribute is."""
    serve_a_model(services_of(api), "als", 2)
    changed = [{**OFFERS[1], "margin": 5, "title": "Renamed"}, {**OFFERS[2], "eligibility": "age < 30"}]
    assert api.post("/v1/offers", json={"offers": changed}).status_code == 201
    assert api.post("/v1/policy", json={"sales_cap": 2, "relevance_weight": 2.0}).status_code == 201
    with services_of(api).database.transaction() as log:
        log.set_attribute_types({"age": "number", "new": "text"})


@pytest.mark.parametrize("contacts", [150, pytest.param(3_500, marks=pytest.mark.slow)])
def test_every_decision_is_made_again_to_the_last_byte(bank: TestClient, contacts: int) -> None:
    live_a_day(bank, contacts, seed=1)
    changed_everything(bank)
    live_a_day(bank, contacts, seed=2)
    count, different = replayed(services_of(bank))
    assert count >= 2 * contacts
    assert different == []


def test_a_record_that_was_tampered_with_does_not_replay(bank: TestClient) -> None:
    live_a_day(bank, 5, seed=3)
    services = services_of(bank)
    with services.database.read() as log:
        text = next(log.decision_texts())
        basis = services.archive.basis_of(orjson.loads(text), log)
    record = orjson.loads(text)
    record["inputs"]["contact"]["sentiment"] = -0.99
    result = replay(orjson.dumps(record).decode(), basis)
    assert not result.is_identical
    assert result.differences


def test_replay_and_explanation_over_http(bank: TestClient) -> None:
    opened = bank.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone", "agent_id": "a"}).json()
    changed_everything(bank)
    decision_id = opened["decision"]["decision_id"]
    answer = bank.post(f"/v1/decisions/{decision_id}/replay").json()
    assert (answer["identical"], answer["differences"]) == (True, [])
    explanation = bank.get(f"/v1/decisions/{decision_id}/explanation?lang=zh").json()
    assert explanation["not_tried"] is None
    assert any("第1位" in one["text"] for one in explanation["counterfactuals"])


def test_a_decision_whose_model_is_gone_says_so(bank: TestClient) -> None:
    opened = bank.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone", "agent_id": "a"}).json()
    version = opened["decision"]["model_version"]
    services = services_of(bank)
    gone = services.settings.bundles / version
    gone.rename(Path(f"{gone}.away"))
    answer = bank.post(f"/v1/decisions/{opened['decision']['decision_id']}/replay")
    assert answer.status_code == 409
    assert "model" in answer.json()["detail"]
