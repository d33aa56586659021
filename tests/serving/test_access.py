"""Who may do what: every route against every role, sessions that cannot be forged, and accounts."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from recsys.domain.clock import system_clock
from recsys.domain.role import Role
from serving.access import DEMO_PEOPLE, SESSION_COOKIE, Access, Person, new_account
from serving.app import create_app
from serving.dependencies import allow
from serving.secret_key import secret_key
from serving.settings import Settings

HERE = {"origin": "http://testserver"}
PUBLIC = {"/", "/docs", "/sign-in", "/sign-out", "/healthz", "/readyz", "/metrics", "/marketing"}
PASSWORD = "correct horse battery"


def app_for_routes() -> FastAPI:
    return create_app(Settings(home=Path("never-started")))


def routes_of(app: FastAPI) -> list[APIRoute]:
    return [route for route in _flat(app.routes) if isinstance(route, APIRoute)]


def _flat(routes: object) -> Iterator[object]:
    for route in routes:  # type: ignore[attr-defined]
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner is None:
            yield route
        else:
            yield from _flat(inner)


def allowed(route: APIRoute) -> frozenset[Role] | None:
    """Return the roles that a route declares: all of its declarations have to be passed."""
    declared = [one.call.roles for one in route.dependant.dependencies if isinstance(one.call, allow)]
    return frozenset.intersection(*declared) if declared else None


EVERY_ROUTE = [(route, method) for route in routes_of(app_for_routes()) for method in sorted(route.methods or ())]


@pytest.mark.parametrize("route", [route for route, _ in EVERY_ROUTE], ids=lambda route: route.path)
def test_every_route_declares_who_may_call_it(route: APIRoute) -> None:
    assert (allowed(route) is None) == (route.path in PUBLIC)


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Role, TestClient]]:
    """A client of one service for each of the demo's roles."""
    settings = Settings(home=tmp_path_factory.mktemp("access"), redis_url="redis://127.0.0.1:9")
    app = create_app(settings)
    with TestClient(app):
        access = app.state.services.access
        clients = {}
        for name, role in DEMO_PEOPLE.items():
            session = access.session_of(access.sign_in(name, ""))
            clients[role] = TestClient(app, cookies={SESSION_COOKIE: session}, headers=HERE, follow_redirects=False)
        yield clients


@pytest.mark.parametrize("role", sorted(set(DEMO_PEOPLE.values())))
def test_every_route_refuses_exactly_the_roles_it_does_not_name(role: Role, signed_in: dict[Role, TestClient]) -> None:
    wrong = []
    for route, method in EVERY_ROUTE:
        roles = allowed(route)
        if roles is None or (role in roles and route.path.endswith("/stream")):
            continue
        path = route.path.replace("{kind}", "svg").replace("{", "").replace("}", "")
        status = signed_in[role].request(method, path, json={} if path.startswith("/v1") else None).status_code
        if (status == 403) != (role not in roles):
            wrong.append((method, route.path, status))
    assert wrong == []


