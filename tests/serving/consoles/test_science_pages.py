"""The science console over HTTP: every state of its pages, and the gates between a version and service."""

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.access import SESSION_COOKIE
from serving.consoles.science_view import signed
from serving.models import asking
from serving.models.service import ModelService
from serving.wiring import Services
from tests.serving.test_contacts import open_contact
from tests.serving.test_models import versions

__all__ = ["versions"]

HERE = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}


def services_of(api: TestClient) -> Services:
    services: Services = api.app.state.services  # type: ignore[attr-defined]
    return services


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def science(api: TestClient, versions: list[str]) -> TestClient:
    """A service with three registered versions, the third of which a gate refuses."""
    services_of(api).champion.wait()
    return api


def promote(api: TestClient, version: str, actor: str = "Ada") -> Any:
    return api.post(f"/science/models/{version}/promote", headers={**HERE, "nbo-actor": actor})


@pytest.mark.parametrize("path", ["", "/monitoring", "/monitoring/figures", "/decisions", "/controls"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_has_an_empty_state_in_both_languages(path: str, language: str, empty_api: TestClient) -> None:
    services_of(empty_api).champion.wait()
    page = empty_api.get(f"/science{path}?lang={language}")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_versions_stand_side_by_side_with_what_the_gates_say(science: TestClient, versions: list[str]) -> None:
    page = words(science.get("/science").text)
    assert all(version in page for version in versions)
    assert "1 refused Even across segments: HR@5 of young is 0.40 × everybody's" in page
    assert "The declared weights serve" in page


def test_a_promoted_version_is_pending_until_this_worker_serves_it(science: TestClient, versions: list[str]) -> None:
    services_of(science).champion.stop()
    page = promote(science, versions[0])
    assert page.status_code == 200
    assert "Promoted." in words(page.text)
    assert f"{versions[0]} is the champion; this worker still serves none" in words(page.text)
    assert 'hx-get="/science/versions"' in page.text
    services_of(science).champion.check()
    settled = science.get("/science/versions").text
    assert 'hx-get="/science/versions"' not in settled
    assert "In service" in settled


def test_a_refused_gate_keeps_a_version_out_and_is_told_with_its_figure(
    science: TestClient, versions: list[str]
) -> None:
    page = promote(science, versions[2])
    assert page.status_code == 409
    assert "Not promoted. The champion is as before." in words(page.text)
    assert "HR@5 of young is 0.40" in page.text
    assert science.get("/v1/models").json()["champion"] is None


def test_the_trainer_cannot_promote_their_own_version_and_the_dialog_says_so_before(
    science: TestClient, versions: list[str]
) -> None:
    page = science.get("/science", headers={"nbo-actor": "Linus"}).text
    assert "trained by Linus, approved by Linus" in page
    assert promote(science, versions[0], "Linus").status_code == 409


def test_only_an_approver_is_offered_a_promotion(science: TestClient) -> None:
    access = services_of(science).access
    offered = {}
    for name in ("sam", "ines"):
        session = access.session_of(access.sign_in(name, ""))
        page = science.get("/science", headers={"cookie": f"{SESSION_COOKIE}={session}"}).text
        offered[name] = "data-open=" in page
    assert offered == {"sam": False, "ines": True}


def test_rolling_back_returns_to_the_champion_before_and_history_names_who_approved(
    science: TestClient, versions: list[str]
) -> None:
    for version in versions[:2]:
        promote(science, version)
    page = science.post("/science/rollback", data={"kind": ""}, headers=HERE)
    assert "Rolled back." in words(page.text)
    assert science.get("/v1/models").json()["champion"] == versions[0]
    assert "approved by Ada" in words(page.text)
    assert f"after {versions[0]}" in words(page.text)


def test_without_an_earlier_champion_nothing_is_rolled_back(science: TestClient) -> None:
    page = science.post("/science/rollback", data={"kind": ""}, headers=HERE)
    assert page.status_code == 409
    assert "There is no earlier champion" in page.text


def test_a_promotion_from_another_site_is_refused(science: TestClient, versions: list[str]) -> None:
    refused = science.post(f"/science/models/{versions[0]}/promote", headers={"origin": "http://evil.example"})
    assert refused.status_code == 403
    assert science.get("/v1/models").json()["champion"] is None


def test_a_version_has_a_page_and_an_unknown_one_is_said_to_be_unknown(
    science: TestClient, versions: list[str]
) -> None:
    page = words(science.get(f"/science/models/{versions[2]}").text)
    assert "This version has no card" in page
    assert "Trained by Linus" in page
    assert science.get("/science/models/m-nowhere").status_code == 404
    assert science.get(f"/v1/models/{versions[0]}/plots/recall").status_code == 404


@pytest.fixture
def hanging(science: TestClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The same service, whose registry takes longer than anybody waits."""
    released = threading.Event()
    monkeypatch.setattr(asking, "WITHIN_SECONDS", 0.2)
    monkeypatch.setattr(ModelService, "_of", lambda *_: released.wait(10))
    monkeypatch.setattr(ModelService, "_kept", lambda *_: released.wait(10))
    yield science
    released.set()


def test_a_registry_that_hangs_is_said_to_be_away_and_keeps_no_page_waiting(hanging: TestClient) -> None:
    page = hanging.get("/science")
    assert page.status_code == 200
    assert "The registry cannot be reached." in page.text
    assert 'hx-get="/science/versions"' in page.text
    assert hanging.get("/science/models/m-1").status_code == 503
    answer = hanging.get("/v1/models")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:nbo:problem:registry-unavailable")
    began = time.monotonic()
    assert [hanging.get("/science").status_code for _ in range(8)] == [200] * 8
    assert time.monotonic() - began < 1.5
    assert hanging.get("/science/decisions").status_code == 200


def test_a_registry_that_fails_is_said_to_be_away(science: TestClient, tmp_path: Path) -> None:
    (tmp_path / "home" / "mlflow" / "mlflow.db").write_text("no database")
    assert "The registry cannot be reached." in science.get("/science").text


def test_decisions_are_found_by_customer_and_by_their_own_id(api: TestClient) -> None:
    mine, other = (open_contact(api, customer_id=name)["decision"]["decision_id"] for name in ("c1", "c2"))
    page = api.get("/science/decisions?q=c1").text
    assert mine in page
    assert other not in page
    found = api.get(f"/science/decisions?q={other}", follow_redirects=False)
    assert found.headers["location"] == f"/science/decisions/{other}"
    assert "Nothing has this id" in api.get("/science/decisions?q=<b>").text
    assert api.get("/science/decisions/d-nowhere").status_code == 404


def test_a_decision_is_told_with_contributions_that_add_up_to_its_log_odds(api: TestClient) -> None:
    decision = open_contact(api, customer_id="c1", reason="card_declined")["decision"]
    page = api.get(f"/science/decisions/{decision['decision_id']}").text
    total = sum(reason["contribution"] for reason in decision["offers"][0]["reasons"])
    assert f"Log-odds {signed(total, 2)} are a propensity" in page
    assert all(offer["title"] in page for offer in decision["offers"])
    assert decision["catalogue_version"] in page


def test_what_was_held_back_can_be_searched(api: TestClient) -> None:
    decision = open_contact(api, customer_id="c1")["decision"]
    held_back = decision["held_back"][0]
    base = f"/science/decisions/{decision['decision_id']}/held-back"
    assert held_back["text"] in api.get(f"{base}?q={held_back['title']}").text
    assert "No offer of that name is held back." in api.get(f"{base}?q=nothing-like-it").text


def test_a_replay_is_identical_to_the_last_byte(api: TestClient) -> None:
    decision_id = open_contact(api, customer_id="c1")["decision"]["decision_id"]
    address = f"/science/decisions/{decision_id}/replay"
    assert "Identical to the last byte" in api.post(address, headers=HERE).text
    assert "<html" not in api.post(address, headers={**HERE, "hx-request": "true"}).text
    assert api.post(address, headers={"origin": "http://evil.example"}).status_code == 403


def test_a_record_that_was_changed_is_found_out_with_the_place(api: TestClient, tmp_path: Path) -> None:
    decision_id = open_contact(api, customer_id="c1")["decision"]["decision_id"]
    with closing(sqlite3.connect(tmp_path / "home" / "nbo.db")) as log, log:
        changed = log.execute('UPDATE decisions SET record = replace(record, \'"en":"Card"\', \'"en":"Gift"\')')
        assert changed.rowcount == 1
    page = api.post(f"/science/decisions/{decision_id}/replay", headers=HERE).text
    assert "The replay differs" in page
    assert re.search(r"offers\[\d\]\.title\.en</td><td>Gift</td><td>Card</td>", page)


def test_a_decision_whose_model_is_gone_says_what_is_gone(api: TestClient, tmp_path: Path) -> None:
    decision_id = open_contact(api, customer_id="c1")["decision"]["decision_id"]
    with closing(sqlite3.connect(tmp_path / "home" / "nbo.db")) as log, log:
        log.execute('UPDATE decisions SET record = replace(record, \'"policy_version":"\', \'"policy_version":"x\')')
    page = api.post(f"/science/decisions/{decision_id}/replay", headers=HERE)
    assert page.status_code == 409
    assert "It cannot be made again" in page.text


def test_the_standing_controls_are_drafted_and_started_from_their_page(api: TestClient) -> None:
    assert "Not measured now" in api.get("/science/controls").text
    drafted = api.post("/science/controls", headers={**HERE, "nbo-actor": "mei"}).text
    assert "standing-controls is drafted" in drafted
    (campaign,) = api.get("/v1/campaigns").json()["campaigns"]
    started = api.post(f"/science/controls/{campaign['campaign_id']}/start", headers={**HERE, "nbo-actor": "li"})
    assert "standing-controls runs since" in started.text
    assert words(started.text).count("too early") == 5
    again = api.post(f"/science/controls/{campaign['campaign_id']}/start", headers=HERE)
    assert again.status_code == 409
