"""The vocabulary's pages over HTTP: what ships and what is the bank's own, words nobody knows, changes by approvers."""

import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from recsys.domain.channel import CHANNELS
from recsys.domain.contact import Contact
from recsys.domain.customer import Customer
from recsys.domain.vocabulary import NEEDS
from serving.consoles.vocabulary_form import FORMS

HERE = {"origin": "http://testserver", "sec-fetch-site": "same-origin", "nbo-actor": "appro"}
PAGE = "/marketing/vocabulary"
THEN = datetime(2026, 1, 5, tzinfo=UTC)


def unknown(api: TestClient, part: str, word: str, times: int = 3) -> None:
    with api.app.state.services.database.transaction() as log:  # type: ignore[attr-defined]
        log.note_unknown_words({(part, word): times}, THEN)


def own(api: TestClient) -> Any:
    return api.get("/v1/policy").json()["vocabulary"]


def save(api: TestClient, part: str, **form: Any) -> Any:
    return api.post(f"{PAGE}/edit", params={"part": part}, data=form, headers=HERE, follow_redirects=False)


def mean(api: TestClient, part: str, word: str, **form: Any) -> Any:
    data = {"part": part, "word": word, **form}
    return api.post(f"{PAGE}/meaning", data=data, headers=HERE, follow_redirects=False)


def fields(page: str) -> dict[str, str]:
    """What a browser would send of the form if nothing were changed."""
    form = page.partition('class="panel part entry-form')[2]
    found = dict(
        re.findall(r'<input (?:type="hidden" |class="form-control" id="\w+" )name="(\w+)" value="([^"]*)"', form)
    )
    found |= dict(re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>([^<]*)</textarea>', form))
    found |= dict.fromkeys(re.findall(r'type="checkbox" id="\w+" name="(\w+)" value="true" checked', form), "true")
    selected = re.findall(r'<option value="(\w+)" selected', form)
    return {name: unescape(text) for name, text in found.items()} | ({"icon": selected[0]} if selected else {})


@pytest.mark.parametrize("name", [*CHANNELS, *NEEDS])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_that_ships_is_listed_with_its_label_and_spellings(
    name: str, language: str, api: TestClient
) -> None:
    entry: Any = CHANNELS.get(name) or NEEDS[name]
    page = unescape(api.get(f"{PAGE}?lang={language}").text)
    assert entry.label[language == "zh"].casefold() in page.casefold()
    assert [one for one in entry.spellings if f'chip">{one}<' not in page] == []


@pytest.mark.parametrize(
    ("part", "name"), [("channels", one) for one in CHANNELS] + [("reasons", one) for one in NEEDS]
)
def test_saving_an_entry_that_ships_as_it_is_changes_nothing(part: str, name: str, api: TestClient) -> None:
    before = api.get("/v1/policy").json()
    form = fields(api.get(f"{PAGE}/edit", params={"part": part, "name": name}).text)
    assert form["name"] == name
    assert save(api, part, **form).status_code == 303
    assert api.get("/v1/policy").json() == before


def test_a_channel_that_the_bank_adds_takes_contacts_and_is_named_on_every_page_that_shows_channels(
    api: TestClient,
) -> None:
    form = {
        "label_en": "Fax machine",
        "label_zh": "传真",
        "spellings": "telefax\nFAX",
        "icon": "branch",
        "inbound": "true",
    }
    assert save(api, "channels", **form).status_code == 303
    entry = own(api)["channels"]["fax_machine"]
    assert entry["label"] == {"zh": "传真"}  # the English one is what the name says by itself
    assert (entry["live"], entry["outbound"], entry["spellings"]) == (False, False, ["telefax", "FAX"])
    opened = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "Telefax", "reason": "fees"}).json()
    assert opened["contact"]["channel"] == "fax_machine"
    branch = re.search(r'"branch": \'<path d="([^"]+)"', _icons())
    assert branch
    contact = f"/agent/contacts/{opened['contact']['contact_id']}"
    decision = f"/science/decisions/{opened['decision']['decision_id']}"
    for path in ("/agent", contact, decision, "/marketing/catalogue/loan", PAGE):
        assert "Fax machine" in api.get(path, params={"lang": "en"}).text, path
        assert "传真" in api.get(path, params={"lang": "zh"}).text, path
    assert branch[1] in api.get(contact).text


