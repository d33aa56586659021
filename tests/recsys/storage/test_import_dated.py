"""Consents of a file with and without dates: the newest counts, what protects is not lost in silence."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS, Statement
from recsys.storage.import_mapping import parse_mapping
from recsys.storage.protective_cells import SUBJECT_OF_COLUMN
from tests.builders import NOW
from tests.recsys.storage.importing import INTERACTIONS, Importer
from tests.recsys.storage.test_import_protection import consents, flags

DATED = "customer_id,consent_marketing,consents_as_of\n"


def run(importer: Importer, days: float = 0, **options: Any) -> Any:
    return importer.run(clock=lambda: NOW + timedelta(days=days), **options)


def say(importer: Importer, customer: str, subject: str, value: bool, days: float) -> None:
    at = NOW + timedelta(days=days)
    with importer.database.transaction(customer) as log:
        log.set_protection(customer, subject, Statement(subject, value, at, at, "api", "a1", "asked"))


@pytest.mark.parametrize("column", SUBJECT_OF_COLUMN)
@pytest.mark.parametrize("protective", [True, False])
def test_what_says_nothing_of_its_date_and_is_outvoted_is_told(
    importer: Importer, column: str, protective: bool
) -> None:
    is_flag = column in DELIVERED_FLAGS
    theirs = protective == is_flag
    names = [f"c{number}" for number in range(1, 9)]
    content = f"customer_id,{column}\n" + "".join(f"{name},{'yes' if theirs else 'no'}\n" for name in names)
    importer.write(interactions=INTERACTIONS, customers=f"customer_id,{column}\n" + "".join(f"{n},\n" for n in names))
    run(importer)
    for name in names[:-1]:
        say(importer, name, SUBJECT_OF_COLUMN[column], not theirs, 0.5)
    importer.write(customers=content)
    for day in (1, 2):
        report = run(importer, day)
        told = report.problems if protective else report.notices
        (text,) = [one for one in told if column in one]
        assert "7 rows" in text
        assert "c1, c2, c3, c4, c5 …" in text
        assert ("consents_as_of" in text) is (protective and not is_flag)
        assert bool(report.problems) is protective
    if not is_flag:
        dated = parse_mapping({"customers": {"consents_as_of": (NOW + timedelta(days=1)).date().isoformat()}})
        assert run(importer, 3, mapping=dated).problems == []
        assert getattr(consents(importer, "c1"), CONSENT_COLUMNS[column]) is theirs


@pytest.mark.parametrize("ahead", [timedelta(hours=7), timedelta(days=14), timedelta(days=4000)])
def test_a_refusal_that_is_dated_after_now_counts_from_now_on(importer: Importer, ahead: timedelta) -> None:
    importer.write(interactions=INTERACTIONS, customers=f"{DATED}c1,yes,2026-05-01\nc2,yes,2026-05-01\n")
    run(importer)
    later = (NOW + ahead).isoformat()
    importer.write(customers=f"{DATED}c1,no,{later}\nc2,yes,{later}\n")
    report = run(importer)
    assert [consents(importer, one).marketing for one in ("c1", "c2")] == [False, True]
    assert any("2 rows of customers date consents after now" in one for one in report.notices)
    before = importer.everything()["protections"]
    run(importer, 0.1)
    assert importer.everything()["protections"] == before
    say(importer, "c1", "marketing", True, 0.2)
    run(importer, 0.25)
    assert consents(importer, "c1").marketing is True, "the same row again says nothing new"


ROWS = ("c1,no,2026-01-01\n", "c1,yes,2026-03-01\n", "c1,no,2026-05-01\n")


@pytest.mark.parametrize("rows", [some for size in (2, 3) for some in permutations(ROWS, size)])
def test_a_ledger_of_dated_consents_is_read_in_whatever_order(importer: Importer, rows: tuple[str, ...]) -> None:
    importer.write(interactions=INTERACTIONS, customers=DATED + "".join(rows) + rows[-1] + "c2,yes,2026-01-01\n")
    report = run(importer)
    assert (report.files["customers.csv"].rejected, report.problems, flags(importer)) == (0, [], frozenset())
    latest = max(rows, key=lambda row: row.split(",")[2])
    assert consents(importer).marketing is ("yes" in latest)
    with importer.database.read() as log:
        assert len([one for one in log.statements("c1") if one.subject == "marketing"]) == len(rows)
    before = importer.everything()
    run(importer, 1)
    after = importer.everything()
    assert after["protections"] == before["protections"]


@pytest.mark.parametrize("other", ["c1,yes,2026-01-01\n", "c1,yes,\n", "c1,yes,2026-03-01\nc1,no,2026-03-01\n"])
def test_consents_of_one_date_that_contradict_each_other_hold(importer: Importer, other: str) -> None:
    importer.write(interactions=INTERACTIONS, customers=DATED + "c1,no,2026-01-01\n" + other)
    assert run(importer).files["customers.csv"].rejected == 1
    assert flags(importer) == {"protection_unreadable"}


def test_rows_of_another_date_that_say_something_else_besides_contradict_each_other(importer: Importer) -> None:
    header = "customer_id,consent_marketing,consents_as_of,do_not_contact\n"
    importer.write(interactions=INTERACTIONS, customers=header + "c1,no,2026-01-01,no\nc1,yes,2026-02-01,yes\n")
    assert run(importer).files["customers.csv"].rejected == 1
    assert flags(importer) == {"protection_unreadable", "do_not_contact"}
