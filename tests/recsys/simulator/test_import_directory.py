"""What the simulated bank delivers is an import directory as the contract has it, without its secrets."""

import csv
import gzip
from datetime import datetime
from pathlib import Path

import pytest

from recsys.catalogue import load_offers_file
from recsys.domain.interaction import InteractionKind
from recsys.simulator.import_directory import write_import_directory
from recsys.simulator.temperament import NEEDS
from recsys.simulator.world import World
from tests.recsys.simulator.worlds import NOW, VOCABULARY


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivery of 300 people over six months."""
    path = tmp_path_factory.mktemp("bank")
    write_import_directory(World.build(300, 6, 11, NOW), path)
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_writes_the_same_bytes(directory: Path, tmp_path: Path) -> None:
    write_import_directory(World.build(300, 6, 11, NOW), tmp_path)
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["contacts.csv.gz", "customers.csv", "interactions.csv.gz", "offers.yaml"]
    assert [(tmp_path / name).read_bytes() for name in files] == [(directory / name).read_bytes() for name in files]


def test_the_report_counts_the_rows_of_each_file(tmp_path: Path) -> None:
    rows = write_import_directory(World.build(50, 3, 1, NOW), tmp_path)
    assert rows["customers"] == 50
    assert rows["interactions"] == len(_rows(tmp_path / "interactions.csv.gz"))


def test_interactions_name_people_offers_moments_and_events_that_exist(directory: Path) -> None:
    people = {row["customer_id"] for row in _rows(directory / "customers.csv")}
    offers = {offer.offer_id for offer in load_offers_file(directory / "offers.yaml", VOCABULARY)}
    rows = _rows(directory / "interactions.csv.gz")
    assert {row["customer_id"] for row in rows} <= people
    assert {row["offer_id"] for row in rows} <= offers
    assert {row["event"] for row in rows} == {kind.value for kind in InteractionKind}
    assert all(datetime.fromisoformat(row["occurred_at"]) < NOW for row in rows)


def test_contacts_have_unique_ids_and_values_in_their_ranges(directory: Path) -> None:
    rows = _rows(directory / "contacts.csv.gz")
    assert len({row["contact_id"] for row in rows}) == len(rows)
    assert all(-1 <= float(row["sentiment"]) <= 1 for row in rows)
    assert {row["csat"] for row in rows} <= {"", "1", "2", "3", "4", "5"}
    assert {row["direction"] for row in rows} == {"inbound", "outbound"}


def test_customers_have_the_contracts_columns_and_nothing_hidden(directory: Path) -> None:
    columns = set(_rows(directory / "customers.csv")[0])
    required = {"customer_id", "kind", "name", "language", "segment", "risk_level"}
    flags = {"vulnerable", "arrears", "do_not_contact", "consent_marketing", "consent_profiling", "consent_partner"}
    assert required | flags | {"age", "city", "monthly_income_cny", "tenure_months"} <= columns
    assert not columns & {*NEEDS, "stage", "digital", "mood", "thrift", "contact_rate", "browsing_rate", "taste"}


def test_offers_show_no_hidden_truth(directory: Path) -> None:
    text = (directory / "offers.yaml").read_text(encoding="utf-8")
    assert not any(f"{secret}:" in text for secret in ("needs", "popularity", "held", "price", "season", "base"))


def test_offers_launched_within_the_months_carry_their_dates(directory: Path) -> None:
    offers = {offer.offer_id: offer for offer in load_offers_file(directory / "offers.yaml", VOCABULARY)}
    bundle = offers["streaming_bundle"]
    assert bundle.valid_from is not None
    assert bundle.valid_to is not None
    assert bundle.valid_from < NOW < bundle.valid_to


def test_nothing_happens_to_an_offer_before_its_launch(directory: Path) -> None:
    offers = {offer.offer_id: offer for offer in load_offers_file(directory / "offers.yaml", VOCABULARY)}
    launched = {name: offer.valid_from for name, offer in offers.items() if offer.valid_from}
    early = [
        row
        for row in _rows(directory / "interactions.csv.gz")
        if row["offer_id"] in launched and datetime.fromisoformat(row["occurred_at"]) < launched[row["offer_id"]]
    ]
    assert early == []
