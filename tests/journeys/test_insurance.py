"""A real insurer's purchases, from the files to decisions over HTTP. Needs the data beside the project."""

import csv
import gzip
from pathlib import Path

import httpx2
import pytest

from tests.journeys.service import nbo_json, serving

DATA = Path(__file__).parents[3] / "shared" / "data" / "insurance"
MAPPING = Path(__file__).parents[2] / "docs" / "examples" / "insurance.yaml"
DECISIONS = 1000

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the insurer's data is not beside the project")


def test_customers_are_never_offered_what_they_hold(tmp_path: Path) -> None:
    imported = nbo_json(tmp_path, "import", str(DATA), "--mapping", str(MAPPING))
    rows = imported["files"]["purchase_events_train.csv.gz"]
    assert (rows["read"], rows["added"], rows["rejected"]) == (55_619, 55_619, 0)

    for step in ("export", "apply"):
        nbo_json(tmp_path, "features", step)
    trained = nbo_json(tmp_path, "train", "--model", "popularity,blend", "--promote-if-better")
    assert trained["promoted"]

    held = _purchases("purchase_events_train.csv.gz")
    customers = list(_purchases("purchase_events_test.csv.gz"))[:DECISIONS]
    offered = known = 0
    with serving(tmp_path, mode="degraded") as service, httpx2.Client(base_url=service.url) as client:
        for customer_id in customers:
            answer = client.post("/v1/contacts", json={"customer_id": customer_id, "channel": "phone"})
            decision = answer.json()["decision"]
            assert answer.status_code == 201
            assert decision["model_version"] == trained["version"]
            ids = {offer["offer_id"] for offer in decision["offers"]}
            assert not ids & held.get(customer_id, set())
            offered += len(ids)
            known += customer_id in held
    assert len(customers) == DECISIONS
    assert offered > 2 * DECISIONS
    assert known > 100


def _purchases(name: str) -> dict[str, set[str]]:
    """Return customer → what they bought, in the order of the file."""
    bought: dict[str, set[str]] = {}
    with gzip.open(DATA / name, "rt") as file:
        for row in csv.DictReader(file):
            bought.setdefault(row["user_id"], set()).add(row["item_id"])
    return bought
