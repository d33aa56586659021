"""Files that spreadsheets write in their own ways are read, or the message says what to do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.domain.errors import CustomerNotFound, ImportInvalid
from recsys.domain.protection import Statement
from recsys.storage.database import open_database
from tests.builders import NOW, a_customer
from tests.recsys.storage.importing import INTERACTIONS, Importer
from tests.recsys.storage.test_import_protection import flags

DNC = "customer_id,do_not_contact\nc1,yes\nc2,no\n"


@pytest.fixture
def one_importer(sqlite_url: str, tmp_path: Path) -> Iterator[Importer]:
    """Imports into SQLite alone."""
    database = open_database(sqlite_url)
    yield Importer(database, tmp_path / "bank")
    database.close()


@pytest.mark.parametrize("line", ["sep=;", "SEP=,", '"sep=;"', "sep=\t"])
def test_the_line_that_excel_writes_first_is_named(one_importer: Importer, line: str) -> None:
    one_importer.write(interactions=INTERACTIONS, customers=f"{line}\n{DNC}")
    with pytest.raises(ImportInvalid, match="delete this line"):
        one_importer.run()


@pytest.mark.parametrize(
    "encoding", ["utf-32", "utf-32-le", "utf-32-be", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"]
)
def test_every_unicode_is_read_with_and_without_its_mark(one_importer: Importer, encoding: str) -> None:
    one_importer.write(interactions=INTERACTIONS, customers=DNC.encode(encoding))
    assert one_importer.run().problems == []
    assert [flags(one_importer, one) for one in ("c1", "c2")] == [{"do_not_contact"}, frozenset()]


@pytest.mark.parametrize("asked", ["C-1", "c 1", "С1", "c01"])  # noqa: RUF001 - a Cyrillic letter
def test_whom_a_protection_of_nobody_may_mean_is_named(one_importer: Importer, asked: str) -> None:
    with one_importer.database.transaction() as log:
        log.add_customer(a_customer(customer_id="c1"), NOW)
        with pytest.raises(CustomerNotFound) as missing:
            log.set_protection(asked, "do_not_contact", Statement("do_not_contact", True, NOW, NOW, "api"))
        with pytest.raises(CustomerNotFound) as unlike:
            log.set_protection("z9", "do_not_contact", Statement("do_not_contact", True, NOW, NOW, "api"))
    assert (missing.value.known, unlike.value.known) == (("c1",), ())