@pytest.mark.parametrize("session", ["", "nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIiwiZXhwIjo5OTk5OTk5OTk5fQ."])
def test_a_session_that_nobody_signed_is_nobody(session: str, signed_in: dict[Role, TestClient]) -> None:
    app = signed_in[Role.AGENT].app
    api = TestClient(app, cookies={SESSION_COOKIE: session}, follow_redirects=False)
    assert api.get("/v1/contacts").status_code == 401
    assert api.get("/agent").headers["location"] == "/sign-in?next=/agent"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service with accounts: li may approve, mei markets, desktop is a program."""
    home = tmp_path_factory.mktemp("local")
    app = create_app(Settings(home=home, redis_url="redis://127.0.0.1:9", auth="local"))
    with TestClient(app, headers={**HERE, "accept-language": "en"}, follow_redirects=False) as client:
        with app.state.services.database.transaction() as log:
            for name, role in (("li", Role.APPROVER), ("mei", Role.MARKETER), ("desktop", Role.SERVICE)):
                log.add_account(new_account(name, PASSWORD, [role], system_clock))
        yield client


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_without_signing_in_nothing_is_shown(local: TestClient) -> None:
    answer = local.get("/v1/campaigns")
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:nbo:problem:not-signed-in")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert local.get("/marketing/catalogue").headers["location"] == "/sign-in?next=/marketing/catalogue"
    assert local.get("/agent/queue", headers={"hx-request": "true"}).headers["hx-redirect"] == "/sign-in"


def test_a_program_calls_with_name_and_password(local: TestClient) -> None:
    assert local.get("/v1/campaigns", headers=basic("desktop", PASSWORD)).status_code == 200
    assert local.get("/v1/models", headers=basic("desktop", PASSWORD)).status_code == 403
    wrong = (("desktop", "wrong"), ("nobody", PASSWORD), ("", ""))
    assert {local.get("/v1/campaigns", headers=basic(*one)).status_code for one in wrong} == {401}
    assert local.get("/v1/campaigns", headers={b"authorization": b"Basic \xff"}).status_code == 401


def test_a_person_signs_in_works_and_signs_out(local: TestClient) -> None:
    form = {"name": "mei", "password": PASSWORD, "next": "/marketing/catalogue"}
    wrong = local.post("/sign-in", data={**form, "password": "wrong"})
    assert (wrong.status_code, "Name or password is not right" in wrong.text) == (401, True)
    begun = local.post("/sign-in", data=form)
    assert begun.headers["location"] == "/marketing/catalogue"
    assert {"httponly", "samesite=lax"} <= set(begun.headers["set-cookie"].lower().split("; "))
    page = local.get("/marketing/catalogue")
    assert ("mei" in page.text, 'href="/science"' in page.text) == (True, False)
    assert local.get("/agent").status_code == 403
    local.post("/sign-out")
    assert local.get("/marketing/catalogue").status_code == 303


def test_a_link_leads_nowhere_else_after_signing_in(local: TestClient) -> None:
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb"):
        form = {"name": "mei", "password": PASSWORD, "next": elsewhere}
        assert local.post("/sign-in", data=form).headers["location"] == "/"
    local.post("/sign-out")


def test_what_somebody_does_is_recorded_under_their_name_whatever_a_header_says(local: TestClient) -> None:
    plan = {
        "name": "n", "hypothesis": "h", "primary": "accepted", "smallest_effect": 0.1, "planned_units": 100,
        "arms": [{"name": "a", "weight": 1, "control": True}, {"name": "b", "weight": 1}],
    }  # fmt: skip
    headers = {**basic("mei", PASSWORD), "nbo-actor": "li"}
    draft = local.post("/v1/campaigns", json=plan, headers=headers).json()
    assert draft["author"] == "mei"
    approve = f"/v1/campaigns/{draft['campaign_id']}/approve"
    assert local.post(approve, headers=headers).status_code == 403
    assert local.post(approve, headers=basic("li", PASSWORD)).json()["approver"] == "li"


def test_a_removed_account_is_nobody_after_what_workers_remember(
    local: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = local.app.state.services  # type: ignore[attr-defined]
    monkeypatch.setattr("serving.access.REMEMBERED_SECONDS", 0.0)
    with services.database.transaction() as log:
        log.add_account(new_account("gone", PASSWORD, [Role.MARKETER], system_clock))
    session = services.access.session_of(services.access.sign_in("gone", PASSWORD))
    client = TestClient(local.app, cookies={SESSION_COOKIE: session})
    before = client.get("/v1/campaigns").status_code
    with services.database.transaction() as log:
        log.remove_account("gone")
    assert (before, client.get("/v1/campaigns").status_code) == (200, 401)


def test_a_session_ends_after_twelve_hours(local: TestClient) -> None:
    services = local.app.state.services  # type: ignore[attr-defined]
    old = Access(services.settings, services.database, lambda: system_clock() - timedelta(hours=12, seconds=5))
    session = old.session_of(services.access.sign_in("mei", PASSWORD))
    assert services.access.person(session, None) is None
    assert services.access.person(services.access.session_of(Person("mei", frozenset())), None).name == "mei"


def test_the_key_of_a_home_is_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    keys = {secret_key(settings, "session") for _ in range(2)}
    assert len(keys) == 1
    assert secret_key(settings, "other") not in keys
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_that_is_given_is_used(tmp_path: Path) -> None:
    one, other = (secret_key(Settings(home=tmp_path, secret_key=given), "session") for given in ("one", "other"))
    assert one != other
    assert list(tmp_path.iterdir()) == []
