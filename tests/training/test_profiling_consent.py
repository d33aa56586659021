"""Who refused profiling is in nothing that a model learns from or is measured on."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recsys.domain.customer import Consents, Customer
from recsys.domain.errors import ImportInvalid
from tests.training.events import bought, dataset_of, day, export

HISTORY = (bought("a", "x", 1), bought("b", "x", 1), bought("b", "y", 9), bought("c", "x", 9), bought("d", "y", 9))


def asked(customer: str, answer: bool | None) -> Customer:
    return Customer(customer, consents=Consents(profiling=answer))


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """b refused, c agreed, and the others were never asked."""
    return export(tmp_path / "events", *HISTORY, customers=(asked("b", False), asked("c", True)))


def test_who_refused_is_not_in_the_evidence_and_holds_nothing(events: Path) -> None:
    with dataset_of(events) as dataset:
        known = dataset.as_of(day(20))
    assert known.interactions.customer_ids == ("a", "c", "d")
    assert known.held.toarray().tolist() == [[1, 0], [1, 0], [0, 1]]


def test_who_refused_is_not_asked_about(events: Path) -> None:
    with dataset_of(events) as dataset:
        tasks = dataset.tasks_after(day(5), dataset.as_of(day(5)))
    assert tasks.relevant.toarray().tolist() == [[1, 0], [0, 1]]


def test_the_digest_names_the_data_without_who_refused(events: Path, tmp_path: Path) -> None:
    of_others = [event for event in HISTORY if event.customer_id != "b"]
    folders = (events, export(tmp_path / "others", *of_others), export(tmp_path / "all", *HISTORY))
    windows = []
    for folder in folders:
        with dataset_of(folder) as dataset:
            windows.append(dataset.window())
    assert windows[0] == windows[1]
    assert windows[0].digest != windows[2].digest


@pytest.mark.parametrize("kept", [[], ["customer_id", "kind"]])
def test_an_export_that_says_nothing_of_consent_is_learned_from_whole(events: Path, kept: list[str]) -> None:
    customers = events / "customers.parquet"
    table = pq.read_table(customers)
    customers.unlink()
    if kept:
        pq.write_table(table.select(kept), customers)
    with dataset_of(events) as dataset:
        assert dataset.as_of(day(20)).interactions.customer_ids == ("a", "b", "c", "d")


def test_that_everybody_refused_is_said(tmp_path: Path) -> None:
    with (
        dataset_of(export(tmp_path, bought("a", "x", 1), customers=(asked("a", False),))) as dataset,
        pytest.raises(ImportInvalid, match="may be profiled"),
    ):
        dataset.window()
