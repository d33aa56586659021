"""The catalogue's list over HTTP, and what its pages refuse."""

from fastapi.testclient import TestClient

from tests.serving.conftest import OFFERS
from tests.serving.consoles.catalogue_forms import LIST, LOAN, reviewed, saved, send, titles, version


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


def test_a_new_offer_may_begin_like_another(api: TestClient) -> None:
    page = api.get(f"{LIST}/new", params={"like": "loan"}).text
    assert 'name="title_zh" type="text" value="贷款"' in page
    assert 'name="offer_id" type="text" value=""' in page
    assert api.get(f"{LIST}/new", params={"like": "nothing"}).status_code == 404


def test_a_write_from_another_site_is_refused(api: TestClient) -> None:
    form = {**LOAN, "margin": "80", "based_on": version(api)}
    token = reviewed(send(api, "review", form))
    refused = api.post(f"{LIST}/save", data={**form, "reviewed": token}, headers={"origin": "http://evil.example"})
    assert refused.status_code == 403
    assert saved(api, "loan")["margin"] is None


def test_an_unknown_offer_is_a_page_that_says_so(api: TestClient) -> None:
    assert api.get(f"{LIST}/nothing").status_code == 404
