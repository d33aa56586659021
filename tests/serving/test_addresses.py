"""Identifiers in addresses: on every route an identifier of any printable character reaches the handler as itself."""

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fastapi.routing
import pytest
from fastapi import params
from fastapi.dependencies.utils import get_flat_params, request_params_to_args
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings
from tests.serving.test_access import app_for_routes, routes_of

NOT_IDS = {"token": "a.b", "name": "gates", "kind": "svg"}
"""Parts of paths that are no identifiers: a signed token, and words of a closed list."""
AWKWARD = ["0012/345678", "/a/", "//", "50%", "%2F", "a?b=c#d", "a b", "客户/🙂é", "<\"'\\>;&+:@", "..a"]
WIDE_C2, WIDE_ANNA = "\uff23\uff12", "\uff21\uff4e\uff4e\uff41"
LONGEST = "客" * 200
WITH_PARTS = [
    (method, route)
    for route in routes_of(app_for_routes())
    for method in sorted(route.methods or ())
    if "{" in route.path
]
Seen = dict[str, Any]


class Reached(Exception):
    """The handler would be called now."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A client of the whole application, which does not start."""
    app = create_app(Settings(home=tmp_path_factory.mktemp("stopped")))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What the parts of the last request's path are to its handler; every request ends where they are known."""
    seen: Seen = {}

    async def stop_here(*, request: Any, dependant: Any, **_: object) -> None:
        fields = [one for one in get_flat_params(dependant) if isinstance(one.field_info, params.Path)]
        values, errors = request_params_to_args(fields, request.path_params)
        seen.update(errors=errors, **values)
        raise Reached

    monkeypatch.setattr(fastapi.routing, "solve_dependencies", stop_here)
    return seen


@pytest.mark.parametrize(("method", "route"), WITH_PARTS, ids=lambda one: getattr(one, "path", one))
def test_an_identifier_reaches_every_route_as_itself(method: str, route: Any, client: TestClient, seen: Seen) -> None:
    names = [name for name in re.findall(r"{(\w+)", route.path) if name != "token"]
    for identifier in (*AWKWARD, LONGEST):
        sent = {name: NOT_IDS.get(name, identifier) for name in names}
        path = route.path.replace(":path", "").format_map(
            {name: quote(part, safe="") for name, part in {**NOT_IDS, **sent}.items()}
        )
        seen.clear()
        client.request(method, path, json={} if path.startswith("/v1") else None)
        assert seen == {"errors": [], **sent}, path


def test_what_is_the_same_in_a_body_is_the_same_in_a_path_and_a_query(api: TestClient) -> None:
    opened = api.post("/v1/contacts", json={"customer_id": f" {WIDE_C2} ", "channel": "phone", "agent_id": "Anna"})
    assert opened.json()["customer"]["customer_id"] == "C2"
    for spelling in ("C2", "　C2", " C2 ", WIDE_C2, "C2\u200b"):
        assert api.get(f"/v1/customers/{quote(spelling)}").json()["customer_id"] == "C2"
        assert len(api.get("/v1/decisions", params={"customer_id": spelling}).json()["decisions"]) == 1
        assert api.get("/v1/customers", params={"starts_with": spelling}).json() == {"customer_ids": ["C2"]}
        assert opened.json()["decision"]["decision_id"] in api.get("/science/decisions", params={"q": spelling}).text
    assert len(api.get("/v1/contacts", params={"agent_id": WIDE_ANNA}).json()) == 1


@pytest.mark.parametrize(("written", "status"), [("none%2Fsuch", 404), ("%20", 422), ("%00", 422), ("x" * 201, 422)])
def test_an_unknown_identifier_is_not_found_and_an_impossible_one_is_refused(
    written: str, status: int, api: TestClient
) -> None:
    for path in ("/v1/customers/{}", "/v1/contacts/{}", "/v1/contacts/{}/stream", "/marketing/catalogue/{}"):
        assert api.get(path.format(written)).status_code == status
    assert api.get(f"/agent/contacts/{written}").status_code == 404


def test_a_customer_of_any_identifier_is_found_and_can_consent(api: TestClient) -> None:
    for identifier in AWKWARD:
        assert api.post("/v1/contacts", json={"customer_id": identifier, "channel": "phone"}).status_code == 201
        address = f"/v1/customers/{quote(identifier, safe='')}"
        assert api.get(address).json()["customer_id"] == identifier
        consented = api.post(f"{address}/consents", json={"purpose": "marketing", "granted": False})
        assert (consented.status_code, consented.json()["customer_id"]) == (201, identifier)


def test_every_link_of_the_pages_leads_to_what_it_names(api: TestClient) -> None:
    offers = [{"offer_id": identifier, "title": f"Offer {number}"} for number, identifier in enumerate(AWKWARD)]
    assert api.post("/v1/offers", json={"offers": offers}).status_code == 201
    for number, identifier in enumerate(AWKWARD):
        who = {"customer_id": identifier, "channel": "phone", "agent_id": "anna"}
        view = api.post("/v1/contacts", json=who).json()
        mine, decision_id = f"/marketing/catalogue/{quote(identifier, safe='')}", view["decision"]["decision_id"]
        about_it = f"/science/decisions?q={quote(identifier, safe='')}"
        assert mine in _links(api, "/marketing/catalogue")
        assert f'value="Offer {number}"' in api.get(mine).text
        assert about_it in _links(api, f"/science/decisions/{decision_id}")
        assert decision_id in api.get(about_it).text
    pages = ["/agent", "/marketing", "/marketing/catalogue", "/science/decisions", mine]
    for link in sorted(set().union(*(_links(api, page) for page in pages))):
        assert api.get(link).status_code == 200, link


def test_whoever_has_to_sign_in_first_comes_back_to_the_same_identifier(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, redis_url="redis://127.0.0.1:9", auth="local"))
    with TestClient(app, follow_redirects=False) as client:
        for identifier in (*AWKWARD, LONGEST):
            wanted = f"/marketing/catalogue/{quote(identifier, safe='')}"
            asked = client.get(client.get(wanted).headers["location"])
            assert f'value="{wanted}"' in unescape(asked.text), wanted


def test_the_reference_says_what_every_identifier_in_an_address_may_be() -> None:
    paths = app_for_routes().openapi()["paths"]
    found = {
        f"{method} {path} {one['name']}": one
        for path, methods in paths.items()
        for method, operation in methods.items()
        for one in operation.get("parameters", ())
        if one["in"] == "path" and one["name"] not in NOT_IDS
    }
    assert len(found) > 20
    assert [name for name, one in found.items() if "1 to 200 characters, “/” as %2F" not in one["description"]] == []


def _links(api: TestClient, page: str) -> set[str]:
    """Return our own addresses that a page leads to or fetches from."""
    written = re.findall(r'(?:href|hx-get|src)="(/[^"]*)"', api.get(page).text)
    return {unescape(one) for one in written if not one.startswith(("/static/", "/docs"))}
