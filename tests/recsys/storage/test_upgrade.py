"""A bank made before flags became data is upgraded with everything that protects its customers."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import recsys.storage
from recsys.storage.database import open_database

WHEN = "2026-01-01 10:00:00.000000"  # as SQLite keeps it, and as PostgreSQL reads it in UTC
ROWS = f"""
    INSERT INTO customers (customer_id, kind, vulnerable, arrears, do_not_contact, attributes, recorded_at)
    VALUES ('c1', 'customer', true, false, true, '{{}}', '{WHEN}'),
        ('c2', 'customer', false, false, false, '{{}}', '{WHEN}');
    INSERT INTO consents (customer_id, purpose, granted, recorded_at, source)
    VALUES ('c1', 'marketing', true, '{WHEN}', 'import'), ('c2', 'marketing', false, '{WHEN}', 'api');
    INSERT INTO contacts (contact_id, customer_id, opened_at, channel, direction, reason, last_sequence)
    VALUES ('k1', 'c2', '{WHEN}', 'phone', 'inbound', 'Complaints', 0);
    INSERT INTO interactions (customer_id, offer_id, occurred_at, kind, weight)
    VALUES ('c1', 'card', '{WHEN}', 'holding', 1.0);
"""


def test_flags_consents_and_complaints_of_an_older_bank_are_kept(empty_database_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(recsys.storage.__file__).parent / "migrations"))
    database = open_database(empty_database_url)
    with database.private_connection() as connection, database.writing_on(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        for statement in ROWS.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    database.upgrade()
    with database.read() as log:
        first, second = log.customer("c1"), log.customer("c2")
        complaint = log.customer_and_complaint("c2")[1]
    database.close()
    assert (first.flags, first.consents.marketing) == (frozenset({"vulnerable", "do_not_contact"}), True)
    assert (second.flags, second.consents.marketing) == (frozenset(), False)
    assert complaint is not None
