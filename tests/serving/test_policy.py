"""The decision policy: shown, changed within bounds, and used by the very next decision."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from recsys.domain.errors import PolicyInvalid
from recsys.domain.policy import Policy, parse_policy
from tests.journeys.service import nbo


def test_a_changed_number_counts_in_the_next_decision(api: TestClient) -> None:
    contact = {"customer_id": "c1", "channel": "phone", "agent_id": "a"}
    assert len(api.post("/v1/contacts", json=contact).json()["decision"]["offers"]) == 3
    changed = api.post("/v1/policy", json={"list_length": 1}).json()
    decision = api.post("/v1/contacts", json=contact).json()["decision"]
    assert (len(decision["offers"]), decision["policy_version"]) == (1, changed["policy_version"])
    assert api.get("/v1/policy").json() == changed


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ({"sales_capp": 3}, "sales_capp"),
        ({"sales_cap": 2.5}, "sales_cap"),
        ({"sales_cap": -1}, "sales_cap"),
        ({"list_length": 0}, "list_length"),
        ({"exploration_share": 1.5}, "exploration_share"),
        ({"cost_per_second": "cheap"}, "cost_per_second"),
        ({"cost_per_second": True}, "cost_per_second"),
        ({"unasked_partner": 1}, "unasked_partner"),
        ({"default_margin": 1e300}, "default_margin"),
        ({"arbitration": "luck"}, "arbitration"),
        ({"arbitration": ["value"]}, "arbitration"),
        ({"holdout_share": 1.5}, "holdout_share"),
        ({"holdout_rotation_days": 0}, "holdout_rotation_days"),
    ],
)
def test_a_number_that_cannot_be_used_is_named(api: TestClient, numbers: dict[str, object], field: str) -> None:
    before = api.get("/v1/policy").json()
    answer = api.post("/v1/policy", json=numbers)
    assert (answer.status_code, field in answer.json()["detail"]) == (422, True)
    assert api.get("/v1/policy").json() == before


def test_a_policy_survives_json() -> None:
    policy = Policy(sales_cap=2, unasked_partner=True, relevance_weight=-0.5)
    assert (
        parse_policy(json.loads(json.dumps({"sales_cap": 2, "unasked_partner": True, "relevance_weight": -0.5})))
        == policy
    )
    with pytest.raises(PolicyInvalid):
        parse_policy({"relevance_weight": float("nan")})


# version → numbers, as the first policies were recorded
RECORDED: dict[str, dict[str, object]] = {"p-10cb5a2841a6": {}, "p-344019a1e2d1": {"sales_cap": 4}}


@pytest.mark.parametrize(("version", "numbers"), RECORDED.items())
def test_fields_that_came_later_leave_the_versions_of_policies_that_do_not_use_them(
    version: str, numbers: dict[str, object]
) -> None:
    defaults = {"arbitration": "value", "holdout_share": 0, "holdout_rotation_days": 90}
    assert parse_policy(numbers).version == parse_policy({**numbers, **defaults}).version == version


def test_every_later_field_counts_where_it_differs() -> None:
    others = [("arbitration", "random"), ("arbitration", "nothing"), ("holdout_share", 0.1)]
    policies = [parse_policy({name: value}) for name, value in (*others, ("holdout_rotation_days", 30))]
    assert len({policy.version for policy in policies} | {Policy().version}) == 5


def test_how_offers_are_arbitrated_is_chosen_by_name(api: TestClient) -> None:
    changed = api.post("/v1/policy", json={"arbitration": "nothing"}).json()
    assert changed["numbers"]["arbitration"] == "nothing"
    opened = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone", "agent_id": "a"}).json()
    assert opened["decision"]["offers"] == []


def test_the_command_line_shows_and_changes_it(tmp_path: Path) -> None:
    changed = json.loads(nbo(tmp_path, "policy", "change", "sales_cap=4", "arbitration=random", "--json").stdout)
    assert changed["changed"] == {"sales_cap": [6, 4], "arbitration": ["value", "random"]}
    shown = json.loads(nbo(tmp_path, "policy", "show", "--json").stdout)
    assert (shown["policy_version"], shown["numbers"]["sales_cap"]) == (changed["policy_version"], 4)
    refused = nbo(tmp_path, "policy", "change", "sales_cap=many", check=False)
    assert (refused.returncode, "sales_cap" in refused.stderr) == (1, True)
