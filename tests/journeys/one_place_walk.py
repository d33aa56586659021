"""Walks a copy of the product to which a flag, a channel and a kind of offer were added, in its own process."""

import json
import sys
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from recsys.domain.clock import system_clock
from recsys.storage.database import open_database
from recsys.storage.export import export_events
from serving.app import create_app
from serving.cli.main import build
from serving.embedded_redis import embedded_redis
from serving.settings import Settings

CUSTOMERS = "customer_id,Is_Deceased,consent_marketing\nd1,Y,yes\nd2,no,yes\n"
OFFERS = (
    "offer_id,title_en,title_zh,kind,channels,eligibility,family\n"
    "bundle,Bundle,套餐,cross,VR,NOT deceased,bundle\nloan,Loan,贷款,product,,,loan\n"
)
INTERACTIONS = "customer_id,offer_id,occurred_at,event,channel\nd2,loan,2026-01-05,declined,vr glasses\n"


def main(folder: Path) -> dict[str, object]:
    """Return what every door, page, rule and decision made of the three."""
    bank, home = folder / "bank", folder / "home"
    bank.mkdir(parents=True)
    for name, text in (("customers", CUSTOMERS), ("offers", OFFERS), ("interactions", INTERACTIONS)):
        (bank / f"{name}.csv").write_text(text, encoding="utf-8")
    home.mkdir()
    with embedded_redis(folder / "redis") as redis_url:
        settings = Settings(home=home, redis_url=redis_url)
        _command(["import", str(bank)], home)
        with TestClient(create_app(settings), headers={"accept-language": "en"}) as api:
            found = _api(api)
            found["pages"] = {language: _pages(api, language) for language in ("en", "zh")}
        database = open_database(settings.event_log_url)
        export_events(database, folder / "events")
        with database.read() as log:
            found["answers"] = [
                past.channel for past in log.answers("d2", system_clock().replace(year=2000), system_clock())
            ]
        database.close()
    import pyarrow.parquet as pq

    people = pq.read_table(folder / "events" / "customers.parquet").to_pylist()
    return {**found, "exported": {one["customer_id"]: one["deceased"] for one in people}}


def _command(words: list[str], home: Path) -> None:
    import os

    from typer.testing import CliRunner

    os.environ["NBO_HOME"] = str(home)
    result = CliRunner().invoke(build(), words)
    if result.exit_code:
        raise SystemExit(f"{words}: {result.output}")


def _api(api: TestClient) -> dict[str, object]:
    opened = {one: _opened(api, one, "VR") for one in ("d1", "d2")}
    held_back = {
        one: sorted({held["code"] for held in view["decision"]["held_back"]} - {"not_called_for"})
        for one, view in opened.items()
    }
    live = api.post("/v1/customers/d2/flags", json={"flag": "deceased", "value": True, "why": "told"})
    return {
        "held_back": held_back,
        "offered": {one: [offer["offer_id"] for offer in view["decision"]["offers"]] for one, view in opened.items()},
        "channel": opened["d2"]["contact"]["channel"],
        "kinds": [offer["kind"] for offer in opened["d2"]["decision"]["offers"]],
        "customer": opened["d1"]["customer"]["deceased"],
        "rule": api.post("/v1/offers/validate", json={"rule": "deceased"}).json(),
        "set_live": (live.status_code, live.json().get("deceased")),
        "after": [offer["offer_id"] for offer in _opened(api, "d2", "metaverse")["decision"]["offers"]],
        "contact": opened["d1"]["contact"]["contact_id"],
    }


def _opened(api: TestClient, customer_id: str, channel: str) -> Any:
    answer = api.post("/v1/contacts", json={"customer_id": customer_id, "channel": channel, "agent_id": "a1"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def _pages(api: TestClient, language: str) -> dict[str, object]:
    """Return for each page its status and which of the three labels stand on it."""
    labels = {"en": ("Deceased", "Metaverse", "Cross offer"), "zh": ("已故", "元宇宙", "交叉产品")}[language]
    contact = api.get("/v1/contacts", params={"agent_id": "a1"}).json()[0]["contact"]["contact_id"]
    pages = (
        "/agent", f"/agent/contacts/{contact}", "/marketing", "/marketing/catalogue", "/marketing/catalogue/new",
        "/marketing/catalogue/bundle", "/marketing/vocabulary", "/marketing/campaigns/new", "/science",
    )  # fmt: skip
    found: dict[str, object] = {}
    for page in pages:
        answer = api.get(page, headers={"accept-language": language, "accept": "text/html"})
        found[page.replace(contact, "ID")] = [answer.status_code, [label for label in labels if label in answer.text]]
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1])), ensure_ascii=False) + "\n")
