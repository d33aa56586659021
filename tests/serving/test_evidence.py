"""Evidence in service: what customers answered moves the next decisions, which name what they were made with."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import redis
from fastapi.testclient import TestClient

from features.offer_rows import OfferRow
from recsys.domain.errors import FeaturesUnavailable, NotReplayable
from recsys.domain.outcome import Answer, Outcome
from recsys.domain.policy import Policy
from recsys.ranking.evidence import OfferEvidence
from recsys.storage.database import Database, open_database
from recsys.storage.event_log import EventLog
from recsys.storage.export import export_events
from serving.app import create_app
from serving.decisions.record import Made, make_record, situation_of, to_json
from serving.decisions.replay import replay
from serving.evidence import WINDOW, EvidenceInService, EvidenceReader, logged_evidence
from serving.settings import Settings
from serving.wiring import Services
from tests.builders import a_contact, a_customer
from tests.recsys.models.bundles import a_bundle
from tests.serving.conftest import OFFERS as OFFER_ROWS
from tests.training.answers import Given, a_record

NOW = datetime(2026, 3, 1, 9, 30, 0, 123_456, tzinfo=UTC)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
OFFERS = ("card", "loan", "fund", "never")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.close()


def answer(log: EventLog, given: list[tuple[str, Answer, datetime]]) -> None:
    """Write what one customer answered, and when."""
    log.add_customer(a_customer(customer_id="c"), NOW)
    log.add_contact(a_contact(contact_id="k-c", customer_id="c"))
    for number, (offer_id, said, at) in enumerate(given):
        log.add_decision(a_record(Given("c", 0.0, {}, offer=offer_id), f"d{number}"), log.next_sequence("k-c"))
        log.add_outcome(Outcome(f"o{number}", f"d{number}", "k-c", "c", offer_id, said, at), f"key-{number}", "", {})


def at_random(rng: np.random.Generator, count: int) -> list[tuple[str, Answer, datetime]]:
    """Answers of 800 days, many of them on the very edges of days and of the window."""
    edges = [TODAY, TODAY - WINDOW, TODAY - timedelta(days=30), NOW, TODAY - timedelta(days=1)]
    nudges = [timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1)]

    def moment() -> datetime:
        if rng.random() < 0.5:
            return edges[rng.integers(len(edges))] + nudges[rng.integers(3)]
        return NOW - timedelta(days=float(rng.uniform(-3, 800)))

    words = list(Answer)
    return [(OFFERS[rng.integers(3)], words[rng.integers(len(words))], moment()) for _ in range(count)]


def expected(given: list[tuple[str, Answer, datetime]], now: datetime) -> dict[str, tuple[int, int]]:
    """The definition, in the plainest way."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found: dict[str, tuple[int, int]] = {}
    for offer_id, said, at in given:
        if said is not Answer.NOT_PITCHED and midnight - WINDOW <= at <= now:
            took, of = found.get(offer_id, (0, 0))
            found[offer_id] = took + (said is Answer.ACCEPTED), of + 1
    return found


