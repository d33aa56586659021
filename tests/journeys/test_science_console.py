"""A scientist's and an approver's day at the console, in a real browser against the real service."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from recsys.models.bundle_files import load_bundle
from serving.consoles.wording import Say, speaker
from serving.settings import Settings
from tests.journeys.agent_page import NARROW, axe_violations, browser, complaints, open_page
from tests.journeys.service import RunningService, nbo, nbo_json, serving
from training.gates import Gate, Verdict
from training.registry import Findings, Registry

__all__ = ["browser", "complaints", "open_page"]

Opener = Callable[..., Page]
GREEN = Gate("better than popularity", Verdict.PASSED, "NDCG@5 differs by +0.1, must lie above 0")
RED = Gate("better than popularity", Verdict.REFUSED, "NDCG@5 differs by -0.1, must lie above 0")
LOCALES = {"en": "en-GB", "zh": "zh-CN"}


@pytest.fixture(scope="module")
def home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo bank with two more versions: one that may be promoted, and one that a gate refuses."""
    copy = tmp_path_factory.mktemp("science") / "home"
    shutil.copytree(demo_home, copy, ignore=shutil.ignore_patterns("redis", "serve.log"))
    nbo_json(copy, "features", "apply")  # what is applied names files of the home that was copied
    for model, gate in (("item_item", GREEN), ("als", RED)):
        trained = nbo_json(copy, "train", "--model", model, "--seed", "8", "--trainer", "Linus")
        judge(copy, trained["version"], gate)
    nbo_json(copy, "features", "materialize")  # its Redis is empty
    return copy


def judge(home: Path, version: str, gate: Gate) -> None:
    """Say of a version that this gate was all that was judged, whatever champion the bank's day gave it to beat."""
    registry = Registry(Settings(home=home).tracking_uri)
    info = registry.version(version)
    findings = Findings(info.metrics, (gate,), info.intervals, info.trainer, "model_card.md")
    registry.register(load_bundle(registry.fetch(version, home / "judged")), info.card_run, findings)


@pytest.fixture(scope="module")
def running_service(home: Path) -> Iterator[RunningService]:
    """The copy being served, with a little traffic behind it."""
    with serving(home) as service:
        nbo(home, "traffic", "--url", service.url, "--rate", "15", "--seconds", "12")
        yield service


@pytest.fixture(scope="module")
def registered(home: Path) -> dict[str, str]:
    """The champion, the version that may follow it and the refused one, by what they are."""
    versions = nbo_json(home, "models", "list")["versions"]
    champion = next(one["version"] for one in versions if "champion" in one["aliases"])
    refused, other = (
        next(one for one in versions if one["trainer"] == "Linus" and bool(one["refusals"]) is is_refused)
        for is_refused in (True, False)
    )
    return {"champion": champion, "other": other["version"], "refused": refused["version"]}


def decide(service: RunningService) -> Any:
    opened = httpx2.post(f"{service.url}/v1/contacts", json={"customer_id": "C000007", "channel": "phone"})
    return opened.json()["decision"]


def confirm(page: Page, opener: str, button: str) -> None:
    page.locator(f'[data-open="{opener}"]').click()
    page.locator(f"#{opener}").get_by_role("button", name=button, exact=True).click()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_version_is_promoted_serves_the_next_decision_and_is_rolled_back(
    language: str,
    open_page: Opener,
    running_service: RunningService,
    registered: dict[str, str],
    complaints: list[str],
) -> None:
    say: Say = speaker(language)
    page = open_page("/science", locale=LOCALES[language])
    confirm(page, f"promote-{registered['other']}", say("promote_now"))
    expect(page.get_by_role("status").first).to_contain_text(say("notice_promoted"))
    expect(page.locator("#pending-relevance")).to_have_count(0, timeout=20_000)
    promoted = page.locator("thead th", has_text=registered["other"])
    expect(promoted).to_contain_text(say("in_service"))
    decision = decide(running_service)
    assert decision["model_version"] == registered["other"]
    page.goto(f"/science/decisions/{decision['decision_id']}")
    expect(page.get_by_role("link", name=registered["other"])).to_be_visible()

    page.goto("/science")
    confirm(page, "rollback-relevance", say("rollback_now"))
    expect(page.get_by_role("status").first).to_contain_text(say("notice_rolled_back"))
    expect(page.locator("#pending-relevance")).to_have_count(0, timeout=20_000)
    assert decide(running_service)["model_version"] == registered["champion"]
    assert complaints == []


def test_a_refused_version_offers_no_promotion_and_says_why(open_page: Opener, registered: dict[str, str]) -> None:
    page = open_page("/science")
    page.locator(f'[data-open="promote-{registered["refused"]}"]').click()
    dialog = page.locator(f"#promote-{registered['refused']}")
    expect(dialog).to_contain_text("must lie above")
    expect(dialog.get_by_role("button")).to_have_text(["Close"])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_decision_is_found_explained_and_replays_identically(
    language: str, open_page: Opener, running_service: RunningService, complaints: list[str]
) -> None:
    say = speaker(language)
    decision = decide(running_service)
    page = open_page("/science/decisions", locale=LOCALES[language])
    page.get_by_role("searchbox").fill(decision["decision_id"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/science/decisions/{decision['decision_id']}")
    page.get_by_role("button", name=say("replay")).click()
    expect(page.locator("#replay")).to_contain_text(say("replay_identical"))
    page.get_by_role("searchbox").fill("card")
    expect(page.locator("#held-back-list .plain-list, #held-back-list .plain-note")).to_be_visible()
    assert complaints == []


def test_monitoring_draws_whether_chances_come_true(open_page: Opener, complaints: list[str]) -> None:
    page = open_page("/science/monitoring")
    expect(page.locator("#acceptance svg").first).to_be_visible(timeout=20_000)
    expect(page.locator(".tile").first).to_contain_text("Catalogue shown")
    assert complaints == []


def test_the_card_shows_its_pictures(open_page: Opener, registered: dict[str, str], complaints: list[str]) -> None:
    page = open_page(f"/science/models/{registered['champion']}")
    picture = page.locator(".plot img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    assert complaints == []


@pytest.fixture(scope="module")
def pages(running_service: RunningService, registered: dict[str, str]) -> list[str]:
    """Every page of the console."""
    decision = f"/science/decisions/{decide(running_service)['decision_id']}"
    model = f"/science/models/{registered['champion']}"
    return ["/science", model, "/science/monitoring", "/science/decisions", decision, "/science/controls"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_has_a_serious_accessibility_problem(
    theme: str, language: str, open_page: Opener, pages: list[str]
) -> None:
    page = open_page("/science", color_scheme=theme, locale=LOCALES[language])
    for path in pages:
        page.goto(path)
        settle(page)
        assert axe_violations(page) == [], path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_scrolls_sideways_in_a_sidebar_or_breaks_the_policy(
    language: str, open_page: Opener, pages: list[str], complaints: list[str]
) -> None:
    page = open_page("/science", viewport=NARROW, locale=LOCALES[language])
    for path in pages:
        page.goto(path)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path
    assert complaints == []


def settle(page: Page) -> None:
    """Wait until what the page fetches by itself is there."""
    expect(page.locator(".loading")).to_have_count(0, timeout=20_000)
