"""The offer editor over HTTP: nothing typed is lost, changes are said in words before they are saved."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.catalogue import parse_offers
from recsys.domain.offer import Offer
from recsys.rules import BUILT_IN
from serving.consoles.offer_form import OfferForm
from tests.serving.conftest import OFFERS
from tests.serving.consoles.catalogue_forms import LIST, LOAN, changes, reviewed, saved, send, version

RICH = {
    "offer_id": "rich/one",
    "title_en": "Rich",
    "title_zh": "富",
    "kind": "retention",
    "family": "f",
    "repeatable": True,
    "margin": 12.5,
    "handling_seconds": 30,
    "risk_level": 3,
    "channels": ["phone", "app"],
    "valid_from": "2026-01-31T09:00:00Z",
    "valid_to": "2099-02-01T00:00:30Z",
    "eligibility": "risk_level > 1\nAND segment = 'a'",
    "terms": {"rate": "CASE WHEN risk_level > 2\nTHEN 3 ELSE 4 END", "fee": "0"},
    "term_bounds": {"rate": [3.25, 4]},
    "starting_propensity": 0.07,
    "talk_track_en": "Say\nthis",
    "disclosure_zh": "必须",
    "intents": ["fees", "balance"],
    "lever": 0.5,
    "total_cap": 100,
    "daily_cap": 5,
}


def form_of(api: TestClient, offer_id: str) -> dict[str, str]:
    (offer,) = parse_offers([saved(api, offer_id)], BUILT_IN)
    return {**OfferForm.of_offer(offer, "").texts, "based_on": version(api)}


@pytest.mark.parametrize("offer", [RICH, OFFERS[0]], ids=["with every column", "with few columns"])
def test_an_offer_goes_through_its_form_unchanged(offer: dict[str, Any]) -> None:
    (before,) = parse_offers([offer], BUILT_IN)
    (after,) = parse_offers([OfferForm.of_offer(before, "c-1").row()], BUILT_IN)
    assert after == before


def test_line_ends_as_browsers_send_them_are_no_change(api: TestClient) -> None:
    assert api.post("/v1/offers", json=RICH).status_code == 201
    page = api.get(f"{LIST}/rich/one").text
    form: dict[str, Any] = {name: value.replace("\n", "\r\n") for name, value in form_of(api, "rich/one").items()}
    form |= {"channels": ["app", "phone"], "repeatable": "true", "term_name": ["rate", "fee"]}
    form |= {"term_rule": ["CASE WHEN risk_level > 2\r\nTHEN 3 ELSE 4 END", "0"]}
    form |= {"term_low": ["3.25", ""], "term_high": ["4", ""]}
    assert 'value="2099-02-01T00:00:30"' in page
    assert "Nothing differs" in send(api, "review", form).text


def test_a_change_is_said_in_words_before_it_is_saved_and_then_in_force(api: TestClient) -> None:
    form = {**LOAN, "based_on": version(api), "margin": "80", "channels": ["phone", "app"], "term_name": "limit_cny"}
    form |= {"term_rule": "5000", "term_low": "1000", "term_high": "9000", "starting_propensity": "7.5"}
    page = send(api, "review", form)
    assert changes(page) == [
        ("Margin per acceptance (¥)", "nothing", "¥80"),
        ("Channels", "nothing", "App, Phone"),
        ("Term: Limit cny", "nothing", "5000"),
        ("Starting propensity (%)", "5 %", "7.5 %"),
        ("Bounds of: Limit cny", "nothing", "1000 – 9000"),
    ]
    assert saved(api, "loan")["margin"] is None
    answer = send(api, "save", {**form, "reviewed": reviewed(page)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}/loan?saved=true")
    assert (saved(api, "loan")["margin"], saved(api, "loan")["term_bounds"]) == (80, {"limit_cny": [1000, 9000]})
    assert f"Catalogue {version(api)} is in force" in api.get(answer.headers["location"]).text


def test_what_was_typed_after_the_review_is_reviewed_first(api: TestClient) -> None:
    form = {**LOAN, "based_on": version(api), "margin": "80"}
    token = reviewed(send(api, "review", form))
    page = send(api, "save", {**form, "margin": "800", "reviewed": token})
    assert changes(page) == [("Margin per acceptance (¥)", "nothing", "¥800")]
    assert saved(api, "loan")["margin"] is None


def test_every_problem_stands_at_its_field_and_nothing_typed_is_lost(api: TestClient) -> None:
    typed = {"margin": "a lot", "eligibility": "risk_level >", "starting_propensity": "120", "valid_to": "soon"}
    typed |= {"talk_track_zh": "您好", "title_en": "<b>Loan</b>", "family": "x" * 300}
    terms = {
        "term_name": ["rate", "", "rate", "fee", "cap"],
        "term_rule": ["risk_lvel * 2", "1", "2", "3", "4"],
        "term_low": ["", "", "", "5", "1"],
        "term_high": ["", "", "", "", "0"],
    }
    page = send(api, "review", {**LOAN, **typed, **terms, "channels": "fax", "based_on": version(api)})
    assert page.status_code == 422
    for field in ("margin", "starting_propensity", "valid_to", "family", "channels"):
        assert f'id="{field}-problem"' in page.text, field
    for place, reason in enumerate(["Line 1, column 1", "Needs a name", "name of another", "both a low", "above the"]):
        slot = page.text.split(f'id="term-{place}-slot"')[1].split("</fieldset>")[0]
        assert reason in slot
    assert "Must lie between 0 and 100" in page.text
    assert "Line 1, column 13:" in page.text
    assert "<mark>risk_lvel</mark>" in page.text
    for value in ("a lot", "risk_level &gt;", "您好", "&lt;b&gt;Loan&lt;/b&gt;", "x" * 300, 'value="120"'):
        assert value in page.text


def test_problems_are_said_in_chinese_too(api: TestClient) -> None:
    page = send(api, "review", {**LOAN, "margin": "x", "eligibility": "segmnt = 'a'"}, **{"accept-language": "zh"})
    assert "应为数字" in page.text
    assert "没有这个名称" in page.text


def test_a_new_offer_is_reviewed_and_saved_but_not_over_one_that_is_there(api: TestClient) -> None:
    new = {**LOAN, "offer_id": "green loan/1", "title_en": "Green", "is_new": "true", "based_on": version(api)}
    page = send(api, "review", new)
    assert "Save this new offer?" in page.text
    answer = send(api, "save", {**new, "reviewed": reviewed(page)})
    assert api.get(answer.headers["location"]).status_code == 200
    assert saved(api, "green loan/1")["title_en"] == "Green"
    taken = send(api, "review", {**new, "offer_id": "loan"})
    assert taken.status_code == 422
    assert 'id="offer_id-problem"' in taken.text


def test_the_first_offer_of_all_is_saved(empty_api: TestClient) -> None:
    new = {**LOAN, "is_new": "true", "based_on": version(empty_api)}
    assert send(empty_api, "save", {**new, "reviewed": reviewed(send(empty_api, "review", new))}).status_code == 303


def test_an_offer_that_somebody_else_changed_is_shown_with_their_change_and_mine_kept(api: TestClient) -> None:
    form = {**LOAN, "based_on": version(api), "margin": "80"}
    token = reviewed(send(api, "review", form))
    assert api.post("/v1/offers", json={**OFFERS[1], "family": "credit"}).status_code == 201
    for step in ("review", "save"):
        page = send(api, step, {**form, "reviewed": token})
        assert page.status_code == 409
        assert changes(page) == [("Family", "loan", "credit")]
        assert 'value="80"' in page.text
    assert f'name="based_on" value="{version(api)}"' in page.text
    again = send(api, "review", {**form, "based_on": version(api)})
    assert [label for label, _, _ in changes(again)] == ["Family", "Margin per acceptance (¥)"]


def test_another_offer_that_changed_meanwhile_is_no_conflict(api: TestClient) -> None:
    form = {**LOAN, "based_on": version(api), "margin": "80"}
    assert api.post("/v1/offers", json={**OFFERS[0], "margin": 5}).status_code == 201
    assert send(api, "save", {**form, "reviewed": reviewed(send(api, "review", form))}).status_code == 303
    assert saved(api, "card")["margin"] == 5


def test_the_form_keeps_midnight_as_the_day() -> None:
    offer = Offer("a", "A", "", valid_from=datetime(2026, 1, 31, tzinfo=UTC))
    assert OfferForm.of_offer(offer, "c-1").texts["valid_from"] == "2026-01-31T00:00"


def test_a_character_that_no_database_takes_is_left_out(api: TestClient) -> None:
    form = {**LOAN, "title_en": "Lo\0an", "based_on": version(api) + "\0"}
    assert "Nothing differs" in send(api, "review", form).text
