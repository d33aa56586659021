"""What was known of a customer is kept with the moment it was known, and never overwritten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from recsys.domain.protection import UNREADABLE
from recsys.storage.import_mapping import parse_mapping
from recsys.storage.schema import customer_versions
from tests.builders import NOW
from tests.recsys.storage.importing import INTERACTIONS, Importer

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))


def versions(importer: Importer, customer_id: str = "c1") -> list[tuple[datetime, Any, dict[str, Any]]]:
    """Return (known at, segment, attributes) of every version, in time."""
    columns = customer_versions.c.known_at, customer_versions.c.segment, customer_versions.c.attributes
    query = (
        select(*columns).where(customer_versions.c.customer_id == customer_id).order_by(customer_versions.c.known_at)
    )
    with importer.database.read() as log:
        rows: list[Any] = [row for batch in log.batches(query, 100) for row in batch]
    return [(at, segment, orjson.loads(text)) for at, segment, text in rows]


def snapshot(importer: Importer, segment: str, score: int, at: datetime | None) -> None:
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,segment,score\nc1,{segment},{score}\n")
    importer.run(known_at=at)


def test_every_change_is_a_version_and_the_same_file_adds_none(importer: Importer) -> None:
    for segment, at in (("mass", JANUARY), ("mass", FEBRUARY), ("gold", MARCH), ("gold", MARCH), ("gold", None)):
        snapshot(importer, segment, 7, at)
    assert versions(importer) == [(JANUARY, "mass", {"score": 7}), (MARCH, "gold", {"score": 7})]


def test_without_a_moment_facts_are_known_since_the_import(importer: Importer) -> None:
    snapshot(importer, "mass", 7, None)
    assert [at for at, _, _ in versions(importer)] == [NOW]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_snapshots_may_come_in_any_order(importer: Importer, order: tuple[int, ...]) -> None:
    snapshots = [("mass", 1, JANUARY), ("gold", 2, FEBRUARY), ("private", 3, MARCH)]
    for place in order:
        snapshot(importer, *snapshots[place])
    assert versions(importer) == [(at, segment, {"score": score}) for segment, score, at in snapshots]
    with importer.database.read() as log:
        assert (log.customer("c1").segment, log.customer("c1").attributes) == ("private", {"score": 3})


def test_one_file_may_hold_all_of_them(importer: Importer) -> None:
    rows = "c1,gold,2,2026-02-01\nc1,mass,1,2026-01-01\nc1,private,3,2026-03-01\nc2,mass,1,2026-01-01\n"
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,segment,score,known_at\n{rows}")
    for added in (4, 0):
        report = importer.run()
        file = report.files["customers.csv"]
        assert (file.read, file.added + file.changed, file.rejected) == (4, added, 0)
    assert [(at, segment) for at, segment, _ in versions(importer)] == [
        (JANUARY, "mass"), (FEBRUARY, "gold"), (MARCH, "private"),
    ]  # fmt: skip
    with importer.database.read() as log:
        assert log.customer("c1").segment == "private"


def test_two_rows_of_one_moment_that_differ_contradict_each_other(importer: Importer) -> None:
    rows = "c1,mass,2026-01-01\nc1,gold,2026-01-01\n"
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,segment,known_at\n{rows}")
    assert importer.run().files["customers.csv"].rejected == 1
    with importer.database.read() as log:
        assert log.customer("c1").flags == {UNREADABLE}


def test_a_column_the_file_lacks_is_as_it_was_then(importer: Importer) -> None:
    snapshot(importer, "mass", 1, JANUARY)
    snapshot(importer, "gold", 3, MARCH)
    importer.write(customers="customer_id,score\nc1,2\n")
    importer.run(mapping=parse_mapping({"customers": {"known_at": "2026-02-01"}}))
    assert versions(importer) == [
        (JANUARY, "mass", {"score": 1}), (FEBRUARY, "mass", {"score": 2}), (MARCH, "gold", {"score": 3}),
    ]  # fmt: skip


def test_an_older_file_still_protects(importer: Importer) -> None:
    snapshot(importer, "mass", 1, MARCH)
    importer.write(customers="customer_id,do_not_contact\nc1,true\n")
    importer.run(known_at=JANUARY)
    with importer.database.read() as log:
        assert log.customer("c1").flags == {"do_not_contact"}


def test_replacing_removes_the_versions_of_who_is_gone(importer: Importer) -> None:
    snapshot(importer, "mass", 1, JANUARY)
    importer.write(customers="customer_id,score\nc2,2\n")
    importer.run(replace=True, known_at=JANUARY + timedelta(days=1))
    assert versions(importer) == []
