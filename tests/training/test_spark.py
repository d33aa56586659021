"""The same road on Spark, with two workers: what is read, what is trained, and what serves afterwards."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.offline import features_of_export
from features.offline_spark import SparkFeatures
from features.service_names import DECISION_SERVICE, EVENTS_VIEW, PROPENSITY_SERVICE, RELEVANCE_SERVICE
from features.spark_session import Spark, check_spark, open_spark
from recsys.domain.customer import Customer
from recsys.domain.errors import ImportInvalid, InvalidInput
from recsys.domain.interaction import Interaction
from recsys.interactions.matrix import build_matrix
from recsys.models.bundle_files import load_bundle
from recsys.models.data_shape import DataShape
from recsys.models.families import create_model
from tests.training.events import bought, day, export, features_of, two_tastes
from training.comparison import Candidate
from training.config import HEADLINE, LOCAL, TrainingConfig
from training.dataset import Dataset
from training.pipeline import TrainResult, train
from training.promotion import difference
from training.registry import Registry
from training.spark import spark_engine

MICROSECOND = timedelta(microseconds=1)
PEOPLE = 30
VERSIONS = (1.5, 20.0, 60.0)


def missing() -> str:
    try:
        check_spark()
    except InvalidInput as error:
        return str(error)
    return ""


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing() or "Spark is here"),
]


@dataclass(frozen=True)
class TwoWorkers:
    """Two workers of one core and 1 GiB each, processes of their own."""

    offline: Path
    spark_master: str = "local-cluster[2,1,1024]"
    spark_properties: dict[str, str] = field(
        default_factory=lambda: {"spark.driver.memory": "2g", "spark.sql.shuffle.partitions": "4"}
    )
    spark_offline_address: str | None = None


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    folder = tmp_path_factory.mktemp("offline")
    with open_spark(TwoWorkers(folder)) as running:
        yield running
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customers with dated facts under names that no SQL likes, and what they bought."""
    rng = np.random.default_rng(0)
    versions = [(day(at), one) for at in VERSIONS for one in people(at)]
    return export(tmp_path_factory.mktemp("events"), *history(rng), customers=people(60), versions=versions)


def history(rng: np.random.Generator) -> list[Interaction]:
    kinds = ("accepted", "view", "inquiry", "holding", "cancelled", "declined")
    return [
        bought(f"客{number:02d}", f"o{offer}", float(rng.random() * 100), str(rng.choice(kinds)))
        for number in range(PEOPLE)
        for offer in rng.integers(12, size=20)
    ]


def people(at: float) -> tuple[Customer, ...]:
    def attributes(number: int) -> dict[str, Any]:
        return {"城市": f"{number % 3} {at}", "Anzahl Kinder": number % 4, "a-b.c": at, "x`y'\"z": number > at}

    return tuple(
        Customer(f"客{n:02d}", segment=None if n % 5 == 0 else f"{at}", attributes=attributes(n)) for n in range(PEOPLE)
    )


def asked() -> tuple[list[str], list[datetime]]:
    """Random moments of customers, one of them unknown, and those at which something became known, and beside."""
    rng = np.random.default_rng(1)
    ids = [f"客{number:02d}" for number in rng.integers(PEOPLE + 1, size=200)]
    moments = [day(float(at)) for at in rng.random(200) * 110]
    known = [(event.customer_id, event.occurred_at) for event in history(np.random.default_rng(0))[::4]]
    known += [(f"客{number:02d}", day(at)) for at in VERSIONS for number in range(0, PEOPLE, 5)]
    for customer, at in known:
        ids += [customer] * 3
        moments += [at - MICROSECOND, at, at + MICROSECOND]
    return ids, moments


@pytest.mark.parametrize("service", [RELEVANCE_SERVICE, PROPENSITY_SERVICE, DECISION_SERVICE])
def test_a_service_says_over_spark_what_it_says_over_duckdb(service: str, spark: Spark, events: Path) -> None:
    with features_of_export(events, day(120), service=service) as features:
        over_spark = SparkFeatures(features, spark)
        ids, moments = asked()
        ours, theirs = (one.known_at(service, ids, moments) for one in (over_spark, features))
        assert ours.column_names == theirs.column_names
        assert ours.to_pylist() == theirs.to_pylist()
        rows = {tuple(map(str, row.values())) for row in ours.drop_columns("event_timestamp").to_pylist()}
        assert len(rows) > PEOPLE  # values change with the moment
        assert over_spark.lineage(service, EVENTS_VIEW) == features.lineage(service, EVENTS_VIEW)


