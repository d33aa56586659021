"""Temporary tables that hold what an import has read until all of it is known to be good."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Float, Integer, MetaData, String, Table, Text, select, text

from recsys.domain.errors import StoreUnavailable
from recsys.domain.protection import CONSENT_COLUMNS, DELIVERED_FLAGS
from recsys.storage.batching import in_batches
from recsys.storage.moments import UtcDateTime
from recsys.storage.table_files import Reject

BATCH = 10_000

metadata = MetaData()

staged_customers = Table(
    "staged_customers",
    metadata,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", String, nullable=False),
    Column("kind", String),
    Column("name", String),
    Column("language", String),
    Column("segment", String),
    Column("risk_level", Integer),
    *(Column(name, Boolean) for name in (*DELIVERED_FLAGS, *CONSENT_COLUMNS)),
    Column("consents_as_of", UtcDateTime),
    Column("known_at", UtcDateTime),
    Column("attributes", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("facts", String, nullable=False, comment="digest of all but dated consents, empty where they have no date"),
    prefixes=["TEMPORARY"],
)


def _as_customers(name: str) -> Table:
    columns = (Column(column.name, column.type, primary_key=column.primary_key) for column in staged_customers.columns)
    return Table(name, metadata, *columns, prefixes=["TEMPORARY"])


staged_older = _as_customers("staged_older")
staged_consents = _as_customers("staged_consents")
"""Rows of customers that differ from the first one of the same customer by their dated consents alone."""

staged_interactions = Table(
    "staged_interactions",
    metadata,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", String, nullable=False),
    Column("offer_id", String, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("channel", String),
    Column("weight", Float, nullable=False),
    Column("is_known", Boolean, comment="true: it says only what another row says, and is not added"),
    prefixes=["TEMPORARY"],
)
inferred_interactions = Table(
    "inferred_interactions",
    metadata,
    *(
        Column(column.name, column.type, primary_key=column.primary_key, autoincrement=True, nullable=column.nullable)
        for column in staged_interactions.columns
    ),
    prefixes=["TEMPORARY"],
)
"""What no row says, but extracts do by what stands in them and what does not."""

staged_contacts = Table(
    "staged_contacts",
    metadata,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("contact_id", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("channel", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("reason", String),
    Column("is_complaint", Boolean, nullable=False),
    Column("sentiment", Float),
    Column("agent_id", String),
    Column("csat", Integer),
    Column("closed_at", UtcDateTime, nullable=False),
    Column("digest", String, nullable=False),
    prefixes=["TEMPORARY"],
)

staged_holds = Table(
    "staged_holds",
    metadata,
    Column("customer_id", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("value", Boolean, nullable=False),
    Column("why", String, nullable=False),
    prefixes=["TEMPORARY"],
)


def create_staging(connection: Connection) -> None:
    """Create the temporary tables on this connection, which alone sees them."""
    metadata.create_all(connection, checkfirst=False)


def stage(connection: Connection, table: Table, rows: Iterable[dict[str, Any]], report: Callable[[int], None]) -> None:
    """Fill a temporary table, a batch at a time; all rows name the same columns, `report` hears how many are in."""
    done = 0
    for batch in in_batches(rows, BATCH):
        # Straight to the driver: SQLAlchemy would spend more time on a row than all the rest of the import.
        (_copy if connection.dialect.name == "postgresql" else _insert)(connection, table, batch)
        done += len(batch)
        report(done)


def _insert(connection: Connection, table: Table, batch: list[dict[str, Any]]) -> None:
    marks = ", ".join("?" * len(batch[0]))
    statement = f"INSERT INTO {table.name} ({', '.join(batch[0])}) VALUES ({marks})"
    connection.exec_driver_sql(statement, [tuple(row.values()) for row in batch])


def _copy(connection: Connection, table: Table, batch: list[dict[str, Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(batch[0])}) FROM STDIN") as copy:
            for row in batch:
                copy.write_row(tuple(row.values()))
    except connection.dialect.loaded_dbapi.Error as error:
        raise StoreUnavailable("The event log was lost during the import; nothing was saved, import again.") from error


def index_staging(connection: Connection, table: Table, *columns: str) -> None:
    """Make the rows of a temporary table found by these columns; without it each search reads the whole table."""
    name = f"ix_{table.name}_{'_'.join(columns)}"
    connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({', '.join(columns)})"))


def analyse_staging(connection: Connection, *tables: Table) -> None:
    """Let PostgreSQL know how many rows are in temporary tables, which it never looks at by itself."""
    if connection.dialect.name == "postgresql":
        for table in tables:
            connection.execute(text(f"ANALYZE {table.name}"))


def set_dated_consents_aside(connection: Connection) -> None:
    """Move rows that only add consents of another date to a customer's first row to `staged_consents`."""
    later = f"""
        SELECT line, date_place FROM (
            SELECT line, digest, facts, consents_as_of, first_value(facts) OVER w AS first_facts,
                row_number() OVER w AS place, row_number() OVER d AS date_place,
                first_value(digest) OVER d AS first_digest
            FROM {staged_customers.name}
            WINDOW w AS (PARTITION BY customer_id, known_at ORDER BY line),
                d AS (PARTITION BY customer_id, known_at, consents_as_of ORDER BY line)) AS ranked
        WHERE place > 1 AND facts <> '' AND facts = first_facts AND digest = first_digest
    """
    columns = ", ".join(column.name for column in staged_customers.columns)
    moved = connection.execute(
        text(
            f"INSERT INTO {staged_consents.name} ({columns}) SELECT {columns} FROM {staged_customers.name} "
            f"WHERE line IN (SELECT line FROM ({later}) AS l)"
        )
    ).rowcount
    if moved:
        repeated = f"SELECT line FROM ({later}) AS l WHERE date_place > 1"
        connection.execute(text(f"DELETE FROM {staged_consents.name} WHERE line IN ({repeated})"))
        connection.execute(text(f"DELETE FROM {staged_customers.name} WHERE line IN (SELECT line FROM ({later}) AS l)"))


def drop_repeats(
    connection: Connection, table: Table, key: str, reject: Reject, conflicting: Callable[[Mapping[str, Any]], None]
) -> int:
    """Keep the first row of every key; return how many there were, rejecting those that say something else.

    `conflicting` is told each of those.
    """
    ranked = (
        f"SELECT line, digest, first_value(digest) OVER earlier AS first_digest, row_number() OVER earlier AS place "
        f"FROM {table.name} WINDOW earlier AS (PARTITION BY {key} ORDER BY line)"
    )
    others = connection.execute(
        select(table)
        .where(
            table.c.line.in_(text(f"SELECT line FROM ({ranked}) AS ranked WHERE place > 1 AND digest <> first_digest"))
        )
        .order_by(table.c.line)
    )
    for row in others.mappings():
        conflicting(dict(row))
        reject(
            row["line"], key.partition(",")[0], "stands in an earlier row that says something else; that one is used"
        )
    removed = connection.execute(
        text(f"DELETE FROM {table.name} WHERE line IN (SELECT line FROM ({ranked}) AS ranked WHERE place > 1)")
    )
    return removed.rowcount
