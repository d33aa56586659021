"""The catalogue's pages over HTTP: found, edited without losing anything, reviewed, saved, previewed and tried."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from recsys.catalogue import parse_offers
from recsys.domain.offer import Offer
from recsys.rules import BUILT_IN
from serving.consoles.offer_form import OfferForm
from tests.serving.conftest import OFFERS

HERE = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
LIST = "/marketing/catalogue"
LOAN = {
    "offer_id": "loan",
    "title_en": "Loan",
    "title_zh": "贷款",
    "kind": "product",
    "family": "loan",
    "risk_level": "1",
    "starting_propensity": "5",
    "handling_seconds": "0",
    "lever": "1",
    "disclosure_en": "APR 9 %",
}
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


def version(api: TestClient) -> str:
    return str(api.get("/v1/offers").json()["catalogue_version"])


def saved(api: TestClient, offer_id: str) -> Any:
    return next(one for one in api.get("/v1/offers").json()["offers"] if one["offer_id"] == offer_id)


def send(api: TestClient, step: str, form: dict[str, Any], **headers: str) -> Response:
    answer: Response = api.post(f"{LIST}/{step}", data=form, headers={**HERE, **headers}, follow_redirects=False)
    return answer


def reviewed(page: Response) -> str:
    found = re.search(r'name="reviewed" value="(\w+)"', page.text)
    assert found, page.text
    return found[1]


def changes(page: Response) -> list[tuple[str, str, str]]:
    found = re.findall(r'change-label">(.*?)</span>.*?<del>(.*?)</del>.*?<ins>(.*?)</ins>', page.text, re.DOTALL)
    return [(unescape(label), unescape(before), unescape(after)) for label, before, after in found]


def with_a_customer(api: TestClient) -> None:
    contact = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone"}).json()["contact"]
    api.post(f"/v1/contacts/{contact['contact_id']}/close", json={})


def titles(page: Response) -> list[str]:
    return re.findall(r'class="offer-link"[^>]*>(.*?)</a>', page.text)


def test_the_list_says_of_each_offer_whether_it_is_on_sale_and_where(api: TestClient) -> None:
    later = {"offer_id": "later", "title": "Later", "valid_from": "2099-01-01", "channels": ["app", "phone"]}
    ended = {"offer_id": "ended", "title": "Ended", "valid_to": "2020-01-01T00:00:00Z"}
    assert api.post("/v1/offers", json={"offers": [later, ended]}).status_code == 201
    page = api.get(LIST, params={"state": "not_yet"})
    assert titles(page) == ["Later"]
    assert "from 2099-01-01" in page.text
    assert "App, Phone" in page.text
    assert titles(api.get(LIST, params={"state": "ended"})) == ["Ended"]
    assert len(titles(api.get(LIST, params={"state": "on_sale"}))) == len(OFFERS)


def test_offers_are_found_by_words_kind_and_family(api: TestClient) -> None:
    assert titles(api.get(LIST, params={"q": "信用"})) == ["Card"]
    assert titles(api.get(LIST, params={"q": "CARD"})) == ["Card", "Card controls"]
    assert titles(api.get(LIST, params={"kind": "service"})) == ["Card controls"]
    assert titles(api.get(LIST, params={"family": "loan"})) == ["Loan"]
    assert "No offer fits" in api.get(LIST, params={"q": "nothing like it"}).text


def test_an_empty_catalogue_says_how_to_begin(empty_api: TestClient) -> None:
    page = empty_api.get(LIST).text
    assert "The catalogue is empty" in page
    assert f'href="{LIST}/new"' in page


def test_a_long_catalogue_comes_in_pages_that_keep_what_was_asked_for(api: TestClient) -> None:
    many = [{"offer_id": f"o{number:04}", "title": f"Offer {number}", "family": "many"} for number in range(1000)]
    assert api.post("/v1/offers", json={"offers": many}).status_code == 201
    page = api.get(LIST, params={"family": "many", "page": 2})
    assert titles(page)[0] == "Offer 50"
    assert len(titles(page)) == 50
    assert "Page 2 of 20" in page.text
    assert f"{LIST}?q=&amp;kind=&amp;family=many&amp;state=&amp;page=3" in page.text
    assert titles(api.get(LIST, params={"family": "many", "page": 99}))[-1] == "Offer 999"


def test_what_customers_answered_is_drawn_as_a_bar(api: TestClient) -> None:
    contact = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone"}).json()
    card = contact["decision"]["offers"][0]["offer_id"]
    body = {"decision_id": contact["decision"]["decision_id"], "offer_id": card, "answer": "accepted"}
    assert api.post("/v1/outcomes", json=body, headers={"Idempotency-Key": "k"}).status_code == 201
    assert '<rect class="bar-fill" width="100.0"' in api.get(LIST).text


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


def form_of(api: TestClient, offer_id: str) -> dict[str, str]:
    (offer,) = parse_offers([saved(api, offer_id)], BUILT_IN)
    return {**OfferForm.of_offer(offer, "").texts, "based_on": version(api)}


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


def test_a_new_offer_may_begin_like_another(api: TestClient) -> None:
    page = api.get(f"{LIST}/new", params={"like": "loan"}).text
    assert 'name="title_zh" type="text" value="贷款"' in page
    assert 'name="offer_id" type="text" value=""' in page
    assert api.get(f"{LIST}/new", params={"like": "nothing"}).status_code == 404


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


def test_the_preview_is_the_agents_card_without_answers_in_both_languages(api: TestClient) -> None:
    with_a_customer(api)
    form = {**LOAN, "title_en": "Brighter loan", "margin": "900", "preview_customer": "c1", "talk_track_en": "Say it."}
    card = send(api, "preview", form).text
    assert "Brighter loan</h3>" in card
    assert "APR 9 %" in card
    assert "贷款" in card
    assert "the other language stands in" in card
    assert 'name="answer"' not in card
    assert api.get("/v1/customers/c1").json()["answers"] == []


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"eligibility": "FALSE"}, "Held back: The customer does not meet the conditions"),
        ({"preview_customer": "nobody"}, "No customer has this id"),
        ({"preview_customer": ""}, "No customer has this id"),
        ({"margin": "x"}, "The preview waits for this to be mended"),
    ],
)
def test_the_preview_says_why_there_is_no_card_or_why_it_is_held_back(
    form: dict[str, str], words: str, api: TestClient
) -> None:
    with_a_customer(api)
    assert words in send(api, "preview", {**LOAN, "preview_customer": "c1", **form}).text


def test_a_broken_term_is_marked_in_its_row_while_it_is_typed(api: TestClient) -> None:
    with_a_customer(api)
    terms = {"term_name": ["a", "b"], "term_rule": ["1", "risk_lvel"], "term_low": ["", ""], "term_high": ["", ""]}
    page = send(api, "preview", {**LOAN, **terms, "preview_customer": "c1"}).text
    first, second = page.split('hx-swap-oob="innerHTML"')[1:]
    assert "Line 1" not in first
    assert "Line 1, column 1" in second


def test_the_what_if_answers_a_fragment_to_the_page_and_a_page_without_script(api: TestClient) -> None:
    with_a_customer(api)
    form = {**LOAN, "eligibility": "FALSE", "based_on": version(api)}
    fragment = send(api, "what-if", form, **{"hx-request": "true"}).text
    assert "100 % of customers would see another list." in fragment
    assert "All 1 customers, so there is no sampling error." in fragment
    assert "<html" not in fragment
    page = send(api, "what-if", form).text
    assert "of customers would see another list." in page
    assert "FALSE</textarea>" in page
    assert "Nobody would see another list." in send(api, "what-if", {**LOAN, "margin": ""}).text


def test_a_what_if_of_a_broken_offer_or_beside_another_one_says_so(api: TestClient) -> None:
    broken = send(api, "what-if", {**LOAN, "eligibility": "age >"}, **{"hx-request": "true"})
    assert broken.status_code == 422
    assert "Mend this first" in broken.text
    with api.app.state.what_if_turn:  # type: ignore[attr-defined]
        busy = send(api, "what-if", LOAN, **{"hx-request": "true"})
    assert busy.status_code == 503
    assert "Try again in 10 seconds" in busy.text


def test_a_write_from_another_site_is_refused(api: TestClient) -> None:
    form = {**LOAN, "margin": "80", "based_on": version(api)}
    token = reviewed(send(api, "review", form))
    refused = api.post(f"{LIST}/save", data={**form, "reviewed": token}, headers={"origin": "http://evil.example"})
    assert refused.status_code == 403
    assert saved(api, "loan")["margin"] is None


def test_an_unknown_offer_is_a_page_that_says_so(api: TestClient) -> None:
    assert api.get(f"{LIST}/nothing").status_code == 404


def test_the_form_keeps_midnight_as_the_day() -> None:
    offer = Offer("a", "A", "", valid_from=datetime(2026, 1, 31, tzinfo=UTC))
    assert OfferForm.of_offer(offer, "c-1").texts["valid_from"] == "2026-01-31T00:00"
