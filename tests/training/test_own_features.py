"""A bank's own feature that carries the signal makes the models better, and taking it away takes that away."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from features.offline import OfflineFeatures, features_of_export
from features.own_discovery import find_declared
from features.person_signals import person_signals
from features.service_names import PROPENSITY_SERVICE, RELEVANCE_SERVICE
from recsys.domain.customer import Customer
from recsys.domain.outcome import Answer
from recsys.interactions.side_features import FeatureSpace
from recsys.models.bundle_files import load_bundle
from recsys.models.propensity_folder import load_propensity_model
from tests.builders import NOW
from tests.features.exported import Given as FeatureGiven
from tests.features.exported import write_export
from tests.features.own import MOMENT, Paid, declared_as, payroll_folder
from tests.training.answers import Given, answered
from tests.training.events import bought, day, export
from training.config import TrainingConfig
from training.dataset import Dataset
from training.facts import customer_facts
from training.folds import Recipe, fit_and_evaluate, fold_at
from training.model_kinds import PROPENSITY
from training.pipeline import train
from training.propensity_pipeline import PropensityConfig, PropensityResult, train_propensity
from training.registry import Registry

PEOPLE = 800
SECTORS = ("rail", "care")
OWN = ["employer_sector", "salary_paid", "salary_share"]


@contextmanager
def of(events: Path, folder: Path | None, as_of: datetime, service: str) -> Iterator[OfflineFeatures]:
    """Open the features of an export, with what the bank declares in the folder or without."""
    declared = find_declared(folder, ["monthly_income_cny"]) if folder is not None else []
    with features_of_export(events, as_of, service=service, declared=declared) as features:
        yield features


def propensity(tmp_path: Path, uri: str, folder: Path | None, world: list[Given]) -> PropensityResult:
    people = [
        FeatureGiven(Customer(f"c{n}", attributes={"monthly_income_cny": 3000.0})) for n in range(PEOPLE)
    ]  # everybody's income is the same: what they are paid is the bank's own to say
    write_export(tmp_path / "events", people, NOW)
    with of(tmp_path / "events", folder, NOW + timedelta(days=400), PROPENSITY_SERVICE) as features:
        return train_propensity(PropensityConfig(features, uri), answered(*world), lambda what, done, total: None)


@pytest.fixture
def world() -> tuple[list[Given], list[Paid]]:
    """Answers that follow the salary as it was paid before the decision; what is paid later says the contrary."""
    rng = np.random.default_rng(5)
    given, paid = [], list[Paid]()
    for number in range(PEOPLE):
        customer, salary = f"c{number}", float(rng.uniform(500, 3000))
        paid += [(customer, NOW - timedelta(days=2), salary, "rail"),
                 (customer, NOW + timedelta(microseconds=1), 3500.0 - salary, "rail")]  # fmt: skip
        for place in range(3):
            chance = 1 / (1 + np.exp(-(salary - 1750) / 250))
            answer = Answer.ACCEPTED if rng.random() < chance else Answer.DECLINED
            signals = {"base_log_odds": -1.0, "relevance": float(rng.normal()), "intent_match": 0.0}
            given.append(Given(customer, place * PEOPLE + number, signals, answer, offer=f"o{place}"))
    return given, paid


def test_a_propensity_with_the_banks_feature_beats_the_one_without_and_its_manifest_names_the_view(
    tmp_path: Path, tracking_uri: str, world: tuple[list[Given], list[Paid]]
) -> None:
    given, paid = world
    folder = payroll_folder(tmp_path / "bank", paid)
    with_it = propensity(tmp_path, tracking_uri, folder, sorted(given, key=lambda one: one.hour))
    without = propensity(tmp_path, tracking_uri, None, sorted(given, key=lambda one: one.hour))
    better, worse = (one.evaluation.test["this model"]["AUC"] for one in (with_it, without))
    assert better.low > 0.85 > 0.6 > worse.high
    assert {"salary_paid", "salary_share"} <= set(with_it.rows.signals)
    assert not {"salary_paid", "salary_share"} & set(without.rows.signals)
    models = [
        load_propensity_model(Registry(tracking_uri, PROPENSITY).fetch(one.registered.version, tmp_path / "bundles"))
        for one in (with_it, without)
    ]
    lineages = [model.manifest["training"]["features"] for model in models]
    assert (lineages[0]["views"]["payroll"], lineages[0]["own"]["features"]) == ("v0", OWN)
    assert "payroll" not in lineages[1]["views"]
    # what the model in service says of somebody, told the feature or not
    row = {"base_log_odds": -1.0, "relevance": 0.0, "salary_share": 0.9, "salary_paid": 2700.0}
    blank: dict[str, Any] = {**row, "salary_share": None, "salary_paid": None}
    told, untold = models[0].log_odds(models[0].table([row, blank]))
    assert told - untold > 0.5
    assert len(set(models[1].log_odds(models[1].table([row, blank])).tolist())) == 1


def test_lightfm_with_the_banks_feature_ranks_better_and_is_another_version(tmp_path: Path, tracking_uri: str) -> None:
    rng = np.random.default_rng(2)
    history, paid = [], list[Paid]()
    for number in range(300):
        customer, sector = f"c{number:03d}", number % 2
        paid.append((customer, day(0.5), 1000.0, SECTORS[sector]))
        paid.append((customer, day(50.1), 1000.0, SECTORS[1 - sector]))  # after the cut: not to be seen
        taste = [f"{SECTORS[sector]}{item}" for item in rng.permutation(6)]
        first = ["common"] if number < 100 else taste[:3]  # a third has told nothing of their taste
        history += [bought(customer, offer, 1 + 3 * place) for place, offer in enumerate(first)]
        history += [bought(customer, offer, 51 + place + number / 400) for place, offer in enumerate(taste[3:5])]
    people = tuple(Customer(f"c{number:03d}", attributes={"monthly_income_cny": 2000.0}) for number in range(300))
    events, folder = export(tmp_path / "events", *history, customers=people), payroll_folder(tmp_path / "bank", paid)
    found, versions = [], []
    for own in (folder, None):
        with of(events, own, day(60), RELEVANCE_SERVICE) as features:
            with Dataset(features) as dataset:
                fold = fold_at(dataset, day(50))
            assert fold.side_features is not None
            names = {column.partition("=")[0] for column in fold.side_features.customer_space.columns}
            assert ("employer_sector" in names) is (own is not None)
            outcome = fit_and_evaluate(Recipe("lightfm", {}), fold, (5,), 1)
            found.append(float(outcome.evaluation.values["NDCG@5"].mean()))
            config = TrainingConfig(features, tracking_uri, ("lightfm",))
            version = train(config, lambda what, done, total: None).registered.version
            versions.append(load_bundle(Registry(tracking_uri).fetch(version, tmp_path / "bundles")))
    assert found[0] > found[1] + 0.1
    assert versions[0].version != versions[1].version
    assert versions[0].manifest["training"]["features"]["own"]["features"] == OWN
    assert "employer_sector=rail" in versions[0].customer_space.columns


def test_a_whole_number_of_any_size_is_read_by_every_model_as_the_nearest_float(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    edges = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 3, 2**63 - 1, -(2**63), -(2**53) - 1, 0, None]
    numbers = zip(rng.integers(-(2**63), 2**63 - 1, 91), rng.integers(0, 64, 91), strict=True)
    told = edges + [int(number) >> int(shift) for number, shift in numbers]
    people = [f"c{number}" for number in range(len(told))]
    events = export(tmp_path / "events", bought("c0", "x", 1), customers=tuple(map(Customer, people)))
    folder = tmp_path / "bank"
    folder.mkdir()
    columns = {"customer_id": people, "known_at": pa.array([day(0.5)] * len(told), MOMENT), "cents": told}
    write_table(pa.table(columns), folder / "counts.parquet")
    (folder / "counts.py").write_text(declared_as('Feature("cents", int)', source='Parquet("counts.parquet")'))
    wanted = np.array([np.nan if one is None else float(one) for one in told])
    with of(events, folder, day(60), RELEVANCE_SERVICE) as features:
        facts = customer_facts(features, people, day(2))
    with of(events, folder, day(60), PROPENSITY_SERVICE) as features:
        signals = person_signals(features.known_at(PROPENSITY_SERVICE, people, day(2)), [day(2)] * len(people))
    np.testing.assert_array_equal(facts["cents"], wanted)
    np.testing.assert_array_equal(signals["cents"], wanted)
    bands = {"cents": tuple(np.unique(wanted[np.isfinite(wanted)]).tolist()[1:])}  # an edge at every number told
    space = FeatureSpace(bands, tuple(sorted(f"cents={band}" for band in range(len(bands["cents"]) + 1))))
    in_service = space.encode([{"cents": one} for one in told])  # a decision reads every digit
    assert (in_service != space.encode_columns(facts, len(told))).nnz == 0
