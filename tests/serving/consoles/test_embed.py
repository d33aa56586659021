"""The suggestions in a frame of the bank's own desktop: opened by a signed token, and by nothing else."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from recsys.domain.errors import EmbedTokenRefused
from serving.access import SESSION_COOKIE
from serving.app import create_app
from serving.contacts.embed_token import EmbedGrant, read, sign
from serving.secret_key import secret_key
from serving.settings import Settings
from serving.wiring import Services
from tests.serving.conftest import OFFERS
from tests.serving.consoles.test_pages import HERE, a_contact

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
CRM = "https://crm.bank.example"


@pytest.fixture
def embedding(tmp_path: Path, redis_url: str) -> Iterator[TestClient]:
    """A client of a service whose suggestions may stand in the frames of one desktop."""
    settings = Settings(home=tmp_path / "home", redis_url=redis_url, embed_ancestors=f"'self' {CRM}")
    with TestClient(create_app(settings), headers={"accept-language": "en"}) as client:
        assert client.post("/v1/offers", json={"offers": OFFERS}).status_code == 201
        yield client


@pytest.fixture
def opened(embedding: TestClient) -> Callable[..., tuple[str, str]]:
    """Open a contact and a token for it: `opened(**request)` → (contact id, token)."""

    def open_one(**request: object) -> tuple[str, str]:
        contact_id = a_contact(embedding)
        asked = {"agent_id": "li", **request}
        answer = embedding.post(f"/v1/contacts/{contact_id}/embed-token", json=asked)
        assert answer.status_code == 201, answer.text
        return contact_id, str(answer.json()["token"])

    return open_one


def decision_of(api: TestClient, contact_id: str) -> str:
    return str(api.get(f"/v1/contacts/{contact_id}").json()["decision"]["decision_id"])


def test_a_token_opens_the_cards_without_the_rest_of_the_console(
    embedding: TestClient, opened: Callable[..., tuple[str, str]]
) -> None:
    _, token = opened()
    page = embedding.get(f"/agent/embed?token={token}")
    assert page.status_code == 200
    assert 'class="offer panel' in page.text
    assert 'class="topbar"' not in page.text
    assert 'id="wrap-up"' not in page.text


def test_only_the_pages_for_frames_may_be_framed(embedding: TestClient, opened: Callable[..., tuple[str, str]]) -> None:
    contact_id, token = opened()
    for path in (f"/agent/embed?token={token}", f"/agent/embed/{token}/live", "/agent/embed?token=wrong"):
        policy = embedding.get(path).headers["content-security-policy"]
        assert policy.endswith(f"frame-ancestors 'self' {CRM}")
    for path in ("/agent", f"/agent/contacts/{contact_id}", "/agent/contacts/none", "/marketing/catalogue"):
        assert embedding.get(path).headers["content-security-policy"].endswith("frame-ancestors 'none'")


def test_no_site_may_frame_them_unless_it_is_named(api: TestClient) -> None:
    token = api.post(f"/v1/contacts/{a_contact(api)}/embed-token", json={"agent_id": "li"}).json()["token"]
    policy = api.get(f"/agent/embed?token={token}").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'none'")


def test_answers_exposures_and_questions_go_by_the_token(
    embedding: TestClient, opened: Callable[..., tuple[str, str]]
) -> None:
    contact_id, token = opened()
    made = {"decision_id": decision_of(embedding, contact_id), "offer_id": "card"}
    base = f"/agent/embed/{token}"
    seen = embedding.post(f"{base}/exposures", data={**made, "stage": "seen"}, headers=HERE)
    answered = embedding.post(f"{base}/answers", data={**made, "answer": "later"}, headers=HERE)
    assert (seen.status_code, answered.status_code) == (204, 200)
    assert f'action="{base}/answers"' in answered.text
    assert "Travel cover" in embedding.get(f"{base}/why-not?q=travel").text
    assert embedding.get(f"/v1/contacts/{contact_id}").json()["customer"]["answers"][0]["answer"] == "later"


def test_a_token_reaches_no_other_contact(embedding: TestClient, opened: Callable[..., tuple[str, str]]) -> None:
    _, token = opened()
    elsewhere, _ = opened()
    made = {"decision_id": decision_of(embedding, elsewhere), "offer_id": "card"}
    base = f"/agent/embed/{token}"
    assert embedding.post(f"{base}/exposures", data={**made, "stage": "seen"}, headers=HERE).status_code == 404
    assert embedding.post(f"{base}/answers", data={**made, "answer": "later"}, headers=HERE).status_code == 409
    assert embedding.get(f"/v1/contacts/{elsewhere}").json()["customer"]["answers"] == []


@pytest.mark.parametrize("path", ["/agent/embed?token={}", "/agent/embed/{}/live", "/agent/embed/{}/stream"])
def test_a_token_that_opens_nothing_is_said_as_a_page(
    path: str, embedding: TestClient, opened: Callable[..., tuple[str, str]]
) -> None:
    contact_id, token = opened()
    services: Services = embedding.app.state.services  # type: ignore[attr-defined]
    expired = sign(EmbedGrant(contact_id, "li", NOON), services.settings)
    for wrong in (token[:-2] + "xx", expired, contact_id):
        refused = embedding.get(path.format(wrong))
        assert refused.status_code == 403
        assert "These suggestions cannot be opened" in refused.text


def test_a_token_may_bring_its_language(embedding: TestClient, opened: Callable[..., tuple[str, str]]) -> None:
    _, token = opened(language="zh")
    assert "当前推荐" in embedding.get(f"/agent/embed?token={token}").text
    assert "当前推荐" in embedding.get(f"/agent/embed/{token}/live").text


def test_an_agent_gets_no_token_for_another_one(api: TestClient) -> None:
    contact_id = a_contact(api)
    access = api.app.state.services.access  # type: ignore[attr-defined]
    api.cookies.set(SESSION_COOKIE, access.session_of(access.sign_in("anna", "")))
    path = f"/v1/contacts/{contact_id}/embed-token"
    assert api.post(path, json={"agent_id": "anna"}).status_code == 201
    assert api.post(path, json={"agent_id": "bo"}).status_code == 403


def test_a_session_signs_nobody_in_to_a_frame_and_a_token_nobody_to_the_console(
    embedding: TestClient, opened: Callable[..., tuple[str, str]]
) -> None:
    _, token = opened()
    access = embedding.app.state.services.access  # type: ignore[attr-defined]
    session = access.session_of(access.sign_in("anna", ""))
    assert embedding.get(f"/agent/embed?token={session}").status_code == 403
    embedding.cookies.set(SESSION_COOKIE, token)
    assert embedding.get("/agent", follow_redirects=False).headers["location"] == "/sign-in?next=/agent"


@pytest.mark.parametrize("wrong", [{"minutes": 481}, {"minutes": 0}, {"agent_id": ""}, {"language": "fr"}])
def test_a_token_for_longer_than_a_shift_or_for_nobody_is_refused(wrong: dict[str, object], api: TestClient) -> None:
    asked = {"agent_id": "li", **wrong}
    assert api.post(f"/v1/contacts/{a_contact(api)}/embed-token", json=asked).status_code == 422


def test_there_is_no_token_for_a_contact_that_is_not_there(api: TestClient) -> None:
    assert api.post("/v1/contacts/nowhere/embed-token", json={"agent_id": "li"}).status_code == 404


def test_what_was_signed_is_read_until_its_time_is_over(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    grant = EmbedGrant("c-1", "li", NOON, "zh")
    token = sign(grant, settings)
    assert read(token, settings, NOON - timedelta(seconds=1)) == grant
    with pytest.raises(EmbedTokenRefused):
        read(token, settings, NOON)


def test_another_key_refuses_it(tmp_path: Path) -> None:
    token = sign(EmbedGrant("c-1", "li", NOON), Settings(home=tmp_path, secret_key="one"))
    with pytest.raises(EmbedTokenRefused):
        read(token, Settings(home=tmp_path, secret_key="another"), NOON - timedelta(hours=1))


def test_many_workers_that_start_together_agree_on_one_key_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(16) as workers:
        keys = list(workers.map(lambda _: secret_key(settings, "x"), range(64)))
    assert len(set(keys)) == 1
    assert os.stat(tmp_path / "secret.key").st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize(
    "sites",
    ["'none'", "'self'", "https://crm.bank.example", "'self' https://*.bank.example:8443", "http://localhost:9000"],
)
def test_sites_that_may_frame_are_taken_as_they_are(sites: str) -> None:
    assert Settings(embed_ancestors=sites).embed_ancestors == sites


@pytest.mark.parametrize("sites", ["*", "self", "http://crm.bank.example", "https://a.example; script-src *", "https:"])
def test_anything_else_is_refused_at_the_start(sites: str) -> None:
    with pytest.raises(ValidationError, match=r"https://crm\.bank\.example"):
        Settings(embed_ancestors=sites)