def test_the_matrix_and_the_window_are_the_same_over_spark(spark: Spark, events: Path) -> None:
    features = features_of(events)
    cut = history(np.random.default_rng(0))[7].occurred_at
    with Dataset(SparkFeatures(features, spark)) as ours, Dataset(features) as theirs:
        assert ours.window() == theirs.window()
        for moment in (cut - MICROSECOND, cut):
            one, other = ours.as_of(moment), theirs.as_of(moment)
            assert one.interactions.customer_ids == other.interactions.customer_ids
            assert (one.interactions.matrix != other.interactions.matrix).nnz == 0


def test_a_bank_without_interactions_is_told_so(spark: Spark, tmp_path: Path) -> None:
    features = SparkFeatures(features_of(export(tmp_path, customers=(Customer("a"),))), spark)
    with pytest.raises(ImportInvalid, match="no interactions to learn from"):
        Dataset(features)


def test_where_regularization_is_the_same_for_all_mllib_finds_what_implicit_finds(spark: Spark) -> None:
    """Everybody has as many offers, every offer as many customers: both minimise the same, up to the factors' sizes."""
    rng = np.random.default_rng(3)
    customers, offers = np.divmod(np.arange(72 * 4), 4)
    offers += 4 * (customers % 3)
    weights = 1.0 + offers // 4 + rng.random(len(offers))
    world = build_matrix([f"c{n:02d}" for n in customers], [f"o{n:02d}" for n in offers], weights)
    parameters = {"factors": 3, "regularization": 4.0, "alpha": 2.0, "iterations": 60}
    makers = (LOCAL, spark_engine(spark))
    ours, theirs = (
        one.create("als", parameters, DataShape.of(world)).fit(world, rng=rng).score(world.matrix, np.arange(12))
        for one in makers
    )
    assert np.abs(ours).max() > 0.3
    assert np.allclose(ours, theirs, atol=0.02)


@dataclass(frozen=True, slots=True)
class Trained:
    """One training run by each engine on the same events, and the folder of the bundles."""

    local: TrainResult
    spark: TrainResult
    bundles: dict[str, Path]


@pytest.fixture(scope="module")
def trained(spark: Spark, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(tables, folder / "mlflow.db")
    tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
    features = features_of(two_tastes(folder / "events", customers=400))
    results = {}
    for engine, read in ((LOCAL, features), (spark_engine(spark), SparkFeatures(features, spark))):
        config = TrainingConfig(read, tracking_uri, ("als",), engine=engine)
        results[engine.name] = train(config, lambda what, done, total: None)
    registry = Registry(tracking_uri)
    fetched = {name: registry.fetch(one.registered.version, folder / "fetched") for name, one in results.items()}
    return Trained(results["local"], results["spark"], fetched)


def als(result: TrainResult) -> Candidate:
    return next(one for one in result.comparison.candidates if one.name == "als")


def test_a_model_of_spark_is_in_every_way_one_of_the_family(trained: Trained) -> None:
    local, spark = (load_bundle(trained.bundles[name]) for name in ("local", "spark"))
    assert type(spark.model) is type(local.model) is type(create_model("als"))
    assert spark.manifest.keys() == local.manifest.keys()
    assert spark.manifest["parameters"] == local.manifest["parameters"]
    told = dict(spark.manifest["training"])
    assert told.pop("engine") == "spark"
    assert told == local.manifest["training"]
    assert [gate.name for gate in trained.spark.gates] == [gate.name for gate in trained.local.gates]
    ours, theirs = trained.spark.parity, trained.local.parity
    assert ours is not None
    assert theirs is not None
    assert ours.difference.low <= 0  # who was not there when it was trained is ranked for as well
    assert ours.overlap.mean > theirs.overlap.mean - 0.1
    taste = {offer: 3.0 for offer in spark.offer_ids if offer.startswith("a") and int(offer[1:]) < 4}
    rest = [offer for offer in spark.offer_ids if offer not in taste]
    best = [rest[place] for place in np.argsort(-spark.score(taste, rest))[:3]]
    assert all(offer.startswith("a") for offer in best)


def test_both_engines_rank_as_well_within_the_noise(trained: Trained) -> None:
    ours, theirs = (als(one).evaluation.values[HEADLINE] for one in (trained.spark, trained.local))
    customers = trained.local.comparison.fold.tasks.customers
    found = difference(ours, theirs, customers, np.random.default_rng(0))
    assert found.low <= 0 <= found.high
    assert als(trained.spark).is_clearly_better
