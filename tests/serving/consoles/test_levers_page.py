"""The what-if about levers and limits over HTTP: tried on customers, never saved."""

import pytest
from fastapi.testclient import TestClient

from tests.serving.consoles.catalogue_forms import HERE, LIST, version, with_a_customer

LEVERS = f"{LIST}/levers"


def test_the_levers_and_limits_begin_as_they_are_today(api: TestClient) -> None:
    assert api.post("/v1/policy", json={"sales_cap": 4}).status_code == 201
    page = api.get(LEVERS).text
    assert 'name="policy.sales_cap" value="4"' in page
    assert 'name="lever.loan" value="1"' in page


def test_what_differs_from_today_is_tried_and_nothing_is_saved(api: TestClient) -> None:
    with_a_customer(api)
    before = version(api), api.get("/v1/policy").json()
    fragment = api.post(LEVERS, data={"policy.sales_cap": "0"}, headers={**HERE, "hx-request": "true"}).text
    assert "100 % of customers would see another list." in fragment
    assert "<html" not in fragment
    page = api.post(LEVERS, data={"lever.loan": "1.5", "policy.sales_cap": ""}, headers=HERE).text
    assert "would see another list" in page
    assert 'name="lever.loan" value="1.5"' in page
    assert (version(api), api.get("/v1/policy").json()) == before


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"lever.loan": "much"}, "Must be a number"),
        ({"lever.loan": "-1"}, "Must be a number from 0 to 100"),
        ({"policy.list_length": "0"}, "Is too small"),
        ({"policy.list_length": "2.5"}, "Must be a whole number"),
    ],
)
def test_a_factor_or_limit_that_cannot_be_used_is_said_at_its_field(
    form: dict[str, str], words: str, api: TestClient
) -> None:
    page = api.post(LEVERS, data=form, headers=HERE)
    assert page.status_code == 422
    at_field = page.text.split(f'name="{next(iter(form))}"')[1].split("</div>")[0]
    assert words in at_field
    assert f'value="{next(iter(form.values()))}"' in page.text
