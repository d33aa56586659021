"""Every page of the consoles as a visitor of the demo bank finds it, for tests that look at all of them."""

from dataclasses import dataclass

import httpx2
import pytest
from playwright.sync_api import Page

from tests.journeys.agent_page import Callers
from tests.journeys.service import RunningService

STEPS = ("goal", "audience", "arms", "power", "launch")


@dataclass(frozen=True, slots=True)
class BankPages:
    """The pages by name, with the address of each."""

    paths: dict[str, str]

    def show(self, page: Page, name: str) -> None:
        """Open a page and wait until what it fetches by itself is there."""
        page.goto(self.paths[name])
        page.wait_for_function("() => !document.querySelector('.htmx-request, [hx-trigger=load]:empty')")
        page.wait_for_function(
            "() => [...document.querySelectorAll('[data-chart]')].every(one => one.querySelector('svg, p'))"
        )


@pytest.fixture(scope="module")
def bank_pages(running_service: RunningService, callers: Callers) -> BankPages:
    """The pages of the running demo bank; a contact waits, campaigns run, a draft is there."""

    def get(path: str) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = httpx2.get(f"{running_service.url}{path}", timeout=30).json()
        return found

    contact_id = callers.call("card_declined", lambda decision: len(decision["offers"]) == 3)
    campaigns = get("/v1/campaigns")["campaigns"]
    launched = next(one for one in campaigns if one["name"] == "Likely yes first")["campaign_id"]
    draft = next(one for one in campaigns if one["status"] == "draft")["campaign_id"]
    version = get("/v1/models")["versions"][0]["version"]
    decision_id = callers.view(contact_id)["decision"]["decision_id"]
    return BankPages(
        {
            "sign-in": "/sign-in",
            "agent-queue": "/agent",
            "agent-contact": f"/agent/contacts/{contact_id}",
            "campaigns": "/marketing",
            "campaign-new": "/marketing/campaigns/new",
            **{f"campaign-{step}": f"/marketing/campaigns/{draft}/edit?step={step}" for step in STEPS},
            "campaign-draft": f"/marketing/campaigns/{draft}",
            "campaign-results": f"/marketing/campaigns/{launched}/results",
            "catalogue": "/marketing/catalogue",
            "offer": "/marketing/catalogue/credit_card_travel",
            "offer-new": "/marketing/catalogue/new",
            "levers": "/marketing/catalogue/levers",
            "vocabulary": "/marketing/vocabulary",
            "vocabulary-channel": "/marketing/vocabulary/edit?part=channels&name=phone",
            "vocabulary-reason": "/marketing/vocabulary/edit?part=reasons",
            "vocabulary-truths": "/marketing/vocabulary/truths",
            "models": "/science",
            "model-card": f"/science/models/{version}",
            "monitoring": "/science/monitoring",
            "decisions": "/science/decisions",
            "decision": f"/science/decisions/{decision_id}",
            "controls": "/science/controls",
            "not-found": "/agent/contacts/nowhere",
        }
    )
