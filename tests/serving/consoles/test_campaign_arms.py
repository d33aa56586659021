"""The wizard's arms: rows of what they do as a treatment and back, and a form that grows and shrinks."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serving.consoles.campaign_forms import ARMS, created, drafted, saves, shown


def with_rows(*rows: dict[str, str], arm: int = 1, **more: str) -> dict[str, str]:
    """The arms' form with these rows in one arm."""
    named = {f"arm.{arm}.change.{place}.{name}": value for place, row in enumerate(rows) for name, value in row.items()}
    return ARMS | named | more


def treatment(api: TestClient, campaign_id: str, arm: int = 1) -> Any:
    return shown(api, campaign_id)["plan"]["arms"][arm]["treatment"]


def test_what_an_arm_does_is_kept_as_a_treatment_of_what_differs(api: TestClient) -> None:
    campaign_id = created(api)
    form = with_rows(
        {
            "kind": "words",
            "offer_id": "card",
            "title_en": "Card",
            "title_zh": "信用卡",
            "talk_track_en": "Lounges!",
            "talk_track_zh": "您好",
        },
        {"kind": "lever", "offer_id": "travel", "factor": "2"},
        {"kind": "remove", "offer_id": "loan"},
        {
            "kind": "add",
            "offer_id": "",
            "title_en": "Lounge voucher",
            "title_zh": "贵宾券",
            "family": "travel",
            "margin": "80",
        },
    )
    assert saves(api, campaign_id, "arms", form).status_code == 303
    assert treatment(api, campaign_id) == {
        "offers": [
            {"offer_id": "card", "talk_track_en": "Lounges!"},
            {
                "offer_id": "lounge_voucher",
                "title_en": "Lounge voucher",
                "title_zh": "贵宾券",
                "family": "travel",
                "margin": 80,
            },
        ],
        "remove": ["loan"],
        "levers": {"travel": 2},
    }
    page = api.get(f"/marketing/campaigns/{campaign_id}/edit?step=arms").text
    assert page.count('<fieldset class="change">') == 4
    assert ">Lounges!</textarea>" in page
    assert ">您好</textarea>" in page


def test_terms_are_changed_within_the_bounds_of_the_offer(api: TestClient) -> None:
    offer = {
        "offer_id": "loan",
        "title_en": "Loan",
        "title_zh": "贷款",
        "terms": {"rate": "4", "gift": "'cup'", "months": "12"},
    }
    api.post("/v1/offers", json={**offer, "term_bounds": {"rate": [3, 5]}})
    campaign_id = created(api)
    page = saves(api, campaign_id, "arms", with_rows({"kind": "terms", "offer_id": "loan"}, do="pick:1:0")).text
    assert "From 3 to 5" in page
    assert 'name="arm.1.change.0.term.gift"' in page
    assert "term.months" not in page  # a number without bounds is the same in every arm
    row = {"kind": "terms", "offer_id": "loan", "term.rate": "9", "term.gift": "'cup'"}
    refused = saves(api, campaign_id, "arms", with_rows(row))
    assert refused.status_code == 422
    assert "must lie within the offer&#39;s bounds" in refused.text
    assert 'value="9"' in refused.text
    assert saves(api, campaign_id, "arms", with_rows(row | {"term.rate": "3.5"})).status_code == 303
    terms = {"rate": "3.5", "gift": "'cup'", "months": "12"}
    assert treatment(api, campaign_id) == {"offers": [{"offer_id": "loan", "terms": terms}]}


def test_what_no_row_says_stays_in_the_advanced_field(api: TestClient) -> None:
    more = {
        "policy": {"relevance_weight": 0.5},
        "offers": [{"offer_id": "fund", "channels": ["app"]}],
        "levers": {"card": 2},
    }
    campaign_id = drafted(api, arms=[
        {"name": "control", "weight": 1, "control": True}, {"name": "b", "weight": 3, "treatment": more},
    ])  # fmt: skip
    page = api.get(f"/marketing/campaigns/{campaign_id}/edit?step=arms").text
    assert 'value="75"' in page
    assert "relevance_weight" in page
    assert page.count('<fieldset class="change">') == 1
    advanced = {"policy": {"relevance_weight": 0.7}, "model": "m-1"}
    saves(
        api,
        campaign_id,
        "arms",
        with_rows({"kind": "lever", "offer_id": "card", "factor": "3"}) | {"arm.1.advanced": json.dumps(advanced)},
    )
    assert treatment(api, campaign_id) == {**advanced, "levers": {"card": 3}}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"arm.1.advanced": "{not json"}, "This is not a JSON object"),
        ({"arm.1.advanced": "[1]"}, "This is not a JSON object"),
        ({"arm.1.advanced": '{"offers": ' + "[" * 2000 + "]" * 2000 + "}"}, "This is not a JSON object"),
        (with_rows({"kind": "remove", "offer_id": ""}), "Choose an offer"),
        ({"arm.1.weight": "30"}, "add up to 80 %"),
        ({"arm.1.weight": "half"}, "Must be a number"),
        ({"arm.1.name": "Control"}, "twice"),
        ({"arm.1.name": "holdout"}, "Cannot be called holdout"),
        ({"arm.1.advanced": '{"policy": {"contact_cap": 9}}'}, "is not"),
        (with_rows({"kind": "lever", "offer_id": "card", "factor": "lots"}), "must be a number"),
    ],
)
def test_arms_that_cannot_be_used_say_why_and_keep_what_was_typed(
    form: dict[str, str], said: str, api: TestClient
) -> None:
    campaign_id = created(api)
    before = shown(api, campaign_id)["plan"]
    answer = saves(api, campaign_id, "arms", ARMS | form)
    assert answer.status_code == 422
    assert said in answer.text
    assert shown(api, campaign_id)["plan"] == before


def test_the_form_grows_and_shrinks_without_being_saved(api: TestClient) -> None:
    campaign_id = created(api)

    def drawn(do: str, form: dict[str, str] = ARMS) -> str:
        answer = saves(api, campaign_id, "arms", form | {"do": do})
        assert answer.status_code == 200
        return str(answer.text)

    three = drawn("add-arm")
    assert three.count('value="33.33"') == 3
    assert 'name="arm.2.name" value="B"' in three
    assert 'data-focus="arm-2-name"' in three
    assert drawn("equal", ARMS | {"arm.0.weight": "90"}).count('value="50"') == 2
    assert drawn("add:1:words").count('<fieldset class="change">') == 1
    assert ">您好</textarea>" in drawn("pick:1:0", with_rows({"kind": "words", "offer_id": "card"}))
    assert '<fieldset class="change">' not in drawn("drop:1:0", with_rows({"kind": "words", "offer_id": "card"}))
    fewer = drawn("drop-arm:1", ARMS | {"arm.2.name": "C", "arm.2.weight": "0", "arm.2.control": "false"})
    assert ('value="C"' in fewer, 'value="New"' in fewer) == (True, False)
    for wish in ("drop-arm:1", "add:9:words", "add:1:nothing", "drop:1:7", "pick:x:y", "nonsense"):
        assert drawn(wish).count('<section class="panel arm"') == 2
    assert len(shown(api, campaign_id)["changes"]) == 1


def test_a_campaign_has_ten_arms_at_most(api: TestClient) -> None:
    ten = {
        f"arm.{number}.{name}": value
        for number in range(10)
        for name, value in {"name": f"a{number}", "weight": "10", "control": str(number == 0).lower()}.items()
    }
    assert 'value="add-arm"' not in saves(api, created(api), "arms", ten | {"do": "show"}).text
    assert saves(api, created(api), "arms", ten).status_code == 303
