"""A bank's own features in service: read by models and rules, kept in the record, closed where they cannot be read."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from features.offline import offline_features
from features.service_names import PROPENSITY_SERVICE
from recsys.domain.errors import FeaturesUnavailable, InvalidInput, SettingsInvalid
from recsys.models.propensity_folder import load_propensity_model, save_propensity_model
from recsys.models.propensity_model import LINEAR
from serving.cli.features_commands import materialize_features
from serving.cli.own_features_check import check_own_features
from serving.decisions.replay import replay
from serving.settings import Settings
from tests.redis_server import RedisServer, a_redis_server
from tests.serving.test_served_features import Bank, _bank
from training.propensity_fit import FitOptions, fit_propensity

FILE = """
from features.own_views import Feature, Parquet, View

payroll = View(
    name="payroll",
    source=Parquet("payroll.parquet"),
    features=[Feature("salary_paid", float), Feature("employer_sector", str)],
    owner="payroll@bank.example",
)


@payroll.transformation("Salary by year of age.")
def salary_by_age(salary_paid: float | None, age: float | None) -> float | None:
    return salary_paid / age if salary_paid is not None and age else None
"""
RULES = {
    "pays": "salary_paid >= 2000",
    "by_age": "salary_by_age > 40",
    "sector": "employer_sector = 'rail'",
    "unknown": "salary_paid IS NULL",
    "not_unknown": "NOT salary_paid > 0 OR salary_paid IS NULL",
    "anybody": None,
}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, server: RedisServer) -> Iterator[Bank]:
    """The bank of `test_served_features` with a salary of c0 and c1, and offers whose rules ask for it."""
    home = tmp_path_factory.mktemp("own")
    settings = Settings(home=home / "home", redis_url=server.url, features=home / "bank")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.feast_store._READ_TIMEOUT_MS", 2_000)
        (home / "bank").mkdir()
        found = _bank(settings, server)
        bank = next(found)
        write(bank)
        bank.fill()
        offers = [
            {"offer_id": f"r-{name}", "title": name, "kind": "product", "family": name, "margin": 50, "risk_level": 1,
             "eligibility": rule, "terms": {"line": "coalesce(salary_paid, 7) * 2"}}
            for name, rule in RULES.items()
        ]  # fmt: skip
        answer = bank.client.post("/v1/offers", json={"offers": offers})
        assert answer.status_code == 201, answer.text
        yield bank
        next(found, None)


@pytest.fixture
def bank(shared: Bank) -> Bank:
    """The same, with everything as it was declared first, whatever the tests before have done."""
    write(shared)
    shared.empty()
    shared.fill()
    return shared


def folder(bank: Bank) -> Path:
    found = bank.services.settings.features
    assert found is not None
    return found


def write(bank: Bank, text: str = FILE, paid: tuple[tuple[str, float, str], ...] = ()) -> None:
    """Write what the bank declares, and whom it has seen paid."""
    (folder(bank) / "payroll.py").write_text(text)
    rows = paid or (("c0", 3000.0, "rail"), ("c1", 900.0, "care"))
    at = bank.services.clock() - timedelta(days=3)
    moments: list[datetime] = [at] * len(rows)
    columns: dict[str, Any] = {
        "customer_id": [row[0] for row in rows],
        "known_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
        "salary_paid": [row[1] for row in rows],
        "employer_sector": [row[2] for row in rows],
    }
    write_table(pa.table(columns), folder(bank) / "payroll.parquet")


def judged(decision: dict[str, Any]) -> dict[str, str]:
    """Return the code of each offer with a rule of ours, "open" where nothing of permission stops it."""
    stopped = {offer: code for code, offers in decision["held_back"].items() for offer in offers}
    rules = ("not_eligible", "eligibility_unknown")
    return {name: code if (code := stopped.get(f"r-{name}", "open")) in rules else "open" for name in RULES}


def test_a_rule_names_a_feature_as_it_names_an_attribute(bank: Bank) -> None:
    paid, less, nobody = (judged(bank.decide(customer)) for customer in ("c0", "c1", "c2"))
    assert paid == {**dict.fromkeys(RULES, "open"), "unknown": "not_eligible", "not_unknown": "not_eligible"}
    assert [less[name] for name in ("pays", "by_age", "sector", "anybody")] == [*["not_eligible"] * 3, "open"]
    # of c2 the bank says nothing, which is like an attribute that is not known
    assert [nobody[name] for name in ("pays", "by_age", "sector")] == ["eligibility_unknown"] * 3
    assert [nobody[name] for name in ("unknown", "not_unknown")] == ["open"] * 2


def test_the_record_keeps_what_was_used_and_is_made_again_to_the_byte_without_the_store(bank: Bank) -> None:
    decisions = [bank.decide(f"c{number}") for number in range(3)]
    assert decisions[0]["inputs"]["own"] == {
        "salary_paid": 3000.0,
        "employer_sector": "rail",
        "salary_by_age": 3000.0 / 44.0,
    }
    assert "unread" not in decisions[0]["inputs"]
    assert decisions[0]["signals"]["salary_by_age"] == 3000.0 / 44.0
    bank.empty()
    write(bank, "broken (")
    decisions.append(bank.decide("c0"))
    assert decisions[-1]["inputs"]["unread"] == ["employer_sector", "salary_by_age", "salary_paid"]
    for one in decisions:
        with bank.services.database.read() as log:
            basis = bank.services.archive.basis_of(one, log)
        assert replay(one["text"], basis).is_identical


def test_what_cannot_be_read_closes_every_rule_that_names_it_and_the_decision_says_so(bank: Bank) -> None:
    terms = {
        offer["offer_id"]: offer["terms"]["line"] for offer in bank.decide("c2")["offers"] if "line" in offer["terms"]
    }
    assert set(terms.values()) <= {14.0}
    bank.empty()
    decision = bank.decide("c2")
    assert judged(decision) == {**dict.fromkeys(RULES, "eligibility_unknown"), "anybody": "open"}
    assert decision["degraded"]
    assert "payroll" in decision["features_missing"]
    assert decision["unknown"]["r-unknown"] == "salary_paid"
    assert {offer["terms"]["line"] for offer in decision["offers"] if "line" in offer["terms"]} <= {None}
    assert bank.metric('nbo_features_missing_total{view="payroll"}') >= 1


def test_a_broken_file_changes_nothing_and_decisions_go_on_with_what_was_applied(bank: Bank) -> None:
    before = bank.decide("c0")
    for text in (
        "broken (",
        "raise SystemError('no')",
        "raise SystemExit(0)",
        FILE.replace('"salary_paid", float', '"salary_paid", str'),
    ):
        write(bank, text)
        with pytest.raises(InvalidInput, match=r"payroll\.py"):
            bank.fill()
        after = bank.decide("c0")
        assert after["inputs"]["own"] == before["inputs"]["own"]
        assert judged(after) == judged(before)
        assert after["features_missing"] == []


def test_a_dropped_feature_is_told_at_the_next_check_and_its_rules_are_closed(bank: Bank) -> None:
    write(bank, FILE.replace(', Feature("employer_sector", str)', ""))
    bank.fill()
    decision = bank.decide("c0")
    assert judged(decision)["sector"] == "eligibility_unknown"
    assert judged(decision)["pays"] == "open"
    assert decision["inputs"]["unread"] == ["employer_sector"]
    assert (decision["features_missing"], decision["degraded"]) == (["employer_sector"], True)
    ready = bank.ready()
    assert (ready["mode"], ready["lacking"]) == ("degraded", ["employer_sector"])
    said = bank.client.post("/v1/offers/validate", json={"offer_id": "x", "title": "x", "kind": "product",
                            "family": "x", "margin": 1, "risk_level": 1, "eligibility": RULES["sector"]})  # fmt: skip
    assert not said.json()["valid"]
    assert "a name that is not known" in said.text
    other = {"offer_id": "other", "title": "x", "kind": "product", "family": "x", "margin": 1, "risk_level": 1}
    assert bank.client.post("/v1/offers", json=other).status_code == 201  # nobody else's work stands still
    write(bank, FILE.replace("salary_paid", "salary_received"))
    columns = folder(bank) / "payroll.parquet"
    table = pa.parquet.read_table(columns)
    write_table(table.rename_columns([name.replace("paid", "received") for name in table.column_names]), columns)
    bank.fill()
    renamed = bank.decide("c2")
    assert judged(renamed)["unknown"] == "eligibility_unknown"  # IS NULL of it opens nothing
    assert renamed["inputs"]["own"]["salary_received"] is None


@pytest.mark.parametrize("body", ["salary_paid / (age - 44.0)", "exit(1)", "next(iter(()))", "[][0]", "10**400"])
def test_a_function_that_fails_is_missing_and_stops_nothing(body: str, bank: Bank) -> None:
    write(bank, FILE.replace("salary_paid / age if", f"{body} if"))
    bank.fill()
    decision = bank.decide("c0")
    assert decision["features_missing"] == ["salary_by_age"]
    assert decision["degraded"]
    assert judged(decision)["by_age"] == "eligibility_unknown"
    assert judged(decision)["pays"] == "open"
    assert bank.decide("c2")["features_missing"] == []


@pytest.mark.parametrize("text", [r"'\ud800'", r"'a\0b'", "'x' * 5_000_000", "'x' * 10_001"])
def test_a_text_that_cannot_be_kept_is_missing_and_stops_nothing(text: str, bank: Bank) -> None:
    write(bank, FILE.replace("-> float | None", "-> str | None").replace("salary_paid / age if", f"{text} if"))
    bank.fill()
    decision = bank.decide("c0")
    assert decision["features_missing"] == ["salary_by_age"]
    assert "salary_by_age" not in decision["inputs"]["own"]
    assert judged(decision)["pays"] == "open"
    assert bank.decide("c2")["features_missing"] == []


def test_what_is_derived_of_a_number_or_a_text_is_recorded_as_what_it_is(bank: Bank) -> None:
    write(bank, FILE.replace("salary_paid / age if", "__import__('numpy').float64(salary_paid / age) if"))
    bank.fill()
    decision = bank.decide("c0")
    assert (decision["features_missing"], decision["inputs"]["own"]["salary_by_age"]) == ([], 3000.0 / 44.0)


def test_of_a_customer_nobody_knows_nothing_is_missing_and_the_rules_are_closed(bank: Bank) -> None:
    decision = bank.decide("a-stranger")
    assert decision["features_missing"] == []
    assert judged(decision)["unknown"] == "eligibility_unknown"


def test_who_refuses_profiling_is_ranked_without_them(bank: Bank) -> None:
    said = {"purpose": "profiling", "granted": False, "why": "asked"}
    assert bank.client.post("/v1/customers/c1/consents", json=said).status_code < 300
    assert "salary_paid" not in bank.decide("c1")["signals"]


def serve_a_propensity(bank: Bank) -> None:
    """Put a propensity in service that learned that who is paid more says yes."""
    rng, services = np.random.default_rng(3), bank.services
    salary = rng.uniform(500, 4000, 2_000)
    table = np.column_stack([rng.normal(-1, 0.2, 2_000), rng.normal(0, 1, 2_000), salary])
    answers = (rng.random(2_000) < 1 / (1 + np.exp(-(salary - 2000) / 300))).astype(np.float64)
    fitted = fit_propensity((*LINEAR, "salary_paid"), table, answers, FitOptions())
    place = services.settings.bundles / "new"
    version = save_propensity_model(place, fitted.parts).version
    place.rename(services.settings.bundles / version)
    services.champion._has_propensity = True
    model = load_propensity_model(services.settings.bundles / version, version)
    services.champion._put(replace(services.champion.pair, propensity=model))


def chances(decision: dict[str, Any]) -> dict[str, float]:
    return {offer["offer_id"]: offer["propensity"] for offer in decision["offers"]}


def test_taking_the_view_away_changes_a_served_decision_and_everything_says_so(bank: Bank) -> None:
    serve_a_propensity(bank)
    told, other = bank.decide("c0"), bank.decide("c1")
    assert "salary_paid" in {name for name in told["signals"] if told["signals"][name] is not None}
    assert min(chances(told).values()) > max(chances(other).values())
    assert bank.ready()["mode"] == "normal"
    assert check_own_features(bank.services.settings).startswith("3 applied")
    (folder(bank) / "payroll.py").unlink()
    bank.fill()
    untold = bank.decide("c0")
    assert chances(untold) != chances(told)
    assert "salary_paid" in untold["features_missing"]
    assert untold["degraded"]
    ready = bank.ready()
    assert (ready["mode"], ready["lacking"]) == ("degraded", ["employer_sector", "salary_by_age", "salary_paid"])
    with pytest.raises(SettingsInvalid, match=r"r-sector \(employer_sector\).*models in service read.*salary_paid"):
        check_own_features(bank.services.settings)
    for one in (told, untold):
        with bank.services.database.read() as log:
            basis = bank.services.archive.basis_of(one, log)
        assert replay(one["text"], basis).is_identical


DESK = (
    FILE.replace("Parquet, View", "Parquet, Pushed, View")
    + """

