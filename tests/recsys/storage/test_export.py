"""The Parquet export: complete, in UTC microseconds, without names, and whole at every moment."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.catalogue import offer_to_dict
from recsys.domain.outcome import Answer
from recsys.domain.protection import Statement
from recsys.storage.database import Database
from recsys.storage.export import export_events
from tests.builders import NOW, a_contact, a_customer, an_offer
from tests.recsys.storage.importing import INTERACTIONS, Importer
from tests.recsys.storage.test_decision_log import a_record, an_outcome


def test_every_event_lies_in_the_folder_of_its_day(importer: Importer, tmp_path: Path) -> None:
    importer.write(
        interactions=INTERACTIONS
        + "c1,a,2026-01-02T00:00:00.000001Z,view,app,0.5\nc1,b,2026-01-01T23:59:59Z,,,\n"
        + "c2,c,2026-01-03T01:00:00+08:00,,,\n"
    )
    importer.run()
    written = export_events(importer.database, tmp_path / "events")
    tables = {
        path.parent.name: pq.ParquetFile(path).read().to_pylist()
        for path in sorted((tmp_path / "events" / "interactions").glob("day=*/*.parquet"))
    }
    assert written == {"interactions": 3, "contacts": 0, "answers": 0, "exposures": 0, "customers": 2} | {
        "customer_versions": 0, "offers": 3,
    }  # fmt: skip
    assert {day: [row["offer_id"] for row in rows] for day, rows in tables.items()} == {
        "day=2026-01-01": ["b"],
        "day=2026-01-02": ["a", "c"],
    }
    assert tables["day=2026-01-02"][0] == {
        "customer_id": "c1",
        "offer_id": "a",
        "occurred_at": datetime(2026, 1, 2, 0, 0, 0, 1, tzinfo=UTC),
        "kind": "view",
        "channel": "app",
        "weight": 0.5,
    }


def test_moments_are_microseconds_in_utc(importer: Importer, tmp_path: Path) -> None:
    importer.write(interactions=INTERACTIONS + "c1,a,2026-01-02,,,\n")
    importer.run()
    export_events(importer.database, tmp_path)
    (file,) = (tmp_path / "interactions").glob("*/*.parquet")
    assert pq.read_schema(file).field("occurred_at").type == pa.timestamp("us", tz="UTC")


def test_customers_go_out_with_typed_attributes_and_without_their_names(importer: Importer, tmp_path: Path) -> None:
    importer.write(
        interactions=INTERACTIONS + "c2,a,2026-01-02,,,\n",
        customers="customer_id,name,age,is_student,城市\nc1,李娜,41,true,上海\n",
    )
    importer.run()
    export_events(importer.database, tmp_path)
    table = pq.ParquetFile(tmp_path / "customers.parquet").read()
    assert table.column("attr_age").to_pylist() == [41.0, None]
    assert table.column("attr_is_student").to_pylist() == [True, None]
    assert table.column("attr_城市").to_pylist() == ["上海", None]
    assert "李娜" not in str(table.to_pylist())


def test_versions_go_out_with_their_moments_without_names_or_flags_and_by_the_types_of_today(
    importer: Importer, tmp_path: Path
) -> None:
    january, march = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3))
    for at, row in ((january, "c1,李娜,true,mass,41"), (march, "c1,李娜,true,gold,unknown")):
        importer.write(interactions=INTERACTIONS, customers=f"customer_id,name,vulnerable,segment,age\n{row}\n")
        importer.run(known_at=at)
    export_events(importer.database, tmp_path)
    file = tmp_path / "customer_versions.parquet"
    rows = pq.ParquetFile(file).read(["known_at", "segment", "attr_age"]).to_pylist()
    assert [(row["known_at"], row["segment"]) for row in rows] == [(january, "mass"), (march, "gold")]
    assert [row["attr_age"] for row in rows] in ([41.0, None], ["41", "unknown"], ["41.0", "unknown"])
    assert set(pq.read_schema(file).names) == {
        "version_id", "customer_id", "known_at", "kind", "language", "segment", "risk_level", "attr_age",
    }  # fmt: skip


def test_live_contacts_and_answers_go_out(known_contact: Database, tmp_path: Path) -> None:
    with known_contact.transaction("c1") as log:
        log.add_decision(a_record(), log.next_sequence("k1"))
        log.add_outcome(an_outcome(Answer.LATER), "key", "digest", {})
    export_events(known_contact, tmp_path)
    (answers,) = (tmp_path / "answers").glob("*/*.parquet")
    (contacts,) = (tmp_path / "contacts").glob("*/*.parquet")
    assert pq.ParquetFile(answers).read().to_pylist() == [
        {"outcome_id": "o1", "customer_id": "c1", "offer_id": "card", "decision_id": "d1"}
        | {"answer": "later", "answered_at": NOW, "channel": "phone"}
    ]
    (exposures,) = (tmp_path / "exposures").glob("*/*.parquet")
    assert pq.ParquetFile(exposures).read().to_pylist() == [
        {"decision_id": "d1", "offer_id": "card", "stage": "pitched", "exposed_at": NOW, "channel": "phone"}
    ]
    assert pq.ParquetFile(contacts).read().column("contact_id").to_pylist() == ["k1"]


def test_a_second_export_leaves_nothing_of_the_first(known_contact: Database, tmp_path: Path) -> None:
    export_events(known_contact, tmp_path)
    with known_contact.transaction("c1") as log:
        log.add_contact(a_contact(contact_id="k2", opened_at=datetime(2026, 7, 1, tzinfo=UTC)))
    assert export_events(known_contact, tmp_path)["contacts"] == 2
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet"))
    assert found == [
        "contacts/day=2026-06-01/events.parquet",
        "contacts/day=2026-07-01/events.parquet",
        "customer_versions.parquet",
        "customers.parquet",
    ]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((".new", ".old"))]


def test_an_export_that_fails_leaves_the_old_one(
    known_contact: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_events(known_contact, tmp_path)
    with known_contact.transaction() as log:
        log.add_customer(a_customer(customer_id="c2"), NOW)

    def fail(what: str, _done: int, _total: int | None) -> None:
        if "customers" in what:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        export_events(known_contact, tmp_path, fail)
    assert pq.read_metadata(tmp_path / "customers.parquet").num_rows == 1
    assert export_events(known_contact, tmp_path)["customers"] == 2


def test_the_consent_to_profiling_in_force_goes_out(known_contact: Database, tmp_path: Path) -> None:
    with known_contact.transaction() as log:
        for number in range(2, 5):
            log.add_customer(a_customer(customer_id=f"c{number}"), NOW)
        for customer, purpose, granted in (
            ("c2", "profiling", True),
            ("c2", "profiling", False),
            ("c2", "marketing", True),
            ("c3", "profiling", False),
            ("c3", "profiling", True),
            ("c4", "partner", False),
        ):
            log.add_statement(customer, Statement(purpose, granted, NOW, NOW, "test"))
    export_events(known_contact, tmp_path)
    table = pq.ParquetFile(tmp_path / "customers.parquet").read()
    assert table.schema.field("consent_profiling").type == pa.bool_()
    assert table.column("consent_profiling").to_pylist() == [None, False, True, None]


def test_the_offers_of_the_catalogue_in_force_go_out(known_contact: Database, tmp_path: Path) -> None:
    ends = datetime(2027, 1, 1, tzinfo=UTC)
    fund = an_offer(
        "fund", margin=12.5, channels=frozenset({"phone", "app"}), valid_to=ends, intents=frozenset({"投资"})
    )
    with known_contact.transaction() as log:
        log.save_catalogue("v1", [offer_to_dict(an_offer("old"))], {}, NOW)
        log.save_catalogue("v2", [offer_to_dict(fund), offer_to_dict(an_offer("card", family="卡"))], {}, NOW)
    assert export_events(known_contact, tmp_path)["offers"] == 2
    card, exported = pq.ParquetFile(tmp_path / "offers.parquet").read().to_pylist()
    assert (card["offer_id"], card["family"], card["margin"], card["channels"]) == ("card", "卡", None, [])
    assert exported == {
        "offer_id": "fund", "kind": "product", "family": "", "risk_level": 1, "repeatable": False,
        "margin": 12.5, "handling_seconds": 0.0, "channels": ["app", "phone"], "intents": ["投资"],
        "valid_from": None, "valid_to": ends,
    }  # fmt: skip