def test_a_channel_of_the_banks_own_is_chosen_for_offers_and_campaigns_by_any_of_its_words(api: TestClient) -> None:
    offer = {"offer_id": "letter", "title": "Letter only", "channels": ["Briefpost"]}
    assert api.post("/v1/offers", json={"offers": [offer]}).status_code == 422
    assert save(api, "channels", label_en="Letter", spellings="briefpost", outbound="true").status_code == 303
    assert api.post("/v1/offers", json={"offers": [offer]}).status_code == 201
    kept = next(one for one in api.get("/v1/offers").json()["offers"] if one["offer_id"] == "letter")
    assert kept["channels"] == ["letter"]
    assert "Letter<" in api.get("/marketing/catalogue", params={"q": "letter", "lang": "en"}).text
    goal = {"name": "By letter", "hypothesis": "More", "primary": "accepted"}
    made = api.post("/marketing/campaigns/new", data=goal, headers=HERE, follow_redirects=False)
    address = made.headers["location"].partition("/edit")[0]
    audience = {"audience": "", "channels": ["letter"], "coverage": "100", "holdout": "0"}
    step = f"{address}/edit?step=audience"
    assert 'name="channels" value="letter"' in api.get(step).text
    assert api.post(step, data=audience, headers=HERE, follow_redirects=False).status_code == 303
    campaign = api.get(f"/v1/campaigns/{address.rpartition('/')[2]}").json()
    assert campaign["plan"]["channels"] == ["letter"]
    assert "<dd>Letter</dd>" in api.get(f"{address}").text
    assert save(api, "channels", name="letter", do="remove").status_code == 303
    for path in (address, step, "/marketing/catalogue/letter", "/agent"):
        assert api.get(path).status_code == 200


def test_an_unknown_channel_in_the_log_breaks_no_page(api: TestClient) -> None:
    database = api.app.state.services.database  # type: ignore[attr-defined]
    with database.transaction("c9") as log:
        log.add_customer(Customer("c9"), THEN)
        log.add_contact(Contact("k9", "c9", THEN, channel="carrier pigeon", reason="?!"), last_sequence=0)
    for path in ("/agent", "/agent/contacts/k9", PAGE):
        page = api.get(path)
        assert page.status_code == 200, path
    assert "carrier pigeon" in api.get("/agent/contacts/k9").text


@pytest.mark.parametrize(
    ("part", "word", "form", "entry"),
    [
        ("channel", "fone", {"means": "known", "name": "phone"}, ("channels", "phone", {"spellings": ["fone"]})),
        ("channel", "Fax", {"means": "new", "new_name": "Fax-Linie"},
         ("channels", "fax_linie", {"spellings": ["Fax"], "label": {"en": "Fax-Linie", "zh": "Fax-Linie"}})),
        ("reason", "why a fee", {"means": "known", "name": "fees"}, ("reasons", "fees", {"spellings": ["why a fee"]})),
        ("reason", "Gold bar", {"means": "new", "new_name": "gold"}, ("reasons", "gold", {"spellings": ["Gold bar"]})),
        ("reason", "too late", {"means": "complaint"}, ("reasons", "complaint", {"spellings": ["too late"]})),
        ("reason", "branch closed", {"means": "complaint", "days": "60"},
         ("reasons", "branch closed", {"spellings": ["branch closed"], "complaint": True, "days": 60})),
    ],
)  # fmt: skip
def test_a_word_that_nobody_knows_gets_a_meaning_and_leaves_the_list(
    part: str, word: str, form: dict[str, str], entry: tuple[str, str, Any], api: TestClient
) -> None:
    unknown(api, part, word)
    assert word in api.get(PAGE).text
    version = api.get("/v1/policy").json()["policy_version"]
    assert mean(api, part, word, **form).status_code == 303
    place, name, wanted = entry
    assert own(api)[place][name] == wanted
    after = api.get("/v1/policy").json()["policy_version"]
    assert after != version
    page = api.get(PAGE).text
    assert f'name="word" value="{word}"' not in page
    assert after in page
    assert "appro" in page


def test_a_complaint_reason_stops_sales_in_the_next_contact_for_its_days(api: TestClient) -> None:
    unknown(api, "reason", "branch closed")
    before = api.post("/v1/contacts", json={"customer_id": "c1", "channel": "phone", "reason": "branch closed"}).json()
    assert any(one["kind"] != "service" for one in before["decision"]["offers"])
    mean(api, "reason", "branch closed", means="complaint", days="60")
    after = api.post("/v1/contacts", json={"customer_id": "c2", "channel": "phone", "reason": "Branch CLOSED"}).json()
    assert [one for one in after["decision"]["offers"] if one["kind"] != "service"] == []
    assert "open for 60 days" in api.get(PAGE).text


