"""The card beside the offer editor, and the what-if below it, over HTTP."""

import pytest
from fastapi.testclient import TestClient

from tests.serving.consoles.catalogue_forms import LOAN, send, version, with_a_customer


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


def test_a_new_offer_without_id_and_title_is_not_scolded_yet(api: TestClient) -> None:
    with_a_customer(api)
    page = send(api, "preview", {**LOAN, "offer_id": "", "is_new": "true", "preview_customer": "c1"}).text
    assert "once the offer has an id and a title" in page
    refused = send(api, "review", {**LOAN, "offer_id": "", "title_en": "", "title_zh": "", "is_new": "true"})
    assert ">Id</a>: Is required" in refused.text
    assert ">Title, English</a>: Is required<" in refused.text
