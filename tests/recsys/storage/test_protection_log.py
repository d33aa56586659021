"""The ledger of protections: the newest statement that says since when is in force."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from recsys.domain.errors import CustomerNotFound
from recsys.domain.protection import FLAGS, UNREADABLE, Purpose, Statement
from recsys.storage.database import Database
from tests.builders import NOW, a_customer

DAY = timedelta(days=1)


def said(subject: str, value: bool, as_of: datetime | None, source: str = "api") -> Statement:
    return Statement(subject, value, as_of, NOW, source, "a1", "asked")


def known(database: Database, *statements: Statement) -> Database:
    with database.transaction() as log:
        log.add_customer(a_customer(), NOW)
        for statement in statements:
            log.add_statement("c1", statement)
    return database


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("subject", [Purpose.MARKETING, "do_not_contact"])
def test_the_newest_statement_wins_in_whatever_order_they_come(
    database: Database, order: tuple[int, ...], subject: str
) -> None:
    moments = [NOW - 3 * DAY, NOW - 2 * DAY, NOW - DAY]
    statements = [said(subject, place == 2, moments[place]) for place in range(3)]
    with known(database, *(statements[place] for place in order)).read() as log:
        customer = log.customer("c1")
    assert (customer.consents.marketing is True) if subject == Purpose.MARKETING else customer.flags == {subject}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("subject", [*Purpose, *FLAGS])
def test_a_file_without_a_date_never_beats_a_statement_with_one(database: Database, first: bool, subject: str) -> None:
    protects = subject in FLAGS
    live, file = said(subject, protects, NOW - 100 * DAY), said(subject, not protects, None, "import")
    with known(database, *((live, file) if first else (file, live))).read() as log:
        customer = log.customer("c1")
        everybody = {row[1]: row[2] for batch in log.all_consents() for row in batch}
    assert everybody[subject] is protects
    assert customer.flags == ({subject} if protects else set())
    assert protects or getattr(customer.consents, subject) is False


def test_of_files_without_dates_the_last_one_counts(database: Database) -> None:
    with known(database, said("arrears", True, None, "import"), said("arrears", False, None, "import")).read() as log:
        assert log.customer("c1").flags == frozenset()


@pytest.mark.parametrize("flag", FLAGS)
def test_everybodys_flags_and_consents_are_those_of_one(database: Database, flag: str) -> None:
    with known(database, said(flag, True, NOW), said("partner", False, NOW)).read() as log:
        rows = [row for batch in log.everybody() for row in batch]
        consents = {(row[1], row[2]) for batch in log.all_consents() for row in batch}
        customer = log.customer("c1")
    assert (rows[0][5], set(customer.flags)) == (f'["{flag}"]', {flag})
    assert ("partner", False) in consents


def test_ending_what_could_not_be_read_ends_it_for_every_row(database: Database) -> None:
    holds = [said(f"{UNREADABLE}/{row}", True, NOW - DAY, "import") for row in ("customers", "contacts/k1")]
    with known(database, *holds).transaction() as log:
        assert log.customer("c1").flags == {UNREADABLE}
        log.set_protection("c1", UNREADABLE, said(UNREADABLE, False, NOW))
        assert log.customer("c1").flags == frozenset()
        assert [one.actor for one in log.statements("c1")] == ["a1"] * 5


def test_a_statement_about_nobody_is_refused(database: Database) -> None:
    with database.transaction() as log, pytest.raises(CustomerNotFound):
        log.set_protection("nobody", "arrears", said("arrears", True, NOW))
