"""The pages over HTTP: safe headers, no inline code, writes from our own pages only, errors as pages."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving import consoles

TEMPLATES = sorted((Path(consoles.__file__).parent / "templates").glob("*.html"))
HERE = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}


def a_contact(api: TestClient, **more: object) -> str:
    opened = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone", **more})
    return str(opened.json()["contact"]["contact_id"])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_code_style_or_a_foreign_address(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", text)


@pytest.mark.parametrize("path", ["/agent", "/marketing", "/marketing/catalogue", "/science"])
def test_every_page_carries_the_strict_policy_and_is_not_stored(path: str, api: TestClient) -> None:
    page = api.get(path)
    assert page.status_code == 200
    assert "script-src 'self'; style-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_the_start_page_is_the_agents(api: TestClient) -> None:
    assert api.get("/", follow_redirects=False).headers["location"] == "/agent"


def test_a_language_chosen_by_address_is_kept(api: TestClient) -> None:
    assert "等待接入" in api.get("/agent?lang=zh").text
    assert "等待接入" in api.get("/agent").text


def test_a_waiting_contact_is_in_the_queue_until_it_is_picked_up(api: TestClient) -> None:
    contact_id = a_contact(api, reason="card_declined")
    assert f"/agent/contacts/{contact_id}/pick-up" in api.get("/agent").text
    taken = api.post(f"/agent/contacts/{contact_id}/pick-up", headers=HERE, follow_redirects=False)
    assert taken.headers["location"] == f"/agent/contacts/{contact_id}"
    assert "/pick-up" not in api.get("/agent").text


def test_a_contact_that_another_agent_took_leads_back_to_the_queue(api: TestClient) -> None:
    contact_id = a_contact(api, agent_id="somebody-else")
    taken = api.post(f"/agent/contacts/{contact_id}/pick-up", headers=HERE)
    assert "Another agent was faster" in taken.text


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_write_from_another_site_is_refused(headers: dict[str, str], api: TestClient) -> None:
    contact_id = a_contact(api)
    assert api.post(f"/agent/contacts/{contact_id}/pick-up", headers=headers).status_code == 403
    assert api.get(f"/v1/contacts/{contact_id}").json()["contact"]["status"] == "waiting"


def test_the_same_answer_sent_twice_is_recorded_once(api: TestClient) -> None:
    contact_id = a_contact(api)
    decision = api.get(f"/v1/contacts/{contact_id}").json()["decision"]
    form = {"decision_id": decision["decision_id"], "offer_id": "card", "answer": "declined", "reason": "price"}
    answers = [api.post(f"/agent/contacts/{contact_id}/answers", data=form, headers=HERE) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    known = api.get(f"/v1/contacts/{contact_id}").json()["customer"]["answers"]
    assert [(one["offer_id"], one["answer"]) for one in known] == [("card", "declined")]


def test_an_acceptance_without_the_must_say_text_is_not_recorded(api: TestClient) -> None:
    contact_id = a_contact(api)
    decision = api.get(f"/v1/contacts/{contact_id}").json()["decision"]
    form = {"decision_id": decision["decision_id"], "offer_id": "loan", "answer": "accepted"}
    assert api.post(f"/agent/contacts/{contact_id}/answers", data=form, headers=HERE).status_code == 422
    assert api.get(f"/v1/contacts/{contact_id}").json()["customer"]["answers"] == []


@pytest.mark.parametrize(
    ("second", "language", "said"),
    [
        ({"answer": "accepted"}, "en", "answered before (Declined)"),
        ({"answer": "later"}, "zh", "此前已记录“拒绝”"),
        ({"answer": "declined", "reason": "price"}, "zh", "此前已记录“拒绝”"),
    ],
)
def test_a_second_answer_is_refused_in_words(api: TestClient, second: dict[str, str], language: str, said: str) -> None:
    contact_id = a_contact(api)
    decision = api.get(f"/v1/contacts/{contact_id}").json()["decision"]
    form = {"decision_id": decision["decision_id"], "offer_id": "card", "answer": "declined"}
    address = f"/agent/contacts/{contact_id}/answers?lang={language}"
    assert api.post(address, data=form, headers=HERE).status_code == 200
    refused = api.post(address, data={**form, **second}, headers=HERE)
    assert (refused.status_code, said in refused.text) == (409, True)
    known = api.get(f"/v1/contacts/{contact_id}").json()["customer"]["answers"]
    assert [one["answer"] for one in known] == ["declined"]


@pytest.mark.parametrize(("language", "said"), [("en", "the contact is closed"), ("zh", "联系已结束，不能再记录作答")])
def test_an_answer_after_the_end_is_refused_in_words(api: TestClient, language: str, said: str) -> None:
    contact_id = a_contact(api)
    decision = api.get(f"/v1/contacts/{contact_id}").json()["decision"]
    assert api.post(f"/v1/contacts/{contact_id}/close", json={}).status_code == 200
    form = {"decision_id": decision["decision_id"], "offer_id": "card", "answer": "later"}
    refused = api.post(f"/agent/contacts/{contact_id}/answers?lang={language}", data=form, headers=HERE)
    assert (refused.status_code, said in refused.text) == (409, True)
    assert api.get(f"/v1/contacts/{contact_id}").json()["customer"]["answers"] == []


def test_a_contact_that_went_on_elsewhere_left_no_summary(api: TestClient) -> None:
    first = a_contact(api, agent_id="li")
    page = api.get(f"/agent/contacts/{a_contact(api, continues=first)}").text
    assert 'id="told"' not in page


def test_an_answer_to_an_offer_that_was_not_made_brings_the_present_list(api: TestClient) -> None:
    contact_id = a_contact(api)
    decision = api.get(f"/v1/contacts/{contact_id}").json()["decision"]
    form = {"decision_id": decision["decision_id"], "offer_id": "unheard-of", "answer": "declined"}
    refused = api.post(f"/agent/contacts/{contact_id}/answers", data=form, headers=HERE)
    assert refused.status_code == 409
    assert "no longer allowed" in refused.text


def test_what_is_not_there_is_said_as_a_page(api: TestClient) -> None:
    missing = api.get("/agent/contacts/nowhere", headers={"accept-language": "zh"})
    assert missing.status_code == 404
    assert "找不到此内容" in missing.text
    assert api.get("/agent/contacts/nowhere/stream").status_code == 404


def test_an_unusable_form_is_answered_as_a_page(api: TestClient) -> None:
    wrong = api.post(f"/agent/contacts/{a_contact(api)}/close", data={"csat": "9"}, headers=HERE)
    assert wrong.status_code == 422
    assert wrong.headers["content-type"].startswith("text/html")


def test_a_contact_handed_over_leaves_the_desk(api: TestClient) -> None:
    contact_id = a_contact(api)
    api.post(f"/agent/contacts/{contact_id}/pick-up", headers=HERE)
    done = api.post(f"/agent/contacts/{contact_id}/hand-over", data={"agent_id": "li"}, headers=HERE)
    assert "The contact was handed over." in done.text
    assert api.get(f"/v1/contacts/{contact_id}").json()["contact"]["agent_id"] == "li"


def test_what_was_left_for_the_next_agent_is_there(api: TestClient) -> None:
    first = a_contact(api, agent_id="li")
    api.post(f"/agent/contacts/{first}/close", data={"summary": "Wants to hear about rates."}, headers=HERE)
    second = a_contact(api, agent_id="wang")
    api.post(f"/agent/contacts/{second}/hand-over", data={"agent_id": "me", "note": "Asked twice."}, headers=HERE)
    page = api.get(f"/agent/contacts/{second}").text
    assert "Asked twice." in page
    assert "Wants to hear about rates." in page


def test_what_customers_write_is_shown_as_text(api: TestClient) -> None:
    contact_id = a_contact(api, reason="<img src=x onerror=alert(1)>")
    assert "<img" not in api.get(f"/agent/contacts/{contact_id}").text
