"""The bank's own words that protect are not lost by accident, whichever way a document comes in."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recsys.domain.bank_words import canonical_words, lost_words, words_of
from recsys.domain.errors import PolicyInvalid
from recsys.domain.vocabulary import COMPLAINT, NEEDS, SHIPPED
from tests.journeys.service import nbo

OWN: dict[str, Any] = {
    "reasons": {"wealth_loss": {"spellings": ["理财亏损", "fund gone"], "complaint": True}, "complaint": ["Ärger"]},
    "intents": {"loud_voice": {"complaint": True}},
    "truth": {"true": ["jawohl"], "false": ["mitnichten"]},
    "channels": {"phone": ["Telebanking"]},
}
WORDS = ("wealth_loss", "理财亏损", "fund gone", "Ärger", "loud_voice", "jawohl", "mitnichten")


def without(word: str) -> dict[str, Any]:
    """Return the words without one of them."""
    document: dict[str, Any] = json.loads(json.dumps(OWN, ensure_ascii=False))
    for entries in (*document["reasons"].values(), *document["truth"].values()):
        spelt = entries.get("spellings", []) if isinstance(entries, dict) else entries
        if word in spelt:
            spelt.remove(word)
    document["reasons"].pop(word, None)
    document["intents"].pop(word, None)
    return document


@pytest.mark.parametrize("word", WORDS)
def test_a_document_without_a_word_that_protects_is_refused_over_http(api: TestClient, word: str) -> None:
    assert api.post("/v1/policy", json={"vocabulary": OWN}).status_code == 201
    refused = api.post("/v1/policy", json={"vocabulary": without(word)})
    assert refused.status_code == 422
    assert word in refused.text
    assert api.get("/v1/policy").json()["vocabulary"] == json.loads(canonical_words(OWN))
    assert api.post("/v1/policy", json={"vocabulary": without(word), "drop_words": True}).status_code == 201


@pytest.mark.parametrize("document", [{}, "", {"channels": {}}, {"reasons": {}, "truth": {}}])
def test_an_empty_document_is_refused_unless_asked_for(api: TestClient, document: object) -> None:
    assert api.post("/v1/policy", json={"vocabulary": document}).status_code == 201, "there is nothing to lose yet"
    api.post("/v1/policy", json={"vocabulary": {"channels": {"phone": ["Telebanking"]}}})
    refused = api.post("/v1/policy", json={"vocabulary": document})
    assert (refused.status_code, "phone" in refused.text) == (422, True)
    assert api.post("/v1/policy", json={"vocabulary": document, "drop_words": "yes"}).status_code == 422
    assert api.post("/v1/policy", json={"vocabulary": document, "drop_words": True}).json()["vocabulary"] == {}


def test_more_words_and_other_numbers_are_taken_as_before(api: TestClient) -> None:
    api.post("/v1/policy", json={"vocabulary": OWN})
    more = {**OWN, "channels": {"app": ["pocket bank"]}}
    assert api.post("/v1/policy", json={"vocabulary": more}).status_code == 201
    assert api.post("/v1/policy", json={"sales_cap": 3}).json()["vocabulary"]["truth"] == OWN["truth"]


@pytest.mark.parametrize("content", ["channels: {}\n", "", "null\n", "[]\n", "reasons: {fees: [tariff]}\n"])
def test_the_command_refuses_a_file_that_wipes_the_words(tmp_path: Path, content: str) -> None:
    home, file = tmp_path / "home", tmp_path / "words.yaml"
    file.write_text(json.dumps(OWN), encoding="utf-8")
    assert nbo(home, "policy", "vocabulary", str(file)).returncode == 0
    file.write_text(content, encoding="utf-8")
    refused = nbo(home, "policy", "vocabulary", str(file), check=False)
    assert refused.returncode == 1
    if content != "[]\n":
        assert "--drop-words" in refused.stderr
        assert nbo(home, "policy", "vocabulary", str(file), "--drop-words").returncode == 0


SHIPPED_COMPLAINTS = (COMPLAINT, *NEEDS[COMPLAINT].spellings, *NEEDS[COMPLAINT].label, "Kundenbeschwerde", "不满")


@pytest.mark.parametrize("way", ["spelling", "list", "label", "name"])
def test_a_word_of_complaints_is_made_an_ordinary_one_only_where_that_is_said(way: str) -> None:
    for word in SHIPPED_COMPLAINTS:
        entry: dict[str, Any] = {"label": {"zh": word}} if way == "label" else {"spellings": [word]}
        name = word if way == "name" else "visit"
        if way == "name" and word == COMPLAINT:
            continue
        for part in ("reasons", "intents"):
            with pytest.raises(PolicyInvalid, match=r"complaint|name itself"):
                canonical_words({part: {name: [word] if way == "list" else {} if way == "name" else entry}})
        if word != COMPLAINT:
            said = canonical_words({"reasons": {name: {**({} if way == "name" else entry), "complaint": False}}})
            assert lost_words("", said) == []
            assert not words_of(said).is_complaint(word), word
            assert not words_of(canonical_words({"reasons": {"fees": ["tariff"]}})).is_complaint("tariff")
    assert all(SHIPPED.is_complaint(word) for word in SHIPPED_COMPLAINTS)


@pytest.mark.parametrize(
    "document",
    [
        {"reasons": {"visit": {"label": {"en": "travel"}}}},
        {"reasons": {"a": {"label": {"en": "same"}}, "b": ["same"]}},
        {"channels": {"kiosk": {"label": {"en": "phone"}}}},
        {"channels": {"kiosk": {"label": {"zh": "柜"}}, "desk": {"spellings": ["柜"]}}},
    ],
)
def test_a_label_is_checked_like_a_spelling(document: dict[str, Any]) -> None:
    with pytest.raises(PolicyInvalid, match="gives"):
        canonical_words(document)
