"""Training sees what Feast gives it and nothing else, as it stood at the moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.offline import OfflineFeatures, features_of_export
from features.service_names import RELEVANCE_SERVICE
from recsys.domain.customer import Customer
from recsys.domain.interaction import Interaction, InteractionKind
from recsys.models.bundle_files import load_bundle
from tests.training.events import bought, day, export, features_of
from training.config import TrainingConfig
from training.dataset import Dataset
from training.folds import Fold, everything, fold_at
from training.pipeline import train
from training.registry import Registry

CUT = day(50)
MICROSECOND = timedelta(microseconds=1)
PEOPLE = 60


@contextmanager
def feast(events: Path) -> Iterator[OfflineFeatures]:
    with features_of_export(events, day(100)) as features:
        yield features


def history() -> list[Interaction]:
    """Everybody buys on ten days before the cut and on one after it."""
    rng = np.random.default_rng(0)
    return [
        bought(f"c{number:02d}", f"o{offer}", on)
        for number in range(PEOPLE)
        for offer, on in zip(rng.permutation(12)[:11], [*range(1, 11), 60], strict=True)
    ]


def people(segment: str = "mass") -> tuple[Customer, ...]:
    return tuple(Customer(f"c{number:02d}", segment=segment) for number in range(PEOPLE))


def fold_of(events: Path, cut: datetime = CUT) -> Fold:
    with feast(events) as features, Dataset(features) as dataset:
        return fold_at(dataset, cut)


def rows(fold: Fold) -> tuple[list[list[float]], list[list[float]]]:
    """Return everything that a model is fitted on."""
    assert fold.side_features is not None
    return fold.interactions.matrix.toarray().tolist(), fold.side_features.customers.toarray().tolist()


@pytest.mark.parametrize("kind", [InteractionKind.ACCEPTED, InteractionKind.VIEW, InteractionKind.CANCELLED])
def test_an_event_a_microsecond_after_the_cut_changes_no_training_row(kind: InteractionKind, tmp_path: Path) -> None:
    before = rows(fold_of(export(tmp_path / "before", *history(), customers=people())))
    for name, at in (("after", CUT + MICROSECOND), ("at", CUT)):
        late = Interaction("c00", "o3" if kind is InteractionKind.CANCELLED else "o11", at, kind)
        found = rows(fold_of(export(tmp_path / name, *history(), late, customers=people())))
        assert (found == before) is (name == "after")


def test_a_fact_that_becomes_known_a_microsecond_after_the_cut_is_in_no_training_row_nor_task(tmp_path: Path) -> None:
    def fold(name: str, at: datetime) -> Fold:
        versions = [(day(0.5), one) for one in people("mass")] + [(at, one) for one in people("gold")]
        return fold_of(export(tmp_path / name, *history(), customers=people("gold"), versions=versions))

    after, at = fold("after", CUT + MICROSECOND), fold("at", CUT)
    for found, segment in ((after, "mass"), (at, "gold")):
        assert found.side_features is not None
        assert f"segment={segment}" in found.side_features.customer_space.columns
        assert found.tasks.segments is not None
        assert set(found.tasks.segments) == {segment}


def test_the_model_of_everything_reads_the_facts_as_they_are_known_by_now(tmp_path: Path) -> None:
    versions = [(day(0.5), one) for one in people("mass")] + [(day(90), one) for one in people("gold")]
    events = export(tmp_path, *history(), customers=people("gold"), versions=versions)
    with feast(events) as features, Dataset(features) as dataset:
        fold, now = dataset.with_facts(dataset.as_of(day(60)), day(60)), everything(dataset, day(60))
    assert [one.side.customer_space.columns for one in (fold, now) if one.side] == [
        ("kind=customer", "segment=mass"),
        ("kind=customer", "segment=gold"),
    ]


def test_the_matrix_is_what_feast_reads_and_not_what_lies_beside_it(tmp_path: Path) -> None:
    events, other = export(tmp_path / "one", bought("a", "x", 1)), export(tmp_path / "other", bought("b", "y", 1))
    with feast(events) as features:
        moved = OfflineFeatures(features._store, features._tables, other)
        with Dataset(moved) as dataset:
            found = dataset.as_of(CUT).interactions
    assert (found.customer_ids, found.offer_ids) == (("a",), ("x",))


def test_tables_of_another_moment_are_another_version_of_a_model_that_reads_facts(
    tmp_path: Path, tracking_uri: str
) -> None:
    versions = []
    for name, odd in (("one", "gold"), ("again", "gold"), ("other", "private")):
        facts = tuple(Customer(f"c{n:02d}", segment=odd if n % 2 else "mass") for n in range(PEOPLE))
        taste = [
            bought(f"c{n:02d}", f"{'ab'[n % 2]}{(n + place) % 7}", place * 10 + n / 100)
            for n in range(PEOPLE)
            for place in range(5)
        ]
        events = export(tmp_path / name, *taste, customers=facts)
        config = TrainingConfig(features_of(events), tracking_uri, ("lightfm",))
        versions.append(train(config, lambda what, done, total: None).registered.version)
    bundle = load_bundle(Registry(tracking_uri).fetch(versions[0], tmp_path / "bundles"))
    assert bundle.uses_facts
    assert bundle.manifest["training"]["features"]["service"] == RELEVANCE_SERVICE
    assert versions[0] == versions[1] != versions[2]
