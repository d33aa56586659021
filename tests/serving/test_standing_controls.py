"""The plan in docs/examples that always measures what each part of the decision is worth, used as it is documented."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.catalogue.offers_file import read_yaml
from recsys.domain.policy import ARBITRATIONS
from tests.architecture.modules import ROOT
from tests.serving.test_campaign_decisions import services_of
from tests.serving.test_contacts import held_back, offered, open_contact

ACTOR = {"nbo-actor": "li"}


def a_plan() -> Any:
    return read_yaml(ROOT / "docs" / "examples" / "standing-controls.yaml")


@pytest.fixture
def controlled(api: TestClient) -> TestClient:
    """A service in which the plan runs, its arms alike so that few customers come into all of them."""
    plan = a_plan()
    plan["arms"] = [{**arm, "weight": 1} for arm in plan["arms"]]
    campaign_id = api.post("/v1/campaigns", json=plan, headers={"nbo-actor": "mei"}).json()["campaign_id"]
    for action in ("approve", "start"):
        assert api.post(f"/v1/campaigns/{campaign_id}/{action}", headers=ACTOR).status_code == 200
    return api


def test_the_plan_is_accepted_as_it_is_with_an_arm_for_every_part() -> None:
    chosen = [arm.get("treatment", {}).get("policy", {}).get("arbitration", "value") for arm in a_plan()["arms"]]
    assert sorted(chosen) == sorted(ARBITRATIONS)


def test_it_can_be_drafted_approved_started_and_read(api: TestClient) -> None:
    drafted = api.post("/v1/campaigns", json=a_plan(), headers={"nbo-actor": "mei"})
    assert drafted.status_code == 201, drafted.text
    url = f"/v1/campaigns/{drafted.json()['campaign_id']}"
    started = [api.post(f"{url}/{action}", headers=ACTOR).json() for action in ("approve", "start")][-1]
    assert (started["status"], started["plan"].get("ends_at")) == ("running", None)
    assert api.get(f"{url}/results").status_code == 200


def test_every_arm_decides_in_its_way_keeps_service_and_replays(controlled: TestClient) -> None:
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for number in range(40):
        opened = open_contact(controlled, customer_id=f"u{number}", reason="card_declined")
        with services_of(controlled).database.read() as log:
            (unit,) = log.campaign_units(f"u{number}").values()
        by_arm.setdefault(unit.arm, []).append(opened["decision"])
    assert by_arm.keys() == {"as_decided", *ARBITRATIONS} - {"value"}
    assert all("fix" in offered(decision) for decisions in by_arm.values() for decision in decisions)
    assert all(offered(one) == ["fix", "card", "fund"] for one in by_arm["eligibility"])
    assert all(set(held_back(one).values()) == {"withheld"} for one in by_arm["nothing"])
    assert len({tuple(offered(one)) for one in by_arm["random"]}) > 1
    chances = {offer["selection_probability"] for one in by_arm["random"] for offer in one["offers"]}
    assert chances == {1.0, 0.25}
    for decisions in by_arm.values():
        answer = controlled.post(f"/v1/decisions/{decisions[0]['decision_id']}/replay").json()
        assert answer["identical"], answer["differences"]
