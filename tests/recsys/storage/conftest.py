"""Makes the databases and the kinds of files that several tests of the event log use."""

from pathlib import Path

import pytest

from recsys.storage.database import Database
from tests.builders import NOW, a_contact, a_customer
from tests.recsys.storage.importing import Importer


@pytest.fixture
def known_contact(database: Database) -> Database:
    """An event log with one customer, `c1`, in one contact, `k1`."""
    with database.transaction() as log:
        log.add_customer(a_customer(), NOW)
        log.add_contact(a_contact())
    return database


@pytest.fixture
def importer(database: Database, tmp_path: Path) -> Importer:
    """Imports files that a test writes, once into each database."""
    return Importer(database, tmp_path / "bank")
