"""Bad input: every answer is a 4xx problem document that echoes nothing, and nothing is saved."""

import time

import pytest
from fastapi.testclient import TestClient

OPEN = "/v1/contacts"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b'{"customer_id":', 400, "malformed-json"),
        (b'{"customer_id": "c", "channel": "phone", "sentiment": NaN}', 400, "malformed-json"),
        (b'{"customer_id": "c", "channel": "phone", "sentiment": 1e400}', 400, "malformed-json"),
        (b'{"customer_id": "\\ud800", "channel": "phone"}', 400, "malformed-json"),
        (b'{"customer_id": "\xff", "channel": "phone"}', 400, "malformed-json"),
        (b"[" * 900, 400, "malformed-json"),
        (b"[" * 900 + b"]" * 900, 400, "too-deep"),
        (b'{"customer_id": "a\\u0000b", "channel": "phone"}', 422, "nul-character"),
        (b"x" * 70_000, 413, "too-large"),
        (b"", 422, "invalid-request"),
        (b"[]", 422, "invalid-request"),
        (b'{"customer_id": "c", "channel": "fax"}', 422, "channel-unknown"),
        (b'{"customer_id": "", "channel": "phone"}', 422, "invalid-request"),
        (b'{"customer_id": "c", "channel": "phone", "sentiment": 2}', 422, "invalid-request"),
        (b'{"customer_id": "c", "channel": "phone", "<script>": 1}', 422, "invalid-request"),
    ],
)
def test_a_bad_body_is_a_problem_document(api: TestClient, body: bytes, status: int, name: str) -> None:
    answer = api.post(OPEN, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:nbo:problem:{name}")
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_of_the_input_is_echoed(api: TestClient) -> None:
    answer = api.post(OPEN, json={"customer_id": "c", "channel": "SECRET-1", "SECRET-2": "SECRET-3"})
    assert "SECRET" not in answer.text


def test_nothing_is_saved_of_a_refused_request(api: TestClient) -> None:
    api.post(OPEN, json={"customer_id": "new", "channel": "phone", "continues": "no-such-contact"})
    assert api.get("/v1/customers/new").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/contacts/none", 404),
        ("GET", "/v1/contacts/none/stream", 404),
        ("GET", "/v1/decisions/none", 404),
        ("GET", "/v1/customers/none", 404),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/offers", 405),
        ("POST", "/v1/customers/none/consents", 422),
    ],
)
def test_what_is_not_there_is_a_problem_document(api: TestClient, method: str, path: str, status: int) -> None:
    answer = api.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_offer_with_a_broken_rule_is_refused_with_its_place_and_nothing_is_saved(api: TestClient) -> None:
    before = api.get("/v1/offers").json()["catalogue_version"]
    good = {"offer_id": "new", "title": "New"}
    bad = {"offer_id": "worse", "title": "Worse", "eligibility": "segment = 'x'\nAND segmnt = 'y'"}
    refused = api.post("/v1/offers", json={"offers": [good, bad]})
    problem = refused.json()["problems"][0]
    assert refused.status_code == 422
    assert (problem["offer_id"], problem["field"], problem["line"], problem["column"]) == ("worse", "eligibility", 2, 5)
    assert api.get("/v1/offers").json()["catalogue_version"] == before


def test_a_rule_can_be_checked_without_saving_it(api: TestClient) -> None:
    assert api.post("/v1/offers/validate", json={"rule": "risk_level >= 3"}).json()["valid"]
    broken = api.post("/v1/offers/validate", json={"rule": "risk_level >= "}).json()
    assert not broken["valid"]
    assert broken["problems"][0]["line"] == 1


@pytest.mark.parametrize(
    ("rule", "line", "column"),
    [
        ("risk_level > 1\nAND risk > 2", 2, 5),
        ("segment > 3", 1, 11),
        ("__import__('os')", 1, 1),
        ("(" * 1_000 + "vulnerable" + ")" * 1_000, 1, 33),
        ("a" * 60_000, 1, 1),
    ],
    ids=["unknown name", "wrong type", "import", "depth", "long"],
)
def test_a_mistake_in_a_rule_is_answered_with_its_place_at_once(
    api: TestClient, rule: str, line: int, column: int
) -> None:
    began = time.perf_counter()
    answer = api.post("/v1/offers/validate", json={"rule": rule})
    took = time.perf_counter() - began
    problem = answer.json()["problems"][0]
    assert (answer.status_code, answer.json()["valid"], answer.json()["audience"]) == (200, False, None)
    assert (problem["field"], problem["line"], problem["column"]) == ("rule", line, column)
    assert took < 0.5


def test_a_rule_of_ten_megabytes_is_not_even_read(api: TestClient) -> None:
    assert api.post("/v1/offers/validate", json={"rule": "a" * 10_000_000}).status_code == 413


def test_a_checked_rule_comes_with_the_number_of_customers_it_is_true_for(api: TestClient) -> None:
    for number in range(3):
        assert api.post(OPEN, json={"customer_id": f"c{number}", "channel": "phone"}).status_code == 201

    def audience(body: dict[str, object]) -> object:
        return api.post("/v1/offers/validate", json=body).json()["audience"]

    assert audience({"rule": "NOT vulnerable AND held_count = 0"}) == 3
    assert audience({"rule": "risk_level > 3"}) == 0
    assert audience({"rule": "channel = 'phone' AND vulnerable"}) is None
    assert audience({"offer_id": "new", "title": "New"}) is None


def test_health_readiness_and_metrics_answer(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "alive"}
    deadline = time.monotonic() + 60
    while (status := api.get("/readyz").json()["status"]) != "ready" and time.monotonic() < deadline:
        time.sleep(0.05)  # the model registry is asked first
    assert status == "ready"
    assert "nbo_http_requests_total" in api.get("/metrics").text
