"""The catalogue over HTTP before it is saved: what would differ, how it would look, and what it would change."""

import subprocess
import sys
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.offers.sampling import change_interval, share_interval
from tests.serving.conftest import OFFERS

LOAN = OFFERS[1]


def with_customers(api: TestClient, count: int) -> None:
    """Open a contact with so many customers, half of whom consent to marketing."""
    for number in range(count):
        name = f"c{number:03}"
        contact = api.post("/v1/contacts", json={"customer_id": name, "channel": "phone"}).json()["contact"]
        api.post(f"/v1/contacts/{contact['contact_id']}/close", json={})
        consent = {"purpose": "marketing", "granted": number % 2 == 0}
        assert api.post(f"/v1/customers/{name}/consents", json=consent).status_code == 201


def shown(answer: Any, offer_id: str, side: str = "scenario") -> Any:
    return next(one for one in answer["scenarios"][0]["offers"] if one["offer_id"] == offer_id)[side]


def test_validating_an_offer_says_what_would_differ(api: TestClient) -> None:
    changed = {**LOAN, "margin": 80, "terms": {"rate": "3.5"}, "channels": ["phone"], "disclosure": ""}
    answer = api.post("/v1/offers/validate", json=changed).json()
    assert {one["field"]: (one["before"], one["after"]) for one in answer["differences"]} == {
        "margin": (None, 80),
        "terms.rate": (None, "3.5"),
        "channels": (None, ["phone"]),
        "disclosure_en": ("APR 9 %", None),
    }
    assert api.post("/v1/offers/validate", json=LOAN).json()["differences"] == []


def test_an_offer_that_somebody_else_changed_meanwhile_is_not_overwritten(api: TestClient) -> None:
    loaded = api.get("/v1/offers").json()["catalogue_version"]
    assert api.post("/v1/offers", json={**LOAN, "margin": 50}).status_code == 201
    refused = api.post("/v1/offers", params={"based_on": loaded}, json={**LOAN, "margin": 60})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:nbo:problem:offer-changed")
    other = api.post("/v1/offers", params={"based_on": loaded}, json={**OFFERS[0], "margin": 60})
    assert other.status_code == 201, "another offer did not change"
    assert {one["offer_id"]: one["margin"] for one in other.json()["offers"]}["loan"] == 50


def test_an_offer_that_was_created_meanwhile_is_not_overwritten(api: TestClient) -> None:
    loaded = api.get("/v1/offers").json()["catalogue_version"]
    assert api.post("/v1/offers", json={"offer_id": "new", "title": "Theirs"}).status_code == 201
    mine = {"offer_id": "new", "title": "Mine"}
    assert api.post("/v1/offers", params={"based_on": loaded}, json=mine).status_code == 409


def test_a_version_that_no_catalogue_has_is_refused(api: TestClient) -> None:
    for version, status in (("c-000000000000", 409), ("\0", 422), ("x" * 65, 422)):
        assert api.post("/v1/offers", params={"based_on": version}, json=LOAN).status_code == status


def test_a_preview_shows_the_card_with_the_terms_of_this_customer_and_records_nothing(api: TestClient) -> None:
    with_customers(api, 1)
    before = api.get("/v1/customers/c000").json()
    offer = {**LOAN, "terms": {"amount_cny": "CASE WHEN language IS NULL THEN 1000 ELSE 2000 END"}, "margin": 900}
    answer = api.post("/v1/offers/preview", json={"offer": offer, "customer_id": "c000"}).json()
    assert (answer["position"], answer["held_back"]) == (1, None)
    assert (answer["card"]["terms"], answer["card"]["disclosure"]) == ({"amount_cny": 1000}, "APR 9 %")
    assert answer["suggested"][0] == "Loan"
    assert answer["said"]["zh"]["title"] == "贷款"
    assert api.get("/v1/customers/c000").json() == before


def test_a_preview_of_an_offer_that_is_held_back_shows_the_card_and_says_why_not(api: TestClient) -> None:
    with_customers(api, 2)
    answer = api.post("/v1/offers/preview", json={"offer": {**LOAN, "margin": 900}, "customer_id": "c001"}).json()
    assert (answer["position"], answer["held_back"]["code"]) == (None, "no_marketing_consent")
    assert answer["card"]["title"] == "Loan"


def test_a_service_action_is_previewed_in_a_contact_that_calls_for_it(api: TestClient) -> None:
    with_customers(api, 1)
    asked = {"offer": OFFERS[4], "customer_id": "c000"}
    assert api.post("/v1/offers/preview", json=asked).json()["held_back"]["code"] == "not_called_for"
    assert api.post("/v1/offers/preview", json={**asked, "reason": "card_declined"}).json()["position"] == 1