@pytest.mark.parametrize(
    ("part", "form", "field"),
    [
        ("channels", {}, "label_en"),
        ("channels", {"label_en": "Phone"}, "label_en"),
        ("channels", {"label_en": "热线"}, "label_en"),
        ("channels", {"label_en": "Fax", "spellings": "wechat"}, "spellings"),
        ("channels", {"label_en": "Fax", "spellings": "x" * 300}, "spellings"),
        ("channels", {"name": "sms", "label_en": "SMS", "spellings": "phone"}, "spellings"),
        ("reasons", {}, "label_en"),
        ("reasons", {"label_en": "Fees"}, "label_en"),
        ("reasons", {"label_en": "Gold", "spellings": "fees"}, "spellings"),
        ("reasons", {"label_en": "Gold", "complaint": "true", "days": "soon"}, "days"),
        ("reasons", {"label_en": "Gold", "complaint": "true", "days": "0"}, "days"),
        ("reasons", {"label_en": "Gold", "days": "3"}, "days"),
        ("reasons", {"name": "complaint", "label_en": "complaint", "label_zh": "投诉"}, "complaint"),
        ("reasons", {"label_en": "a.b", "complaint": "true", "days": "99999"}, "days"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_saved_is_said_at_its_field_and_nothing_typed_is_lost(
    part: str, form: dict[str, str], field: str, language: str, api: TestClient
) -> None:
    api.get(f"{PAGE}?lang={language}")
    before = api.get("/v1/policy").json()
    page = save(api, part, **form)
    assert page.status_code == 422
    assert re.findall(r'id="(\w+)-problem"', page.text) == [field]
    kept = fields(page.text)
    assert {name: kept.get(name) for name in form} == form
    assert api.get("/v1/policy").json() == before
    if language == "zh":
        assert re.search(r"[一-鿿]", page.text.partition("-problem")[2].partition("</p>")[0])


def test_a_meaning_that_cannot_be_saved_is_said_at_its_word_with_what_was_typed(api: TestClient) -> None:
    unknown(api, "reason", "branch closed")
    page = mean(api, "reason", "branch closed", means="complaint", days="soon", name="fees")
    assert page.status_code == 422
    assert "Must be a whole number from 1 to 3650" in page.text
    assert 'name="days" value="soon"' in page.text
    assert 'value="complaint" checked' in page.text
    assert mean(api, "reason", "branch closed", means="known", name="").status_code == 422
    assert own(api) == {}


@pytest.mark.parametrize("part", FORMS)
def test_what_is_the_banks_own_is_told_apart_and_taken_away_again(part: str, api: TestClient) -> None:
    name = {"channels": "phone", "reasons": "fees"}[part]
    save(
        api, part, **fields(api.get(f"{PAGE}/edit", params={"part": part, "name": name}).text) | {"spellings": "zorro"}
    )
    page = api.get(PAGE).text
    assert 'chip chip-own">zorro<' in page
    assert page.count("Changed by your bank") == 1
    save(api, part, label_en="Zebra", inbound="true")
    assert api.get(PAGE).text.count("Your bank&#39;s own<") == 1
    for one in (name, "zebra" if part == "channels" else "Zebra"):
        assert save(api, part, name=one, do="remove").status_code == 303
    assert own(api) == {}


def test_an_entry_that_stands_among_the_intents_keeps_its_complaint_when_its_spellings_change(api: TestClient) -> None:
    words = {"intents": {"gold": {"complaint": True, "days": 9, "spellings": ["bars"]}}}
    assert api.post("/v1/policy", json={"vocabulary": words}).status_code == 201
    form = fields(api.get(f"{PAGE}/edit", params={"part": "reasons", "name": "gold"}).text)
    assert (form["spellings"], form["days"], form["complaint"]) == ("bars", "9", "true")
    assert save(api, "reasons", **form | {"spellings": "bars\ningots"}).status_code == 303
    assert own(api) == {"intents": {"gold": {"complaint": True, "days": 9, "spellings": ["bars", "ingots"]}}}


def test_the_banks_words_for_true_and_false_are_saved_or_refused_at_their_field(api: TestClient) -> None:
    sent = {"true": "jawohl\n准", "false": "nö"}
    assert api.post(f"{PAGE}/truths", data=sent, headers=HERE, follow_redirects=False).status_code == 303
    assert own(api) == {"truth": {"true": ["jawohl", "准"], "false": ["nö"]}}
    assert 'chip chip-own">jawohl<' in api.get(PAGE).text
    refused = api.post(f"{PAGE}/truths", data={"true": "a", "false": "x" * 300}, headers=HERE)
    assert refused.status_code == 422
    assert 'id="false-problem"' in refused.text
    assert "x" * 300 in refused.text


def test_the_example_of_the_documentation_can_be_saved(api: TestClient) -> None:
    text = Path("docs/vocabulary.md").read_text(encoding="utf-8")
    words = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert api.post("/v1/policy", json={"vocabulary": words}).status_code == 201
    assert own(api) == words


def _icons() -> str:
    from tests.serving.consoles.test_pages import TEMPLATES

    return next(one for one in TEMPLATES if one.name == "icons.html").read_text(encoding="utf-8")