desk = View(name="desk", source=Pushed(), features=[Feature("visits", int), Feature("mood", str)])
"""
)


def push(bank: Bank, view: str = "desk", key: str | None = None, **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return bank.client.post(f"/v1/features/{view}", json=body, headers=headers)


def test_what_is_pushed_is_in_the_next_decision_and_in_training_and_in_a_store_that_was_filled_again(
    bank: Bank,
) -> None:
    write(bank, DESK)
    bank.fill()
    before = bank.services.clock()
    answer = push(bank, customer_id="c0", features={"visits": 3, "mood": "calm"}, key="k1")
    assert (answer.status_code, answer.json()["served"]) == (201, True)
    assert push(bank, customer_id="c0", features={"visits": 3, "mood": "calm"}, key="k1").status_code == 200
    told = bank.decide("c0")["inputs"]["own"]
    assert (told["visits"], told["mood"]) == (3, "calm")
    whole = 2**53 + 1  # which no float holds
    assert push(bank, customer_id="c0", features={"visits": whole}).status_code == 201
    told = bank.decide("c0")["inputs"]["own"]
    assert (told["visits"], told["mood"]) == (whole, None)
    with bank.services.database.read() as log:
        rows = [row for batch in log.pushed("desk", bank.services.clock()) for row in batch]
    assert [row[2]["visits"] for row in rows] == [3, whole]
    bank.empty()
    bank.fill()
    assert bank.decide("c0")["inputs"]["own"]["visits"] == whole
    with offline_features(bank.services.settings) as features:
        joined = features.known_at(PROPENSITY_SERVICE, ["c0", "c0", "c0"], [before, rows[0][1], rows[1][1]])
    assert joined["visits"].to_pylist() == [None, 3, whole]


def test_a_feature_that_was_added_a_moment_ago_is_pushed_and_read(bank: Bank) -> None:
    write(bank, DESK)
    bank.fill()
    assert push(bank, customer_id="c0", features={"visits": 1}).json()["served"]
    write(bank, DESK.replace('Feature("mood", str)', 'Feature("mood", str), Feature("queue", str)'))
    bank.fill()  # another process than the service's, whose registry is up to a minute old
    assert push(bank, customer_id="c0", features={"visits": 2, "queue": "long"}).json()["served"]
    assert bank.decide("c0")["inputs"]["own"]["queue"] == "long"


def test_a_push_that_redis_missed_is_served_after_the_next_materialisation(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bank, DESK)
    bank.fill()

    def refuse(*_: Any) -> None:
        raise FeaturesUnavailable("not there")

    with monkeypatch.context() as patch:
        patch.setattr(bank.services.features.gateway, "push_own", refuse)
        answer = push(bank, customer_id="c4", features={"visits": 7})
    assert (answer.status_code, answer.json()["served"]) == (201, False)
    assert bank.decide("c4")["inputs"]["own"]["visits"] is None
    bank.fill()
    assert bank.decide("c4")["inputs"]["own"]["visits"] == 7


def test_a_store_that_was_emptied_gets_the_pushes_since_the_export_too(bank: Bank) -> None:
    write(bank, DESK)
    bank.fill()
    assert push(bank, customer_id="c0", features={"visits": 9}).status_code == 201
    bank.fill()  # the tables know 9
    for visits in (2, 1):
        assert push(bank, customer_id="c0", features={"visits": visits}).status_code == 201
    assert push(bank, customer_id="c1", features={"visits": 5}).status_code == 201
    bank.empty()
    materialize_features(bank.services.settings, bank.url, lambda *_: None)
    assert [bank.decide(customer)["inputs"]["own"]["visits"] for customer in ("c0", "c1", "c2")] == [1, 5, None]


@pytest.mark.parametrize(
    ("view", "customer_id", "features", "status", "said"),
    [
        ("desk", "nobody", {"visits": 1}, 404, "No such customer"),
        ("payroll", "c0", {"salary_paid": 1.0}, 404, "No view payroll"),
        ("other", "c0", {"visits": 1}, 404, "No view other"),
        ("desk", "c0", {"visit": 1}, 422, "desk has no feature visit; it has visits, mood"),
        ("desk", "c0", {"visits": "3"}, 422, "desk.visits: int is declared, found str"),
        ("desk", "c0", {"visits": True}, 422, "desk.visits"),
        ("desk", "c0", {"visits": 1.5}, 422, "desk.visits"),
        ("desk", "c0", {"visits": 2**63}, 422, "desk.visits: int is declared, found a number beyond 64 bits"),
        ("desk", "c0", {"visits": -(2**63) - 1}, 422, "beyond 64 bits"),
        ("desk", "c0", {"visits": 10**30}, 422, ""),
        ("desk", "c0", {"mood": 1}, 422, "desk.mood"),
        ("desk", "c0", {"mood": "x" * 10_001}, 422, "a text of 10001 characters, 10000 are the most"),
        ("desk", "c0", {}, 422, ""),
        ("desk", "c0", {"visits": [1]}, 422, ""),
    ],
)
def test_a_push_that_does_not_fit_says_why_and_keeps_nothing(
    view: str, customer_id: str, features: dict[str, Any], status: int, said: str, bank: Bank
) -> None:
    write(bank, DESK)
    bank.fill()

    def kept() -> int:
        with bank.services.database.read() as log:
            return sum(len(batch) for batch in log.pushed("desk", bank.services.clock()))

    before = kept()
    answer = push(bank, view, customer_id=customer_id, features=features)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert kept() == before