def test_a_preview_needs_a_customer_who_is_there_and_an_offer_that_can_be_saved(api: TestClient) -> None:
    assert api.post("/v1/offers/preview", json={"offer": LOAN, "customer_id": "nobody"}).status_code == 404
    with_customers(api, 1)
    broken = api.post("/v1/offers/preview", json={"offer": {**LOAN, "eligibility": "age >"}, "customer_id": "c000"})
    assert (broken.status_code, broken.json()["problems"][0]["field"]) == (422, "eligibility")


def test_customers_are_found_by_how_their_id_starts(api: TestClient) -> None:
    with_customers(api, 12)
    found = api.get("/v1/customers", params={"starts_with": "c01"}).json()
    assert found == {"customer_ids": ["c010", "c011"]}
    assert len(api.get("/v1/customers", params={"limit": 5}).json()["customer_ids"]) == 5


def test_a_what_if_says_who_gains_and_what_starves_and_saves_nothing(api: TestClient) -> None:
    with_customers(api, 10)
    assert api.post("/v1/offers", json={**LOAN, "margin": 900}).status_code == 201
    version = api.get("/v1/offers").json()["catalogue_version"]
    answer = api.post("/v1/offers/what-if", json={"offers": [{"offer_id": "loan", "eligibility": "FALSE"}]}).json()
    assert answer["sample"] == {"customers": 10, "of": 10, "share": 1.0, "seed": 0}
    assert (shown(answer, "loan", "today")["shown"], shown(answer, "loan")["shown"]) == (5, 0)
    assert shown(answer, "loan", "today")["shown_share"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    everybody = answer["scenarios"][0]["everybody"]
    assert everybody["shares"]["list_changed"]["value"] == 0.5
    assert everybody["change"]["net_value_list"]["value"] < 0
    assert answer["catalogue_version"] == version == api.get("/v1/offers").json()["catalogue_version"]


def test_a_sample_says_its_share_and_how_far_its_shares_may_be_off(api: TestClient) -> None:
    with_customers(api, 20)
    change = {"offers": [{"offer_id": "loan", "eligibility": "FALSE"}]}
    first, again, other = (
        api.post("/v1/offers/what-if", params={"customers": 5, "seed": seed}, json=change).json() for seed in (1, 1, 2)
    )
    assert first["sample"] == {"customers": 5, "of": 20, "share": 0.25, "seed": 1}
    share = shown(first, "loan", "today")["shown_share"]
    assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1
    assert share["high"] - share["low"] > 0.3
    assert first["scenarios"] == again["scenarios"]
    assert other["sample"]["seed"] == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levers": {"laon": 2}}, "the nearest is 'loan'"),
        ({"offers": [{"offer_id": "loan", "eligibility": "age >"}]}, "eligibility"),
        ({"policy": {"arbitration": "random"}}, "cannot be simulated"),
        ({"offer": []}, "did you mean offers?"),
    ],
)
def test_a_change_that_cannot_be_tried_says_why(change: dict[str, Any], words: str, api: TestClient) -> None:
    answer = api.post("/v1/offers/what-if", json=change)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_more_customers_than_somebody_waits_for_are_refused(api: TestClient) -> None:
    assert api.post("/v1/offers/what-if", params={"customers": 20_001}, json={}).status_code == 422


def test_a_second_what_if_on_the_same_worker_is_asked_to_come_again(api: TestClient) -> None:
    api.post("/v1/offers/what-if", json={})
    turn: threading.Lock = api.app.state.what_if_turn  # type: ignore[attr-defined]
    with turn:
        refused = api.post("/v1/offers/what-if", json={})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert api.post("/v1/offers/what-if", json={}).status_code == 200


def test_the_interval_of_a_share_shrinks_with_the_part_that_was_drawn() -> None:
    few, most, everybody = (share_interval(0.2, 100, drawn) for drawn in (0.0, 0.9, 1.0))
    assert (round(few.low, 3), round(few.high, 3)) == (0.133, 0.289)
    assert few.low < most.low < most.value < most.high < few.high
    assert (everybody.low, everybody.high) == (0.2, 0.2)
    assert share_interval(0.0, 100, 0.0).high > 0.03, "none of a hundred is not none of everybody"


def test_the_interval_of_a_change_is_two_errors_wide_without_the_drawn_part() -> None:
    assert change_interval(1.0, 0.1, 0.0).low == pytest.approx(1 - 0.196, abs=1e-3)
    assert change_interval(1.0, 0.1, 0.75).low == pytest.approx(1 - 0.098, abs=1e-3)


def test_what_a_what_if_needs_is_not_imported_with_the_application() -> None:
    heavy = {"duckdb", "pandas", "sklearn", "pyarrow", "scipy.special", "threadpoolctl"}
    code = f"import sys, serving.app; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
