"""A bank made before flags became data is upgraded with everything that protects its customers."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import recsys.storage
from recsys.storage.database import open_database

WHEN = "2026-01-01 10:00:00.000000"
ROWS = f"""
    INSERT INTO customers (customer_id, kind, vulnerable, arrears, do_not_contact, attributes, recorded_at)
    VALUES ('c1', 'customer', 1, 0, 1, '{{}}', '{WHEN}'), ('c2', 'customer', 0, 0, 0, '{{}}', '{WHEN}');
    INSERT INTO consents (customer_id, purpose, granted, recorded_at, source)
    VALUES ('c1', 'marketing', 1, '{WHEN}', 'import'), ('c2', 'marketing', 0, '{WHEN}', 'api');
    INSERT INTO contacts (contact_id, customer_id, opened_at, channel, direction, reason, last_sequence)
    VALUES ('k1', 'c2', '{WHEN}', 'phone', 'inbound', 'Complaints', 0);
    INSERT INTO interactions (customer_id, offer_id, occurred_at, kind, weight)
    VALUES ('c1', 'card', '{WHEN}', 'holding', 1.0);
"""


def test_flags_consents_and_complaints_of_an_older_bank_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "nbo.db"
    config = Config()
    config.set_main_option("script_location", str(Path(recsys.storage.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
    engine.dispose()
    with closing(sqlite3.connect(file)) as old:
        old.executescript(ROWS)
    database = open_database(f"sqlite:///{file}")
    database.upgrade()
    with database.read() as log:
        first, second = log.customer("c1"), log.customer("c2")
        complaint = log.customer_and_complaint("c2")[1]
    database.close()
    assert (first.flags, first.consents.marketing) == (frozenset({"vulnerable", "do_not_contact"}), True)
    assert (second.flags, second.consents.marketing) == (frozenset(), False)
    assert complaint is not None
