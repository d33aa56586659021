"""Bad input: every answer is a 4xx problem document that echoes nothing, and nothing is saved."""

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
        (b'{"customer_id": "c", "channel": "fax"}', 422, "invalid-request"),
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


def test_health_readiness_and_metrics_answer(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "alive"}
    assert api.get("/readyz").json()["status"] == "ready"
    assert "nbo_http_requests_total" in api.get("/metrics").text
