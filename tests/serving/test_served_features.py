"""What the feature store serves is what the ranking uses; what it should have and has not, the decision says."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient
from redis import Redis
from typer.testing import CliRunner

from features.from_events import interaction_features
from features.gateway import FeatureGateway, _entity, _protos
from recsys.domain.customer import Customer
from recsys.domain.errors import FeaturesUnavailable
from recsys.domain.interaction import HistoryRow, Interaction, InteractionKind
from recsys.interactions.served_history import history_row
from recsys.storage.schema import interactions
from serving.app import create_app
from serving.cli.bank import fill_features
from serving.cli.main import build
from serving.decisions.record import BEFORE_SERVED, BEFORE_VOCABULARIES, Made, make_record, situation_of, to_json
from serving.decisions.rendering import render
from serving.decisions.replay import replay
from serving.settings import Settings
from serving.wiring import Services
from tests.features.conftest import Settings as Elsewhere
from tests.features.exported import Given, write_export
from tests.redis_server import RedisServer, a_redis_server
from tests.serving.test_replay import OFFERS, serve_a_model

CUSTOMERS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis_server() as server:
        yield server


class Bank:
    """A service with a model and features, and what is around it."""

    def __init__(self, client: TestClient, url: str) -> None:
        self.client, self.url = client, url
        self.services: Services = client.app.state.services  # type: ignore[attr-defined]

    def decide(self, customer_id: str) -> dict[str, Any]:
        """Open a contact, close it and return its decision as it is stored, with what the API said of it."""
        opened = self.client.post("/v1/contacts", json={"customer_id": customer_id, "channel": "phone"})
        assert opened.status_code == 201, opened.text
        said = opened.json()["decision"]
        contact = said["contact_id"]
        with self.services.database.read() as log:
            text = log.decision_text(said["decision_id"])
        with self.services.database.transaction(customer_id) as log:  # quietly: closing would push the features
            log.set_contact(replace(log.contact(contact), closed_at=self.services.clock()))
        return {**orjson.loads(text), "text": text, "degraded": said["degraded"], "said": said}

    def fill(self) -> None:
        """Export, apply and materialise."""
        fill_features(self.services.settings, self.url, lambda *_: None)

    def empty(self) -> None:
        """Empty Redis, as a failover to an empty replica would."""
        with Redis.from_url(self.url) as client:
            client.flushall()

    def ready(self) -> dict[str, Any]:
        """Return what /readyz says."""
        found: dict[str, Any] = self.client.get("/readyz").json()
        return found

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = [line for line in self.client.get("/metrics").text.splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> Iterator[Bank]:
    """Twelve customers with holdings, inquiries, cancellations and facts; features filled, a model in service."""
    settings = Settings(home=tmp_path_factory.mktemp("served") / "home", redis_url=server.url)
    with pytest.MonkeyPatch.context() as patch:  # a read may take longer on a busy machine; nothing here is about that
        patch.setattr("features.feast_store._READ_TIMEOUT_MS", 2_000)
        yield from _bank(settings, server)


def _bank(settings: Settings, server: RedisServer) -> Iterator[Bank]:
    with TestClient(create_app(settings), headers={"accept-language": "en"}) as client:
        bank = Bank(client, server.url)
        rng, now = np.random.default_rng(3), bank.services.clock()
        with bank.services.database.transaction() as log:
            log.set_attribute_types({"age": "number"})
            for number in range(CUSTOMERS):
                log.add_customer(Customer(f"c{number}", segment="mass", risk_level=3, attributes={"age": 44.0}), now)
                add_events(log, [an_event(f"c{number}", rng, now - timedelta(days=400)) for _ in range(8)])
        assert client.post("/v1/offers", json={"offers": OFFERS}).status_code == 201
        assert client.post("/v1/policy", json={"exploration_share": 0}).status_code == 201
        serve_a_model(bank.services, "als", 1)
        deadline = time.monotonic() + 60
        while bank.services.features._gateway is None and time.monotonic() < deadline:
            time.sleep(0.02)
        bank.fill()
        while bank.services.features.trouble() and time.monotonic() < deadline:  # applied after the service was started
            time.sleep(0.05)
        yield bank


@pytest.fixture
def filled(bank: Bank) -> Bank:
    """The same, with everything in the online store, whatever the tests before have done."""
    bank.empty()
    bank.fill()
    return bank


def an_event(customer_id: str, rng: np.random.Generator, since: Any) -> Interaction:
    kind = list(InteractionKind)[rng.integers(6)]
    return Interaction(customer_id, f"o{rng.integers(30)}", since + timedelta(days=float(rng.uniform(0, 399))), kind)


def add_events(log: Any, events: list[Interaction]) -> None:
    names = ("customer_id", "offer_id", "occurred_at", "kind", "channel", "weight")
    rows = [{name: getattr(event, name) for name in names} | {"kind": event.kind.value} for event in events]
    log._connection.execute(interactions.insert(), rows)


def listed(decision: dict[str, Any]) -> list[tuple[str, float]]:
    return [(offer["offer_id"], round(offer["relevance"], 4)) for offer in decision["offers"]]


def make_unavailable(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_online(customer_id: str) -> None:
        raise FeaturesUnavailable("not there")

    monkeypatch.setattr(bank.services.features.gateway, "read_online", read_online)


def test_the_served_row_and_the_log_alone_give_the_same_list(filled: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    served = [filled.decide(f"c{number}") for number in range(CUSTOMERS)]
    assert all(one["inputs"]["served"]["event_count"] for one in served)
    assert all(one["inputs"]["profile"]["age"] == 44.0 for one in served)
    assert {(one["degraded"], *one["features_missing"]) for one in served} == {(False,)}
    make_unavailable(filled, monkeypatch)
    alone = [filled.decide(f"c{number}") for number in range(CUSTOMERS)]
    assert all(one["inputs"]["served"] is None for one in alone)
    assert {tuple(one["degraded_reasons"]) for one in alone} == {("features_unavailable",)}
    assert [listed(one) for one in served] == [listed(one) for one in alone]


def test_another_row_in_redis_gives_another_list(filled: Bank) -> None:
    before = filled.decide("c1")
    row, at = before["inputs"]["served"], filled.services.clock()
    offers = tuple(f"o{number}" for number in range(3, 30, 7))
    ones = (1.0,) * len(offers)
    other = HistoryRow(at, row["event_count"], offers, ones, (0.0,) * len(offers), ones)
    with filled.services.database.read() as log:
        values = interaction_features(log.history("c1", at), (), (), at)
    filled.services.features.gateway.push("c1", values, other, at)
    after = filled.decide("c1")
    assert tuple(after["inputs"]["served"]["offers"]) == offers
    assert not after["degraded"]
    assert listed(after) != listed(before)


def test_an_event_after_the_row_is_folded_in(filled: Bank) -> None:
    before = filled.decide("c2")
    with filled.services.database.transaction("c2") as log:
        at = filled.services.clock()
        add_events(log, [Interaction("c2", offer, at) for offer in ("o3", "o10", "o17")])
    after = filled.decide("c2")
    assert after["inputs"]["served"] == before["inputs"]["served"]
    assert not after["degraded"]
    assert listed(after) != listed(before)


def test_an_event_that_came_late_makes_the_log_alone_tell(filled: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    with filled.services.database.transaction("c3") as log:
        add_events(log, [Interaction("c3", "o3", filled.services.clock() - timedelta(days=300))])
    late = filled.decide("c3")
    assert (late["inputs"]["served"], late["features_missing"]) == (None, ["customer_history"])
    assert late["degraded_reasons"] == ["features_missing"]
    filled.fill()
    again = filled.decide("c3")
    assert (again["degraded"], listed(again)) == (False, listed(late))


def test_facts_that_an_import_has_changed_since_are_the_logs(filled: Bank, tmp_path: Path) -> None:
    assert filled.decide("c4")["inputs"]["profile"] is not None
    (tmp_path / "customers.csv").write_text("customer_id,age,segment,risk_level\nc4,30,mass,3\n")
    seen = f"customer_id,offer_id,occurred_at,kind\nc4,o5,{filled.services.clock().isoformat()},view\n"
    (tmp_path / "interactions.csv").write_text(seen)
    imported = CliRunner().invoke(
        build(), ["import", str(tmp_path)], env={"NBO_HOME": str(filled.services.settings.home)}
    )
    assert imported.exit_code == 0, imported.output
    since = filled.decide("c4")
    assert (since["inputs"]["profile"], since["inputs"]["customer"]["attributes"]["age"]) == (None, 30.0)
    assert filled.decide("c5")["inputs"]["profile"] is not None
    assert not since["degraded"]
    filled.fill()
    assert filled.decide("c4")["inputs"]["profile"]["age"] == 30.0


def test_an_emptied_store_is_said_everywhere_within_seconds_and_so_is_its_return(filled: Bank) -> None:
    assert (filled.ready()["mode"], filled.metric("nbo_features_materialised")) == ("normal", 1.0)
    counted = filled.metric("nbo_features_missing_total")
    filled.empty()
    decision = filled.decide("c6")
    assert decision["said"]["degraded"]
    assert decision["said"]["degraded_reasons"] == ["features_missing"]
    assert decision["said"]["features_missing"] == ["customer_profile", "customer_interactions", "customer_history"]
    assert decision["offers"]
    ready = filled.ready()
    assert (ready["mode"], ready["degraded_reasons"]) == ("degraded", ["features_missing"])
    assert "nbo features materialize" in ready["advice"]
    assert filled.metric("nbo_features_materialised") == 0.0
    assert filled.metric("nbo_features_missing_total") == counted + 3
    doctor = _doctor(filled)
    assert not doctor["ok"]
    assert "nbo features materialize" in doctor["says"]

    filled.fill()
    assert (filled.decide("c6")["degraded"], filled.ready()["mode"]) == (False, "normal")
    assert filled.metric("nbo_features_materialised") == 1.0
    assert _doctor(filled)["ok"]


def _doctor(bank: Bank) -> dict[str, Any]:
    environment = {"NBO_HOME": str(bank.services.settings.home), "NBO_REDIS_URL": bank.url}
    result = CliRunner().invoke(build(), ["doctor", "--json"], env=environment)
    found: dict[str, Any] = json.loads(result.stdout)["parts"]["features online"]
    return found


@pytest.mark.parametrize("emptied", [False, True])
def test_a_customer_nobody_knows_is_not_missing(filled: Bank, emptied: bool) -> None:
    if emptied:
        filled.empty()
    name = f"nobody-{emptied}"
    first = filled.decide(name)
    assert (first["features_missing"], first["degraded"]) == ([], False)
    assert not filled.decide(name)["degraded"]


@pytest.mark.parametrize("view", ["customer_profile", "customer_interactions", "customer_history"])
def test_a_view_that_lost_a_customers_row_is_named(filled: Bank, view: str) -> None:
    with Redis.from_url(filled.url) as client:
        for key in client.scan_iter():
            if b"c7" in key:
                client.hdel(key, f"_ts:{view}")
    assert filled.decide("c7")["features_missing"] == [view]


def test_a_push_after_the_loss_brings_back_what_events_say(filled: Bank) -> None:
    filled.empty()
    opened = filled.client.post("/v1/contacts", json={"customer_id": "c8", "channel": "phone"}).json()
    assert filled.client.post(f"/v1/contacts/{opened['contact']['contact_id']}/close", json={}).status_code == 200
    assert filled.decide("c8")["features_missing"] == ["customer_profile"]


def spoil(bank: Bank) -> None:
    """Let the online store say something else of everybody."""
    at = bank.services.clock()
    for number in range(CUSTOMERS):
        row = history_row((), at)
        bank.services.features.gateway.push(f"c{number}", interaction_features((), (), (), at), row, at)


@pytest.mark.parametrize("afterwards", [Bank.fill, Bank.empty, spoil])
def test_a_decision_is_made_again_from_its_record_alone(filled: Bank, afterwards: Callable[[Bank], None]) -> None:
    made = [filled.decide(f"c{number}") for number in range(CUSTOMERS)]
    assert {one["format"] for one in made} == {5}
    afterwards(filled)
    for one in made:
        answer = filled.client.post(f"/v1/decisions/{one['decision_id']}/replay").json()
        assert (answer["identical"], answer["differences"]) == (True, [])


@pytest.mark.parametrize("older", [BEFORE_VOCABULARIES, BEFORE_SERVED])
def test_records_of_older_formats_are_made_again_from_what_the_log_told(filled: Bank, older: int) -> None:
    for number in range(CUSTOMERS):
        record = filled.decide(f"c{number}")
        with filled.services.database.read() as log:
            basis = filled.services.archive.basis_of(record, log)
        situation = replace(situation_of(record), served=None, profile=None, features_missing=(), plain_reasons=True)
        made = Made(older, record["runtime"])
        text = to_json(make_record(basis.decide(situation), situation, basis, record["sequence"], made))
        assert "served" not in text
        assert "features_missing" not in orjson.loads(text)
        assert replay(text, basis).is_identical


def test_who_refuses_profiling_is_ranked_without_what_is_served(filled: Bank) -> None:
    said = {"purpose": "profiling", "granted": False, "why": "asked"}
    assert filled.client.post("/v1/customers/c9/consents", json=said).status_code < 300
    before = listed(filled.decide("c9"))
    at = filled.services.clock() + timedelta(0)
    offers = ("o3", "o10", "o17")
    row = HistoryRow(at, 0, offers, (1.0,) * 3, (0.0,) * 3, (1.0,) * 3)
    filled.services.features.gateway.push("c9", interaction_features((), (), (), at), row, at)
    assert listed(filled.decide("c9")) == before


def test_facts_of_the_served_profile_are_what_models_are_told(filled: Bank) -> None:
    assert filled.decide("c10")["signals"]["age"] == 44.0
    gateway: Any = filled.services.features.gateway
    view = gateway._store.get_feature_view("customer_profile")
    row = _protos(view, {"kind": "customer", "segment": "private", "risk_level": 1, "attr_age": 20.0})
    written = [(_entity("c10"), row, filled.services.clock(), None)]
    gateway._store.provider.online_write_batch(gateway._store.config, view, written, None)
    decision = filled.decide("c10")
    assert (decision["signals"]["age"], decision["signals"]["risk_level"]) == (20.0, 1.0)
    assert decision["inputs"]["customer"]["attributes"]["age"] == 44.0
    assert decision["unknown"] == {}


def test_what_rounding_leaves_over_is_no_reason_that_is_shown_and_stays_in_the_record(filled: Bank) -> None:
    record = filled.decide("c1")
    reasons = record["offers"][0]["reasons"]
    assert len(reasons) >= 2
    for place, contribution in enumerate((1e-16, 0.0)):
        reasons[place]["contribution"] = contribution
    with filled.services.database.read() as log:
        catalogue = filled.services.catalogue.current(log)
    shown = render(record, "en", catalogue)["offers"][0]["reasons"]
    assert [one["code"] for one in shown] == [one["code"] for one in reasons[1:]]


def test_what_another_home_has_put_into_the_same_redis_is_missing_here_and_is_left_there(
    filled: Bank, tmp_path: Path
) -> None:
    """A second bank, of the same customers and offers, is configured with our Redis."""
    settings = Elsewhere(tmp_path, tmp_path / "offline", filled.url)
    gold = [Given(Customer(f"c{number}", segment="gold")) for number in range(CUSTOMERS)]
    write_export(settings.offline / "events", gold, filled.services.clock())
    elsewhere = FeatureGateway(settings)
    elsewhere.build_feature_tables(settings.offline / "events")
    elsewhere.apply()
    filled.empty()
    elsewhere.materialize()
    told = filled.decide("c6")
    assert told["inputs"]["profile"] is None
    assert told["features_missing"] == ["customer_profile", "customer_interactions", "customer_history"]
    assert filled.ready()["degraded_reasons"] == ["features_missing"]
    doctor = _doctor(filled)
    assert not doctor["ok"]
    assert "features of other homes too, of 1" in doctor["says"]
    marker = elsewhere.marker()
    filled.fill()
    assert filled.decide("c6")["inputs"]["profile"]["segment"] == "mass"
    assert filled.ready()["mode"] == "normal"
    assert elsewhere.marker() == marker != None  # noqa: E711
    assert (elsewhere.read_online("c6").profile or {})["segment"] == "gold"
    elsewhere.close()
