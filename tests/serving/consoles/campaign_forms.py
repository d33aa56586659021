"""What a marketer's browser posts to the wizard, and campaigns at any point of their life."""

from typing import Any

from fastapi.testclient import TestClient

from tests.experiments.plans import a_plan_document

HERE = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
GOAL = {
    "name": "Lounge",
    "hypothesis": "More cards are sold.",
    "primary": "sold",
    "guardrails": "csat",
    "margin.csat": "0.1",
}
ARMS = {
    "arm.0.name": "Control", "arm.0.weight": "50", "arm.0.control": "true",
    "arm.1.name": "New", "arm.1.weight": "50", "arm.1.control": "false",
}  # fmt: skip
AUDIENCE = {"audience": "", "coverage": "100", "holdout": "0", "layer": "", "first_slot": "", "last_slot": ""}


def drafted(api: TestClient, **changes: Any) -> str:
    """Return the id of a new draft."""
    return str(api.post("/v1/campaigns", json=a_plan_document(**changes)).json()["campaign_id"])


def running(api: TestClient, **changes: Any) -> str:
    """Return the id of a campaign that takes customers."""
    campaign_id = drafted(api, **changes)
    for action in ("approve", "start"):
        assert api.post(f"/v1/campaigns/{campaign_id}/{action}").status_code == 200
    return campaign_id


def shown(api: TestClient, campaign_id: str) -> Any:
    """Return a campaign as the API shows it."""
    return api.get(f"/v1/campaigns/{campaign_id}").json()


def post(api: TestClient, path: str, form: dict[str, Any]) -> Any:
    """Post a form as our own page does, without following the answer."""
    return api.post(path, data=form, headers=HERE, follow_redirects=False)


def saves(api: TestClient, campaign_id: str, step: str, form: dict[str, Any]) -> Any:
    """Post a step of the wizard."""
    return post(api, f"/marketing/campaigns/{campaign_id}/edit?step={step}", form)


def created(api: TestClient, **changes: str) -> str:
    """Return the id of a draft that the first step of the wizard made."""
    answer = post(api, "/marketing/campaigns/new", GOAL | changes)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).split("/")[3]
