"""/v1/offers: a rule is checked while it is written, with its audience, samples of it, and the names it may use."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.builders import NOW, a_customer

URL = "/v1/offers/validate"


@pytest.fixture
def bank(api: TestClient) -> TestClient:
    """The service with five customers aged 20 to 60."""
    services = api.app.state.services  # type: ignore[attr-defined]
    with services.database.transaction() as log:
        log.set_attribute_types({"age": "number"})
        for age in range(20, 70, 10):
            log.add_customer(a_customer(customer_id=f"p{age}", name=f"Li {age}", attributes={"age": age}), NOW)
    return api


def checked(api: TestClient, rule: str, **more: object) -> Any:
    return api.post(URL, json={"rule": rule, **more}).json()


def test_a_valid_rule_says_whom_it_is_true_for_and_why(bank: TestClient) -> None:
    found = checked(bank, "age >= 40 AND NOT vulnerable")
    assert (found["valid"], found["audience"], found["customers"]) == (True, 3, 5)
    assert found["samples"][0] == {"customer_id": "p40", "name": "Li 40", "facts": {"age": 40, "vulnerable": False}}
    assert len(checked(bank, "age > 0")["samples"]) == 3


def test_a_broken_rule_says_where(bank: TestClient) -> None:
    (problem,) = checked(bank, "age >= 40\nAND agee < 3")["problems"]
    assert (problem["line"], problem["column"]) == (2, 5)
    assert problem["reason"].endswith("the nearest is age")


def test_a_rule_about_the_customer_may_not_ask_about_the_contact(bank: TestClient) -> None:
    anything, customer = checked(bank, "channel = 'phone'"), checked(bank, "channel = 'phone'", about="customer")
    assert (anything["valid"], anything["audience"], anything["samples"]) == (True, None, None)
    assert (customer["valid"], customer["problems"][0]["column"]) == (False, 1)


def test_the_names_a_rule_may_use_are_listed_with_their_types(bank: TestClient) -> None:
    names = {one["name"]: (one["type"], one["about"]) for one in bank.get("/v1/offers/rule-names").json()["names"]}
    assert (names["age"], names["channel"]) == (("number", "customer"), ("text", "contact"))
    assert list(names) == sorted(names)