def rows_as_of(given: list[tuple[str, Answer, datetime]], moment: datetime) -> dict[str, OfferRow]:
    """The rows that the feature view has as of a moment: of the whole days before it."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = {}
    for offer_id in {offer_id for offer_id, _, _ in given}:
        inside = [said for one, said, at in given if one == offer_id and midnight - WINDOW <= at < midnight]
        values = {f"offer_{word}_count_365d": inside.count(Answer(word)) for word in ("accepted", "declined", "later")}
        rows[offer_id] = OfferRow(moment, values)
    return rows


def only(rows: dict[str, OfferRow], _offer_ids: Sequence[str]) -> dict[str, OfferRow]:
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_the_rows_brought_up_to_date_say_what_the_log_alone_says(seed: int, database: Database) -> None:
    rng = np.random.default_rng(seed)
    given = at_random(rng, 120)
    with database.transaction() as log:
        answer(log, given)
    for days in (0.0, 0.2, 0.5, 1.0, 40.3, 364.9, 365.2, 500.0):
        rows = rows_as_of(given, NOW - timedelta(days=days))
        for row in ("card", "loan", "fund")[: int(rng.integers(3))]:
            rows.pop(row, None)
        reader = EvidenceReader(partial(only, rows))
        with database.read() as log:
            for _ in range(2):
                assert reader.read(log, OFFERS, NOW).counts == expected(given, NOW)
            assert logged_evidence(log, OFFERS, NOW).counts == expected(given, NOW)
            earlier = NOW - timedelta(days=3)
            assert logged_evidence(log, OFFERS, earlier).counts == expected(given, earlier)


def test_the_rows_of_the_feature_view_are_what_counts_until_they_are_gone(database: Database) -> None:
    online: dict[str, OfferRow] = {"card": OfferRow(NOW, {"offer_accepted_count_365d": 7, "offer_later_count_365d": 3})}

    def read_rows(_offer_ids: object) -> dict[str, OfferRow]:
        if not online:
            raise FeaturesUnavailable("gone")
        return online

    reader = EvidenceReader(read_rows)
    with database.transaction() as log:
        answer(log, [("card", Answer.DECLINED, NOW - timedelta(days=2)), ("loan", Answer.DECLINED, NOW)])
        assert reader.read(log, OFFERS, NOW).counts == {"card": (7, 10), "loan": (0, 1)}
        online.clear()
        assert reader.read(log, OFFERS, NOW).counts == {"card": (0, 1), "loan": (0, 1)}
        assert reader.read(log, ("loan",), NOW).counts == {"loan": (0, 1)}


def test_what_is_held_is_read_again_when_it_is_too_old(database: Database) -> None:
    service = EvidenceInService(hold_seconds=5.0)
    with database.transaction() as log:
        answer(log, [("card", Answer.ACCEPTED, NOW + timedelta(seconds=1))])
        assert service.current(log, OFFERS, NOW).counts == {}
        assert service.current(log, OFFERS, NOW + timedelta(seconds=4)).counts == {}
        assert service.current(log, OFFERS, NOW + timedelta(seconds=5)).counts == {"card": (1, 1)}


def test_evidence_is_stored_once_and_not_at_all_where_the_decision_was_rolled_back(database: Database) -> None:
    service, evidence = EvidenceInService(), OfferEvidence({"card": (1, 2)})

    class Fails(Exception):
        """The decision fails after its evidence was kept."""

    def fail() -> None:
        with database.transaction() as log:
            service.keep(log, evidence, NOW)
            raise Fails

    with pytest.raises(Fails):
        fail()
    with database.transaction() as log:
        assert log.evidence_of(evidence.version) is None
        service.keep(log, evidence, NOW)
        service.keep(log, evidence, NOW)
    with database.read() as log:
        assert log.evidence_of(evidence.version) == {"card": (1, 2)}
        assert log.counts()["offer_evidence"] == 1
        assert log.latest_evidence() == {"card": (1, 2)}


def services_of(api: TestClient) -> Services:
    services: Services = api.app.state.services  # type: ignore[attr-defined]
    return services


def decided(api: TestClient, customer: str) -> dict[str, Any]:
    """Open a contact and return the stored record of its decision."""
    body = {"customer_id": customer, "channel": "phone", "agent_id": "a"}
    opened = api.post("/v1/contacts", json=body).json()
    with services_of(api).database.read() as log:
        return log.decision(opened["decision"]["decision_id"])


def say(api: TestClient, record: dict[str, Any], offer_id: str, answer: str) -> None:
    body = {"decision_id": record["decision_id"], "offer_id": offer_id, "answer": answer}
    assert api.post("/v1/outcomes", json=body, headers={"idempotency-key": record["decision_id"]}).status_code == 201


def card_of(record: dict[str, Any]) -> dict[str, Any]:
    card: dict[str, Any] = next(one for one in record["offers"] if one["offer_id"] == "card")
    return card


def is_replayed(api: TestClient, record: dict[str, Any]) -> bool:
    services = services_of(api)
    with services.database.read() as log:
        text = log.decision_text(record["decision_id"])
        return replay(text, services.archive.basis_of(record, log)).is_identical


@pytest.fixture
def quick_api(tmp_path: Path, redis_url: str) -> Iterator[TestClient]:
    """A service that looks at the evidence several times a second."""
    settings = Settings(home=tmp_path / "home", redis_url=redis_url, evidence_seconds=0.1)
    with TestClient(create_app(settings), headers={"accept-language": "en"}) as client:
        assert client.post("/v1/offers", json={"offers": OFFER_ROWS}).status_code == 201
        assert client.post("/v1/policy", json={"exploration_share": 0, "list_length": 5}).status_code == 201
        yield client


def test_answers_change_the_base_within_seconds_and_earlier_decisions_stay_as_they_were(quick_api: TestClient) -> None:
    first = decided(quick_api, "c0")
    prior, start = Policy().starting_evidence, card_of(first)["signals"]["base_log_odds"]
    for number in range(1, 4):
        say(quick_api, decided(quick_api, f"c{number}"), "card", "declined")
    deadline = time.monotonic() + 5
    while (latest := decided(quick_api, f"d{time.monotonic_ns()}"))["evidence_version"] == first["evidence_version"]:
        assert time.monotonic() < deadline
    time.sleep(0.5)
    latest = decided(quick_api, "last")
    chance = prior / (1 + np.exp(-start)) / (prior + 3)
    assert card_of(latest)["signals"]["base_log_odds"] == pytest.approx(np.log(chance / (1 - chance)))
    assert card_of(latest)["signals"]["base_log_odds"] < start
    assert is_replayed(quick_api, first)
    assert is_replayed(quick_api, latest)
    with services_of(quick_api).database.read() as log:
        assert log.evidence_of(latest["evidence_version"]) == {"card": (0, 3)}
        assert log.evidence_of(first["evidence_version"]) == {}


def test_a_decision_whose_evidence_is_gone_cannot_be_made_again_and_says_so(quick_api: TestClient) -> None:
    record = decided(quick_api, "c0")
    services = services_of(quick_api)
    with services.database.read() as log, pytest.raises(NotReplayable, match="OfferEvidence e-none"):
        services.archive.basis_of({**record, "evidence_version": "e-none"}, log)


@pytest.mark.parametrize("made", [Made(2, None), Made(3, "an older runtime")])
def test_records_of_before_evidence_was_named_are_made_again_with_what_the_bundle_counted(
    made: Made, api: TestClient, tmp_path: Path
) -> None:
    services, record = services_of(api), decided(api, "c0")
    bundle = replace(a_bundle(tmp_path / "b"), answer_counts={"card": (50, 60)})
    with services.database.read() as log:
        basis = services.archive.basis_of(record, log)
    old = replace(basis, model=bundle, evidence=None)
    situation = replace(situation_of(record), plain_reasons=True)
    written = make_record(old.decide(situation), situation, old, 1, made)
    text = to_json(written)
    assert "evidence_version" not in written
    assert card_of(written)["signals"]["base_log_odds"] > card_of(record)["signals"]["base_log_odds"]
    with services.database.read() as log:
        found = services.archive.basis_of({**orjson.loads(text), "model_version": "none"}, log)
    assert found.evidence is None
    assert replay(text, replace(found, model=bundle)).is_identical
    assert not replay(text, replace(found, model=bundle, evidence=OfferEvidence({}))).is_identical


def test_what_the_online_store_says_comes_from_the_feature_view_and_the_log_says_the_same(
    quick_api: TestClient, database: Database, tmp_path: Path
) -> None:
    services = services_of(quick_api)
    yesterday = services.clock() - timedelta(days=1)
    answers = [("card", said, yesterday) for said in (Answer.ACCEPTED, Answer.LATER, Answer.NOT_PITCHED)]
    with services.database.transaction() as log:
        answer(log, answers)
    export_events(services.database, services.settings.events)
    services.features.wait()
    gateway = services.features.gateway
    gateway.build_feature_tables(services.settings.events)
    gateway.apply()
    gateway.materialize()
    now, reader = services.clock(), EvidenceReader(gateway.read_offer_answers)
    with services.database.read() as log:
        found = reader.read(log, OFFERS, now)
        assert found == logged_evidence(log, OFFERS, now)
        assert found.counts == {"card": (1, 2)}
    with database.read() as empty:
        assert EvidenceReader(gateway.read_offer_answers).read(empty, OFFERS, now) == found
        with redis.Redis.from_url(services.settings.redis_url or "") as client:
            client.flushall()
        assert EvidenceReader(gateway.read_offer_answers).read(empty, OFFERS, now).counts == {}
    with services.database.read() as log:
        assert reader.read(log, OFFERS, now) == found
