"""What the tests of the catalogue's pages send and read."""

import re
from html import unescape
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

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
